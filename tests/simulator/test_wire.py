"""The simulator as bytes on a wire, in virtual time."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from sidecar.simulator import KEY, Fault, FaultKind, Limits, Simulator, application
from sidecar.testing import Wire

HELLO = {"model": "claude-haiku-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "Hello"}]}
STREAM = HELLO | {"stream": True}


def now() -> float:
    return asyncio.get_running_loop().time()


async def events(response: aiohttp.ClientResponse) -> list[tuple[float, dict[str, Any]]]:
    """Every event with the time at which it came; ends as the connection does."""
    found: list[tuple[float, dict[str, Any]]] = []
    name = ""
    async for line in response.content:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            found.append((now(), json.loads(text.removeprefix("data: "))))
            assert found[-1][1]["type"] == name
    return found


def kinds(found: list[tuple[float, dict[str, Any]]]) -> list[str]:
    return [event["type"] for _, event in found]


async def test_hello_needs_no_key(client):
    """`/api/hello` answers GET and HEAD without a key."""
    for method in ("GET", "HEAD"):
        async with client.request(method, "/api/hello", headers={"x-api-key": ""}) as response:
            assert response.status == 200
            assert response.headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        pytest.param({"x-api-key": KEY}, 200, "", id="x-api-key"),
        pytest.param({"authorization": f"Bearer {KEY}"}, 200, "", id="bearer"),
        pytest.param({}, 401, "x-api-key header is required", id="no key"),
        pytest.param({"x-api-key": "sk-wrong"}, 401, "invalid x-api-key", id="a wrong key"),
        pytest.param({"authorization": "Bearer no"}, 401, "invalid bearer token", id="a wrong token"),
        pytest.param({"authorization": f"Basic {KEY}"}, 401, "x-api-key header is required", id="another scheme"),
        pytest.param({"x-api-key": KEY, "authorization": f"Bearer {KEY}"}, 401, "both", id="both headers"),
    ],
)
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
async def test_either_header_carries_the_key(client, headers, status, message, version):
    """Both header styles work under both API versions; a pre-auth failure names no organization."""
    del client.headers["x-api-key"]

    async with client.post("/v1/messages", json=HELLO, headers=headers | {"anthropic-version": version}) as response:
        body = await response.json()

    assert response.status == status
    assert ("anthropic-organization-id" in response.headers) is (status == 200)
    if status != 200:
        assert body["error"]["type"] == "authentication_error"
        assert message in body["error"]["message"]
        assert body["request_id"] == response.headers["request-id"]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        pytest.param(None, "header is required", id="missing"),
        pytest.param("2024-01-01", "not a valid version", id="unknown"),
    ],
)
async def test_a_version_must_be_named(client, version, message):
    """A request without a known API version is an invalid request."""
    del client.headers["anthropic-version"]

    async with client.get("/v1/models", headers={"anthropic-version": version} if version else {}) as response:
        assert response.status == 400
        assert message in (await response.json())["error"]["message"]


BAD = [
    pytest.param({"model": None}, "model", id="model is null"),
    pytest.param({"max_tokens": "many"}, "max_tokens: Input should be a valid integer", id="max_tokens is text"),
    pytest.param({"max_tokens": -1}, "greater than or equal to 0", id="max_tokens is negative"),
    pytest.param({"max_tokens": 128_001}, "128001 > 128000", id="more than the model can say"),
    pytest.param({"messages": []}, "at least one message", id="no messages"),
    pytest.param({"messages": ["hi"]}, "messages.0: Input should be a valid dictionary", id="a bare text"),
    pytest.param({"messages": [{"role": "user"}]}, "messages.0.content: Field required", id="no content"),
    pytest.param({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role", id="a role that is none"),
    pytest.param({"messages": [{"role": "user", "content": ""}]}, "non-empty content", id="empty content"),
    pytest.param(
        {"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]}, "non-empty", id="an empty block"
    ),
    pytest.param(
        {"messages": [{"role": "user", "content": [{"type": "song"}]}]}, "Input tag 'song'", id="an unknown block"
    ),
    pytest.param({"messages": [{"role": "assistant", "content": "x"}]}, '"user" role', id="the assistant first"),
    pytest.param(
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        "does not support assistant message prefill",
        id="prefill",
    ),
    pytest.param({"temperature": 0.5}, "sampling parameters", id="temperature on a new model"),
    pytest.param({"frobnicate": 1}, "frobnicate: Extra inputs are not permitted", id="an unknown field"),
    pytest.param({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "use 'adaptive'", id="a thinking budget"),
    pytest.param({"thinking": {"type": "deep"}}, "Input tag 'deep'", id="an unknown way to think"),
    pytest.param({"tool_choice": {"type": "any"}}, "Tools must be provided", id="a tool out of none"),
    pytest.param({"stop_sequences": [" "]}, "non-whitespace", id="a blank stop sequence"),
    pytest.param({"stream": "yes"}, "stream: Input should be a valid boolean", id="stream is text"),
    pytest.param({"max_tokens": 0, "stream": True}, "max_tokens: 0", id="prewarming as a stream"),
    pytest.param(
        {"max_tokens": 0, "tools": [{"name": "t"}], "tool_choice": {"type": "any"}}, "max_tokens: 0", id="0 and a tool"
    ),
    pytest.param(
        {"max_tokens": 0, "output_config": {"format": {"type": "json_schema"}}}, "max_tokens: 0", id="0 and a format"
    ),
    pytest.param(
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 0,
            "thinking": {"type": "enabled", "budget_tokens": 2000},
        },
        "max_tokens: 0",
        id="0 and thoughts",
    ),
    pytest.param(
        {"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}, "always thinks", id="not thinking on Opus 5.5"
    ),
    pytest.param(
        {"messages": [{"role": "user", "content": "x" * 900_000}], "model": "claude-haiku-4-5"},
        "prompt is too long",
        id="more than the window",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD)
async def test_a_wrong_request_is_refused_in_the_apis_words(client, change, message):
    """A request that the API would not take is a 400 that names the field."""
    async with client.post("/v1/messages", json=HELLO | change) as response:
        body = await response.json()

    assert response.status == 400
    assert body["error"]["type"] == "invalid_request_error"
    assert message in body["error"]["message"]


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
async def test_a_missing_field_is_named(client, missing):
    """What is required and not there is named."""
    body = {name: value for name, value in HELLO.items() if name != missing}

    async with client.post("/v1/messages", json=body) as response:
        assert (await response.json())["error"]["message"] == f"{missing}: Field required"


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(client, raw):
    """Whatever is not a JSON object is an invalid request, never a crash."""
    async with client.post("/v1/messages", data=raw) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("version", "change", "status"),
    [
        pytest.param("2023-06-01", {"temperature": 0.5}, 200, id="temperature was fine"),
        pytest.param("2026-10-21", {"temperature": 0.5}, 400, id="temperature is no more"),
        pytest.param("2026-10-21", {"top_p": 1}, 400, id="nor is the default of top_p"),
        pytest.param("2023-06-01", {"temperature": 1.5}, 400, id="there was a range"),
        pytest.param(
            "2026-10-21",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "citations": [{}]}]}]},
            400,
            id="citations on a user's text",
        ),
        pytest.param(
            "2026-10-21",
            {
                "messages": [
                    {"role": "user", "content": "x"},
                    {"role": "assistant", "content": [{"type": "document"}]},
                    {"role": "user", "content": "y"},
                ]
            },
            400,
            id="a document of the assistant",
        ),
        pytest.param(
            "2023-06-01",
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            200,
            id="an old model takes prefill",
        ),
        pytest.param("2023-06-01", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, 400, id="budget > max"),
        pytest.param(
            "2023-06-01", {"thinking": {"type": "enabled", "budget_tokens": 1}}, 400, id="a budget of nearly nothing"
        ),
        pytest.param("2023-06-01", {"thinking": {"type": "adaptive"}}, 400, id="adaptive came later"),
    ],
)
async def test_the_version_decides_what_is_permitted(client, version, change, status):
    """Sampling parameters and two kinds of blocks ended with 2026-10-21."""
    body = HELLO | {"model": "claude-haiku-4-5"} | change

    async with client.post("/v1/messages", json=body, headers={"anthropic-version": version}) as response:
        assert response.status == status, await response.text()


@pytest.mark.parametrize("model", ["claude-9", "claude-opus-4-20250514"])
async def test_an_unknown_or_retired_model_is_not_found(client, model):
    """A model that is not there, or not any more, is a 404 that names it."""
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        body = {"model": model, "messages": HELLO["messages"]}
        async with client.post(path, json=body | ({"max_tokens": 1} if path == "/v1/messages" else {})) as response:
            assert response.status == 404
            error = (await response.json())["error"]
            assert error == {"type": "not_found_error", "message": f"model: {model}"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/messages", 405), ("POST", "/v1/models", 405), ("GET", "/v2", 404), ("GET", "/", 404)],
)
async def test_other_paths_and_methods_are_refused_as_json(client, method, path, status):
    """What the API does not have is refused in its own form."""
    async with client.request(method, path) as response:
        assert response.status == status
        assert (await response.json())["type"] == "error"


async def test_a_body_over_the_limit_is_refused_in_front_of_the_api():
    """A 413 carries neither organization nor limits nor a request id."""
    simulator = Simulator(max_body=1000)

    wire = Wire()
    wire.serve("claude.test", application(simulator))
    async with (
        aiohttp.ClientSession(connector=wire.connector()) as session,
        session.post("http://claude.test/v1/messages", data=b"x" * 2000, headers={"x-api-key": KEY}) as response,
    ):
        body = await response.json()

    assert response.status == 413
    assert body["error"]["type"] == "request_too_large"
    assert not [name for name in response.headers if name.startswith("anthropic") or name == "request-id"]
    await wire.close()


async def test_prewarming_reads_and_says_nothing(client):
    """`max_tokens: 0` answers an empty message that bills no output."""
    async with client.post("/v1/messages", json=HELLO | {"max_tokens": 0}) as response:
        body = await response.json()

    assert (body["content"], body["stop_reason"]) == ([], "max_tokens")
    assert body["usage"]["output_tokens"] == 0
    assert body["usage"]["input_tokens"] > 0


async def test_the_same_question_gets_the_same_answer(client):
    """The text follows from model and messages alone; the stream says what the message says."""
    texts = []
    for _ in range(2):
        async with client.post("/v1/messages", json=HELLO) as response:
            texts.append((await response.json())["content"][0]["text"])
    async with client.post("/v1/messages", json=STREAM) as response:
        found = await events(response)
    texts.append("".join(e["delta"]["text"] for _, e in found if e["type"] == "content_block_delta"))

    assert len(set(texts)) == 1
    assert len(texts[0].split()) == 16


async def test_a_stream_has_the_apis_order(client):
    """message_start, the block with a ping, message_delta with the cumulative count, message_stop."""
    async with client.post("/v1/messages", json=STREAM | {"max_tokens": 6}) as response:
        found = await events(response)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert kinds(found) == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    start, end = found[0][1]["message"], found[-2][1]
    assert (start["stop_reason"], start["content"], start["usage"]["output_tokens"]) == (None, [], 1)
    assert (end["delta"]["stop_reason"], end["usage"]["output_tokens"]) == ("max_tokens", 6)


async def test_a_stream_takes_the_time_that_it_says(client):
    """First event after the first token's time, then as many tokens per second as configured."""
    begun = now()

    async with client.post("/v1/messages", json=STREAM | {"max_tokens": 6}) as response:
        headers_at = now() - begun
        found = await events(response)

    assert headers_at == pytest.approx(0.1)
    times = [at - begun for at, event in found if event["type"] == "content_block_delta"]
    assert times == pytest.approx([1.1 + 0.3, 1.1 + 0.6])


async def test_a_model_that_always_thinks_may_end_without_a_word(client):
    """One token is spent on thoughts: a healthy message without text."""
    body = HELLO | {"model": "claude-opus-5-5", "max_tokens": 1}

    async with client.post("/v1/messages", json=body) as response:
        message = await response.json()
    async with client.post("/v1/messages", json=body | {"stream": True}) as response:
        found = await events(response)

    assert response.status == 200
    assert message["stop_reason"] == "max_tokens"
    assert [block["type"] for block in message["content"]] == ["thinking"]
    assert message["usage"]["output_tokens_details"] == {"thinking_tokens": 1}
    deltas = [event["delta"]["type"] for _, event in found if event["type"] == "content_block_delta"]
    assert deltas == ["signature_delta"]
    assert kinds(found)[-1] == "message_stop"


async def test_silent_thoughts_are_kept_alive_by_pings(simulator, client):
    """While a model thinks for longer than the ping interval, pings come and nothing else."""
    slow = Fault(FaultKind.SLOW, factor=10)
    simulator.faults = (slow,)

    async with client.post("/v1/messages", json=STREAM | {"model": "claude-opus-5-5", "max_tokens": 400}) as response:
        found = await events(response)

    first = next(i for i, (_, event) in enumerate(found) if event["type"] == "content_block_delta")
    assert kinds(found)[2:first] == ["ping"] * (first - 2)
    assert first > 4
    assert found[first][1]["delta"]["type"] == "signature_delta"
    assert kinds(found).count("content_block_start") == 2


async def test_asked_to_show_its_thoughts_a_model_streams_them(client):
    """`display: summarized` brings thinking deltas before the signature."""
    body = STREAM | {"model": "claude-sonnet-5-5", "max_tokens": 400, "thinking": {"type": "adaptive"}}

    async with client.post("/v1/messages", json=body) as response:
        found = await events(response)

    deltas = [event["delta"]["type"] for _, event in found if event["type"] == "content_block_delta"]
    assert deltas[0] == "thinking_delta"
    assert deltas.count("signature_delta") == 1
    assert deltas[-1] == "text_delta"
    usage = found[-2][1]["usage"]
    assert 0 < usage["output_tokens_details"]["thinking_tokens"] < usage["output_tokens"]


async def test_a_tool_call_comes_one_key_at_a_time(client):
    """A forced tool is called with a value for each property, which the pieces put together."""
    tool = {
        "name": "weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    }
    body = STREAM | {"tools": [tool], "tool_choice": {"type": "tool", "name": "weather"}}

    async with client.post("/v1/messages", json=body) as response:
        found = await events(response)

    pieces = [e["delta"]["partial_json"] for _, e in found if e["type"] == "content_block_delta"]
    assert json.loads("".join(pieces)).keys() == {"city", "days"}
    assert found[-2][1]["delta"]["stop_reason"] == "tool_use"


async def test_a_stop_sequence_ends_the_text(client):
    """The text ends before the sequence, which is named."""
    async with client.post("/v1/messages", json=HELLO) as response:
        words = (await response.json())["content"][0]["text"].split()

    async with client.post("/v1/messages", json=HELLO | {"stop_sequences": [f" {words[5]}"]}) as response:
        body = await response.json()

    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", f" {words[5]}")
    assert len(body["content"][0]["text"].split()) <= 5


async def test_the_prompt_cache_is_written_once_and_read_until_it_expires(client):
    """A marked prefix is written, then read, then written again after five minutes without use."""
    system = [{"type": "text", "text": "All work. " * 1000, "cache_control": {"type": "ephemeral"}}]

    async def usage() -> tuple[int, int]:
        async with client.post("/v1/messages", json=HELLO | {"system": system, "max_tokens": 0}) as response:
            found = (await response.json())["usage"]
        total = found["input_tokens"] + found["cache_creation_input_tokens"] + found["cache_read_input_tokens"]
        assert total > 3000
        assert found["input_tokens"] < 20
        assert found["cache_creation"]["ephemeral_5m_input_tokens"] == found["cache_creation_input_tokens"]
        return found["cache_creation_input_tokens"] > 0, found["cache_read_input_tokens"] > 0

    assert await usage() == (True, False)
    await asyncio.sleep(200)
    assert await usage() == (False, True)
    await asyncio.sleep(200)
    assert await usage() == (False, True)
    await asyncio.sleep(301)
    assert await usage() == (True, False)


async def test_limits_are_refused_with_the_seconds_to_wait_and_refill():
    """When a limit is used up the API says which and for how long; after that it answers again."""
    wire = Wire()
    wire.serve("claude.test", application(Simulator(limits=Limits(requests=6), keys=None)))
    headers = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
    async with aiohttp.ClientSession("http://claude.test", connector=wire.connector(), headers=headers) as session:

        async def ask(model: str = "claude-haiku-5-5") -> aiohttp.ClientResponse:
            async with session.post("/v1/messages", json=HELLO | {"max_tokens": 0, "model": model}) as response:
                await response.read()
            return response

        statuses = [(await ask()).status for _ in range(7)]
        refused = await ask()
        other = await ask("claude-sonnet-5-5")
        await asyncio.sleep(int(refused.headers["retry-after"]))
        after = await ask()

    assert statuses == [200] * 6 + [429]
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert refused.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert other.status == 200
    assert after.status == 200
    await wire.close()


@pytest.mark.parametrize(
    ("change", "key", "families"),
    [
        pytest.param({}, KEY, {"requests", "input-tokens", "output-tokens", "tokens"}, id="a key"),
        pytest.param({"speed": "fast"}, KEY, {"fast-input-tokens", "fast-output-tokens"}, id="fast mode"),
        pytest.param({}, "sk-ant-oat01-x", {"unified-5h", "unified-7d"}, id="a subscription"),
    ],
)
async def test_every_success_says_what_is_left(simulator, client, change, key, families):
    """The families of rate-limit headers come with successes, before a stream's body."""
    simulator.keys = frozenset({KEY, "sk-ant-oat01-x"})

    async with client.post("/v1/messages", json=STREAM | change, headers={"x-api-key": key}) as response:
        names = {name.lower() for name in response.headers}

    for family in families:
        prefix = "anthropic-" if family.startswith("fast") else "anthropic-ratelimit-"
        ends = ("utilization", "reset") if family.startswith("unified") else ("limit", "remaining", "reset")
        assert {f"{prefix}{family}-{end}" for end in ends} <= names
    assert ("anthropic-ratelimit-tokens-limit" in names) is not key.startswith("sk-ant-oat")


async def test_counting_tokens_is_free_and_apart(simulator, client):
    """count_tokens answers a number, refuses what it does not know, and touches no limit of messages."""
    body = {"model": "claude-haiku-5-5", "messages": HELLO["messages"]}

    async with client.post("/v1/messages/count_tokens", json=body) as response:
        assert list(await response.json()) == ["input_tokens"]
        assert response.headers["anthropic-ratelimit-requests-limit"] == "2000"
    async with client.post("/v1/messages/count_tokens", json=body | {"max_tokens": 5}) as response:
        assert response.status == 400

    assert simulator.pool(simulator.by_name["claude-haiku-5-5"]).requests.remaining(simulator.now()) == 1000


async def test_models_come_in_pages(client):
    """A page names its first and last id and whether more follow; retired models only when asked for."""
    seen, after, pages = [], None, 0
    while True:
        query = {"limit": "7"} | ({"after_id": after} if after else {})
        async with client.get("/v1/models", params=query) as response:
            page = await response.json()
        seen += [model["id"] for model in page["data"]]
        after, pages = page["last_id"], pages + 1
        if not page["has_more"]:
            break
    async with client.get("/v1/models", params={"lifecycle[]": "retired"}) as response:
        retired = [model["id"] for model in (await response.json())["data"]]
    async with client.get("/v1/models", params={"before_id": seen[5], "limit": "2"}) as response:
        before = await response.json()

    assert pages == 3
    assert len(seen) == len(set(seen)) == 18
    assert retired == ["claude-opus-4-20250514"]
    assert [model["id"] for model in before["data"]] == seen[3:5]
    assert before["has_more"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("after_id=nope", "after_id"),
        ("lifecycle=old", "lifecycle"),
    ],
)
async def test_a_wrong_page_is_refused(client, query, message):
    """Limits and cursors that cannot be are invalid requests."""
    async with client.get(f"/v1/models?{query}") as response:
        assert response.status == 400
        assert message in (await response.json())["error"]["message"]


async def test_a_model_is_found_by_its_alias(client):
    """An alias leads to the dated model; a wrong one to a 404."""
    async with client.get("/v1/models/claude-sonnet-4-5") as response:
        found = await response.json()
    async with client.get("/v1/models/claude-sonnet-9") as response:
        assert response.status == 404

    assert found["id"] == "claude-sonnet-4-5-20250929"
    assert (found["lifecycle"], found["retires_at"]) == ("deprecated", "2026-11-30T00:00:00Z")


async def test_faults_follow_the_timeline(simulator, client):
    """A fault put up now begins and ends when it says, and strikes only its models."""
    simulator.faults = (Fault(FaultKind.OVERLOADED, 10, 20, "claude-haiku-*"),)

    async def ask(model: str) -> int:
        async with client.post("/v1/messages", json=HELLO | {"model": model, "max_tokens": 0}) as response:
            return int(response.status)

    begun = now()
    statuses = {}
    for at in (1.0, 12.0, 25.0):
        await asyncio.sleep(begun + at - now())
        statuses[at] = (await ask("claude-haiku-5-5"), await ask("claude-opus-5-5"))

    assert statuses == {1.0: (200, 200), 12.0: (529, 200), 25.0: (200, 200)}


async def test_faults_are_changed_over_http(simulator, client):
    """PUT puts up a new timeline from now on; GET shows it; a wrong one changes nothing."""
    await asyncio.sleep(100)
    async with client.put("/simulator/faults", json={"faults": ["overloaded@0s-30s"]}) as response:
        assert (await response.json())["active"] == ["overloaded@0s-30s"]
    async with client.put("/simulator/faults", json={"faults": ["explode"]}) as response:
        assert response.status == 400
    await asyncio.sleep(31)
    async with client.get("/simulator/faults") as response:
        assert await response.json() == {"faults": ["overloaded@0s-30s"], "active": []}


async def test_faults_over_http_must_be_enabled():
    """A simulator that nobody may change has no such path."""
    wire = Wire()
    wire.serve("claude.test", application(Simulator()))
    async with (
        aiohttp.ClientSession(connector=wire.connector()) as session,
        session.put("http://claude.test/simulator/faults", json={"faults": []}) as response,
    ):
        assert response.status == 404
    await wire.close()


async def test_chance_repeats_with_its_seed():
    """Two simulators with one seed fail at the same requests."""
    wire = Wire()
    outcomes = []
    for name in ("one", "two"):
        wire.serve(name, application(Simulator(faults=(Fault(FaultKind.OVERLOADED, probability=0.5),), seed=7)))
        headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
        async with aiohttp.ClientSession(f"http://{name}", connector=wire.connector(), headers=headers) as session:
            found = []
            for _ in range(20):
                async with session.post("/v1/messages", json=HELLO) as response:
                    found.append((response.status, response.headers["request-id"]))
        outcomes.append(found)
    await wire.close()

    assert outcomes[0] == outcomes[1]
    assert {status for status, _ in outcomes[0]} == {200, 529}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param("overloaded", (529, "overloaded_error", None, None), id="overloaded"),
        pytest.param("overloaded,retry_after=9", (529, "overloaded_error", None, "9"), id="overloaded with a hint"),
        pytest.param("throttled", (429, "rate_limit_error", None, "15"), id="throttled"),
        pytest.param("ramp_limit", (429, "rate_limit_error", "ramp_limit_exceeded", "30"), id="ramp limit"),
        pytest.param("spend_cap", (429, "rate_limit_error", "enforced_spend_limit_reached", None), id="spend cap"),
        pytest.param(
            "spend_cap,error_code=contract_spend_limit_reached",
            (429, "rate_limit_error", "contract_spend_limit_reached", None),
            id="contract",
        ),
        pytest.param("self_limit", (400, "invalid_request_error", None, None), id="a limit of one's own"),
        pytest.param("credit", (400, "invalid_request_error", None, None), id="credit"),
        pytest.param("billing", (402, "billing_error", None, None), id="billing"),
        pytest.param("on_hold", (400, "invalid_request_error", "organization_on_hold", None), id="on hold"),
        pytest.param("auth", (401, "authentication_error", None, None), id="auth"),
        pytest.param("permission", (403, "permission_error", None, None), id="permission"),
        pytest.param("not_found", (404, "not_found_error", None, None), id="not found"),
        pytest.param("too_large", (413, "request_too_large", None, None), id="too large"),
        pytest.param("server_error", (500, "api_error", None, None), id="server error"),
        pytest.param("unavailable", (503, "api_error", None, None), id="unavailable"),
        pytest.param(
            "unavailable,error_code=cmek_key_unreachable",
            (503, "api_error", "cmek_key_unreachable", None),
            id="key store",
        ),
        pytest.param("gateway_timeout", (504, "timeout_error", None, None), id="gateway timeout"),
    ],
)
async def test_faults_answer_in_the_apis_words(simulator, client, fault, words):
    """Each error has its status, type, code and hint."""
    simulator.faults = (Fault.parse(fault),)

    async with client.post("/v1/messages", json=STREAM) as response:
        body = await response.json()

    error = body["error"]
    code = error.get("details", {}).get("error_code")
    assert (response.status, error["type"], code, response.headers.get("retry-after")) == words
    assert body.get("request_id") == response.headers.get("request-id")


async def test_a_throttle_shows_in_the_headers(simulator, client):
    """The family that is used up has nothing left until the time to wait is over."""
    simulator.faults = (Fault(FaultKind.THROTTLED, limit="output-tokens", retry_after=30),)

    async with client.post("/v1/messages", json=HELLO) as response:
        await response.read()

    assert response.headers["anthropic-ratelimit-output-tokens-remaining"] == "0"
    assert response.headers["anthropic-ratelimit-input-tokens-remaining"] != "0"


@pytest.mark.parametrize(
    ("fault", "status"), [pytest.param("bad_gateway", 502, id="502"), pytest.param("not_json", 200, id="a portal")]
)
async def test_something_in_front_answers_with_a_page(simulator, client, fault, status):
    """The page is HTML and carries nothing of the API."""
    simulator.faults = (Fault.parse(fault),)

    async with client.post("/v1/messages", json=HELLO) as response:
        text = await response.text()

    assert response.status == status
    assert response.content_type == "text/html"
    assert "<html" in text
    assert "request-id" not in response.headers


async def test_a_reset_breaks_the_connection(simulator, client):
    """Before the answer, or in the middle of a stream."""
    simulator.faults = (Fault(FaultKind.RESET),)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post("/v1/messages", json=HELLO)

    simulator.faults = (Fault(FaultKind.RESET, after=2),)
    with pytest.raises(aiohttp.ClientError):
        async with client.post("/v1/messages", json=STREAM) as response:
            assert response.status == 200
            await events(response)
    assert [exchange.status for exchange in simulator.exchanges] == [0, 0]


async def test_a_hang_never_answers(simulator, client):
    """Whoever waits is let down only by himself; the simulator notices that he has gone."""
    simulator.faults = (Fault(FaultKind.HANG),)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await client.get("/api/hello")

    await asyncio.sleep(2)
    assert simulator.exchanges[-1].status == 0


async def test_a_stall_sends_not_a_byte_more(simulator, client):
    """After some deltas nothing comes, not even a ping, and the connection stays open."""
    simulator.faults = (Fault(FaultKind.STALL, after=2),)
    found = []

    async with client.post("/v1/messages", json=STREAM) as response:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                async for line in response.content:
                    found.append(line)

    text = b"".join(found).decode()
    assert text.count("content_block_delta") == 4  # event and data of two
    assert text.endswith("\n\n")


async def test_pings_alone_keep_a_stream_open(simulator, client):
    """A stream of pings has bytes and no content."""
    simulator.faults = (Fault(FaultKind.PING_ONLY, every=5),)
    found = []

    async with client.post("/v1/messages", json=STREAM) as response:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(61):
                async for line in response.content:
                    found.append(line)

    assert found.count(b"event: ping\n") == 12
    assert b"event: content_block_delta\n" not in found


async def test_a_truncated_stream_ends_before_its_end(simulator, client):
    """The answer ends properly as far as HTTP goes, without message_stop and without an error."""
    simulator.faults = (Fault(FaultKind.TRUNCATE),)

    async with client.post("/v1/messages", json=STREAM) as response:
        found = await events(response)

    assert kinds(found)[-1] == "content_block_delta"
    assert kinds(found).count("content_block_delta") == 3


async def test_an_error_comes_in_a_stream_that_began_well(simulator, client):
    """The status stays 200; the error is an event, and the last one."""
    simulator.faults = (Fault(FaultKind.STREAM_ERROR, after=1),)

    async with client.post("/v1/messages", json=STREAM) as response:
        found = await events(response)

    assert response.status == 200
    assert found[-1][1] == {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert kinds(found).count("content_block_delta") == 1


async def test_a_buffered_stream_comes_in_one_burst(simulator, client):
    """All events arrive at one time, when the last one would have."""
    simulator.faults = (Fault(FaultKind.BUFFERED),)
    begun = now()

    async with client.post("/v1/messages", json=STREAM | {"max_tokens": 6}) as response:
        found = await events(response)

    assert {round(at - begun, 6) for at, _ in found} == {1.7}
    assert kinds(found)[-1] == "message_stop"


async def test_slow_makes_everything_take_longer(simulator, client):
    """First token and tokens per second suffer by the factor; several factors multiply."""
    simulator.faults = (Fault(FaultKind.SLOW, factor=3), Fault(FaultKind.SLOW, factor=2))
    begun = now()

    async with client.post("/v1/messages", json=HELLO | {"max_tokens": 10}) as response:
        await response.read()

    assert now() - begun == pytest.approx(6 * (1.0 + 1.0))


async def test_a_refusal_is_a_healthy_answer(simulator, client):
    """Declining is a stop reason of a 200, at once and as a stream."""
    simulator.faults = (Fault(FaultKind.REFUSAL),)

    async with client.post("/v1/messages", json=HELLO) as response:
        body = await response.json()
    async with client.post("/v1/messages", json=STREAM) as response:
        found = await events(response)

    assert (response.status, body["stop_reason"], body["stop_details"]["category"]) == (200, "refusal", "cyber")
    assert kinds(found) == ["message_start", "message_delta", "message_stop"]
    assert found[1][1]["delta"]["stop_reason"] == "refusal"


@pytest.mark.parametrize("kind", ["stall", "truncate"])
async def test_a_message_that_is_no_stream_breaks_off_in_its_middle(simulator, client, kind):
    """Half of the body comes; then nothing more, or the end of the connection."""
    simulator.faults = (Fault.parse(kind),)

    with pytest.raises(TimeoutError if kind == "stall" else aiohttp.ClientError):
        async with asyncio.timeout(100), client.post("/v1/messages", json=HELLO) as response:
            await response.read()


async def test_exchanges_are_remembered(simulator, client):
    """A test can ask afterwards what was asked and how it was answered."""
    simulator.faults = (Fault(FaultKind.OVERLOADED),)
    async with client.post("/v1/messages", json=HELLO, headers={"x-stainless-retry-count": "2"}) as response:
        request_id = response.headers["request-id"]

    (found,) = simulator.exchanges
    assert (found.method, found.path, found.status, found.model) == ("POST", "/v1/messages", 529, "claude-haiku-5-5")
    assert (found.version, found.key_header, found.attempt) == ("2023-06-01", "x-api-key", 2)
    assert (found.request_id, found.faults) == (request_id, ("overloaded",))


async def test_a_client_may_leave_in_the_middle(simulator, client, caplog):
    """Whoever closes the connection during a stream disturbs nobody, and nothing is logged about it."""
    async with client.post("/v1/messages", json=STREAM) as response:
        await response.content.readline()
    await asyncio.sleep(30)

    assert simulator.exchanges[-1].status == 0
    assert not caplog.records
    async with client.get("/api/hello") as response:
        assert response.status == 200

"""The check claude.stream, against bytes written by hand."""

import json
from typing import Any

import pytest

from sidecar.checks.claude.stream import ClaudeStreamCheck
from sidecar.model.families import (
    CLAUDE_COST,
    CLAUDE_DURATION,
    CLAUDE_FIRST_TOKEN,
    CLAUDE_REQUESTS,
    CLAUDE_STOP_REASONS,
    CLAUDE_STREAM_GAP,
    CLAUDE_TOKENS,
    CLAUDE_TOKENS_PER_SECOND,
    PROBE_PHASE,
)
from tests.checks.claude_wire import (
    BLOCK,
    END,
    GOOD,
    MESSAGE,
    OVERLOADED,
    PING,
    START,
    STOP,
    STREAM_HEAD,
    TEXT,
    chunk,
    error,
    event,
    json_answer,
    stream,
)
from tests.checks.script import HANG, RESET, Peer, Step, answer, probe

API = "api.anthropic.com"
OWN = {"model": "claude-haiku-5-5", "source": "probe"}


def check(**settings: Any) -> ClaudeStreamCheck:
    return ClaudeStreamCheck.model_validate({"name": "claude", "api_key": "sk-ant-canary-0123456789", **settings})


async def test_a_whole_stream(wire):
    """A stream that ends well gives first token, speed, longest gap, tokens, cost and stop reason."""
    peer = Peer([1.0, *GOOD])
    wire.raw(API, peer)

    probed = await probe(check(), wire)

    assert probed.result.ok
    assert json.loads(peer.request.partition("\r\n\r\n")[2])["stream"] is True
    assert "accept-encoding: identity" in peer.request.lower()
    assert probed.values(CLAUDE_REQUESTS) == [({**OWN, "outcome": "ok"}, 1)]
    assert probed.values(CLAUDE_FIRST_TOKEN) == [(OWN, 2.0)]
    assert probed.values(CLAUDE_TOKENS_PER_SECOND) == [(OWN, 5.0)]
    assert probed.values(CLAUDE_STREAM_GAP) == [(OWN, 6.0)]
    assert probed.values(CLAUDE_DURATION) == [(OWN, 10.0)]
    tokens = {labels["token_type"]: value for labels, value in probed.values(CLAUDE_TOKENS)}
    assert tokens == {"input": 20, "output": 41}
    assert probed.value(CLAUDE_COST) == pytest.approx((20 * 0.10 + 41 * 0.50) / 1e6)
    assert probed.values(CLAUDE_STOP_REASONS) == [({**OWN, "stop_reason": "end_turn"}, 1)]
    phases = {labels["phase"]: value for labels, value in probed.values(PROBE_PHASE)}
    assert phases == {"resolve": 0, "connect": 0, "first_byte": 1.0, "first_token": 2.0, "transfer": 8.0}
    assert "buffered" not in probed.notes


async def test_however_the_bytes_are_cut(wire):
    """A stream that arrives byte by byte is the same stream."""
    body = b"".join(step for step in GOOD if isinstance(step, bytes))
    wire.raw(API, Peer([body[i : i + 1] for i in range(len(body))]))

    assert (await probe(check(), wire)).result.ok


@pytest.mark.parametrize(
    ("steps", "error_type", "outcome"),
    [
        pytest.param(stream(START, TEXT, OVERLOADED), "overloaded", "failed", id="overloaded after the 200"),
        pytest.param(
            stream(START, event("error", error={"type": "novel"})), "stream_error", "failed", id="a new error"
        ),
        pytest.param(stream(START, BLOCK, TEXT), "truncated", "failed", id="no end"),
        pytest.param([STREAM_HEAD, START, TEXT], "truncated", "failed", id="cut off within the body"),
        pytest.param([STREAM_HEAD, START, TEXT, RESET], "truncated", "failed", id="reset within the body"),
        pytest.param(stream(), "truncated", "failed", id="no event at all"),
        pytest.param(stream(chunk(b"data: [DONE]\n\n")), "truncated", "failed", id="another API's stream"),
        pytest.param(stream(chunk(bytes(range(256)) * 9)), "truncated", "failed", id="binary"),
        pytest.param([STREAM_HEAD, chunk(b"x" * 2_000_000), HANG], "stream_error", "failed", id="an endless line"),
        pytest.param(
            [STREAM_HEAD, *[chunk(b": x\n" * 250_000)] * 9, HANG], "stream_error", "failed", id="endless comments"
        ),
        pytest.param([STREAM_HEAD, HANG], "stalled", "failed", id="silent after the headers"),
        pytest.param([STREAM_HEAD, START, TEXT, HANG], "stalled", "failed", id="silent after some content"),
        pytest.param([STREAM_HEAD, START, *[PING, 10.0] * 9], "ping_only", "failed", id="pings until the end"),
        pytest.param([STREAM_HEAD, START, *[TEXT, 10.0] * 9], "timeout", "failed", id="content that takes too long"),
        pytest.param([HANG], "timeout", "failed", id="no answer"),
        pytest.param([25.0, *GOOD], "timeout", "failed", id="a late answer"),
        pytest.param([error(529, "overloaded_error", "x")], "overloaded", "failed", id="overloaded before the stream"),
        pytest.param([error(401, "authentication_error", "x")], "auth", "refused", id="a bad key"),
        pytest.param([json_answer(200, MESSAGE)], "stream_error", "failed", id="a message instead of a stream"),
        pytest.param([STREAM_HEAD, START, TEXT, 1.0, b"zz\r\n", HANG], "truncated", "failed", id="noise in the body"),
        pytest.param([answer(200, b"<html>", "Content-Type: text/html")], "not_json", "failed", id="a page"),
    ],
)
async def test_each_failure_has_its_word(wire, steps, error_type, outcome):
    """Whatever goes wrong after the 200 is told apart, though the status says that all is well."""
    wire.raw(API, Peer(steps))

    probed = await probe(check(), wire)

    assert probed.error_type == error_type, probed.message
    assert probed.values(CLAUDE_REQUESTS) == [({**OWN, "outcome": outcome, "error_type": error_type}, 1)]
    assert probed.values(CLAUDE_DURATION) == []


async def test_a_whole_message_is_no_stream_and_yet_paid_for(wire):
    """A gateway that does not pass `stream` on is named, and what its answer cost is counted."""
    wire.raw(API, Peer([json_answer(200, MESSAGE)]))

    probed = await probe(check(), wire)

    assert probed.message == "got a whole message, expected a stream of events"
    assert probed.notes["fault"] == "gateway"
    assert {labels["token_type"]: value for labels, value in probed.values(CLAUDE_TOKENS)} == {"input": 20, "output": 1}


async def test_an_error_in_the_stream_that_repeats_the_key(wire):
    """The key is taken out of an error's words before they are cut, so that no half of it is shown."""
    key = "key-of-the-gateway-with-canary-0123456789"
    said = event("error", error={"type": "api_error", "message": "x" * 200 + f" the key {key}"})
    wire.raw(API, Peer(stream(START, said)))

    probed = await probe(check(api_key=key), wire)

    assert "key-of-the" not in probed.message + str(probed.notes)


@pytest.mark.parametrize(
    ("settings", "steps", "seconds", "message"),
    [
        pytest.param(
            {}, [STREAM_HEAD, START, TEXT, HANG], 20.0,
            "the stream sent no byte for 20s, after 2 events (0 pings) and 1 pieces of content", id="stalled",
        ),
        pytest.param(
            {"stall_after": "1500ms"}, [STREAM_HEAD, START, 1.0, PING, HANG], 2.5,
            "the stream sent no byte for 1s500ms, after 2 events (1 pings) and 0 pieces of content", id="by setting",
        ),
        pytest.param(
            {"content_after": "12s"}, [STREAM_HEAD, START, *[PING, 5.0] * 9], 12.0,
            "the stream is alive, but brought no content within 12s: 3 pings", id="pings",
        ),
        pytest.param(
            {"content_after": "12s"}, [STREAM_HEAD, START, 3.0, TEXT, *[PING, 5.0] * 9], 15.0,
            "the stream is alive, but brought no more content within 12s: 3 pings", id="pings after some content",
        ),
        pytest.param(
            {"content_after": "12s"}, [14.0, STREAM_HEAD, START, HANG], 14.0,
            "the stream brought no content within 14s, after 0 events (0 pings) and 0 pieces of content", id="late",
        ),
        pytest.param(
            {"content_after": "2500ms"}, [STREAM_HEAD, START, *[TEXT, 2.0] * 4, END, 4.0, PING, HANG], 29.9,
            "the stream had not ended within 30s, after 7 events (1 pings) and 4 pieces of content", id="at its end",
        ),
        pytest.param(
            {}, [STREAM_HEAD, START, *[PING, 5.0] * 9], 29.9,
            "the stream is alive, but brought no content within 30s: 6 pings", id="pings until the timeout",
        ),
        pytest.param(
            {"timeout": "5s"}, [STREAM_HEAD, START, *[TEXT, 2.0] * 9], 4.9,
            "the stream had not ended within 5s, after 4 events (0 pings) and 3 pieces of content", id="too long",
        ),
    ],
)  # fmt: skip
async def test_when_waiting_ends(wire, settings, steps, seconds, message):
    """A stream that dawdles is given up when its own bound says so, and says what had come by then."""
    wire.raw(API, Peer(steps))

    probed = await probe(check(**settings), wire)

    assert probed.message == message
    assert probed.result.duration == pytest.approx(seconds)


async def test_comments_keep_a_stream_alive(wire):
    """Bytes are bytes: a gateway that pings by comments has not stalled."""
    comments: list[Step] = [chunk(b": keep\n\n"), 15.0]
    wire.raw(API, Peer(stream(START, *comments, TEXT, END, STOP)))

    assert (await probe(check(), wire)).result.ok


async def test_a_broken_stream_is_paid_for(wire):
    """What a stream had consumed when it broke is counted, and its first token was as quick as it was."""
    wire.raw(API, Peer(stream(0.5, START, TEXT, 3.0, OVERLOADED)))

    probed = await probe(check(), wire)

    assert probed.error_type == "overloaded"
    assert {labels["token_type"]: value for labels, value in probed.values(CLAUDE_TOKENS)} == {"input": 20, "output": 1}
    assert probed.value(CLAUDE_FIRST_TOKEN) == 0.5
    assert probed.value(CLAUDE_STREAM_GAP) == 3.0
    assert probed.values(CLAUDE_TOKENS_PER_SECOND) == []
    assert probed.values(CLAUDE_STOP_REASONS) == []


async def test_the_silence_of_a_stalled_stream_is_its_gap(wire):
    """The longest gap of a stream that stalled is the one in which it was given up."""
    wire.raw(API, Peer([STREAM_HEAD, START, 2.0, TEXT, HANG]))

    assert (await probe(check(), wire)).value(CLAUDE_STREAM_GAP) == 20.0


async def test_an_end_is_an_end(wire):
    """A peer that keeps the connection open after message_stop keeps nobody waiting."""
    wire.raw(API, Peer([STREAM_HEAD, START, TEXT, END, STOP, HANG]))

    probed = await probe(check(), wire)

    assert probed.result.ok
    assert probed.result.duration == 0


async def test_something_that_holds_the_stream_back_is_noticed(wire):
    """When all content comes at once, the note says so; no speed is made up."""
    wire.raw(API, Peer(stream(3.0, START, BLOCK, *[TEXT] * 8, END, STOP)))

    probed = await probe(check(), wire)

    assert probed.result.ok
    assert "holds the stream back" in str(probed.notes["buffered"])
    assert probed.values(CLAUDE_TOKENS_PER_SECOND) == []


async def test_a_refusal_is_healthy(wire):
    """A stream without content that ends with a reason is well: that is a matter of the content."""
    refusal = event("message_delta", delta={"stop_reason": "refusal"}, usage={"output_tokens": 1})
    wire.raw(API, Peer(stream(START, PING, refusal, STOP)))

    probed = await probe(check(), wire)

    assert probed.result.ok
    assert probed.values(CLAUDE_FIRST_TOKEN) == []
    assert probed.values(CLAUDE_STOP_REASONS) == [({**OWN, "stop_reason": "refusal"}, 1)]


async def test_cut_off_after_its_end(wire):
    """A connection that breaks when all was said breaks nothing."""
    wire.raw(API, Peer([STREAM_HEAD + START + TEXT + END + STOP, RESET]))

    assert (await probe(check(), wire)).result.ok

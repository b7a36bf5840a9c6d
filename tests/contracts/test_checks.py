"""What every check promises, whoever wrote it."""

import asyncio
import functools
import json
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sidecar import plugins
from sidecar.checks import Check, CheckFailed
from sidecar.claude.errors import ErrorType
from sidecar.clock import SystemClock
from sidecar.model.labels import Labels
from sidecar.model.samples import Kind
from sidecar.outbound import Outbound
from sidecar.services.probing import Recording, probe_once
from sidecar.testing import VirtualTimeLoop, Wire
from tests.checks.script import HANG, RESET, Peer, Step

NAMES = plugins.names("sidecar.checks")
CANARY = "canary-6f1d0c-canary"
OWN_LABELS = {"check", "type", "target", "critical", "pod", "instance", "job", "le", "quantile", "window", "__name__"}


def cls(name: str) -> type[Check]:
    return plugins.find("sidecar.checks", name, Check)


@functools.cache
def described(name: str) -> dict[str, Any]:
    return cls(name).model_json_schema()


def given_settings(name: str) -> dict[str, Any]:
    """Settings of the type *name*, all at one host; a canary for each secret.

    The examples are those that the fields carry for whoever reads the schema, or the type as a whole.
    """
    schema = described(name)
    found: dict[str, Any] = {"type": name, "name": "probe", **schema.get("examples", [{}])[0]}
    properties = schema["properties"]
    for key, field in cls(name).model_fields.items():
        alias = field.alias or key
        of_field = json.dumps(properties[alias])
        example = str(field.examples[0]) if field.examples else ""
        if '"password"' in of_field:
            secret = example.replace("PASSWORD", CANARY) if "PASSWORD" in example else CANARY
            found[alias] = {"XTOKEN": CANARY} if 'additionalProperties": {' in of_field else secret
        elif "url" in key and example.partition(":")[0] in ("", "http", "https"):
            found[alias] = f"http://peer/path?key={CANARY}" if key == "url" else "http://peer"
        elif field.is_required() and alias not in found:
            found[alias] = field.examples[0] if field.examples else pytest.fail(f"{name}.{alias} has no example")
    return found


def built(name: str, **more: Any) -> Check:
    return cls(name).model_validate(given_settings(name) | more)


def over_http(name: str) -> bool:
    """Whether a check speaks HTTP, through the one door; others have real sockets, see test_sockets."""
    return built(name).target.startswith("http")


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return str(request.param)


WEB = [name for name in NAMES if over_http(name)]


@pytest.fixture(params=WEB)
def web(request) -> str:
    return str(request.param)


def test_there_are_checks():
    """The types are found by their modules' names; what begins with an underscore is none."""
    assert {"http", "claude.models", "claude.count_tokens", "claude.messages", "claude.stream"} <= set(NAMES)
    assert not any("_" in name.rpartition(".")[2][:1] for name in NAMES)


def test_the_module_is_the_type(name):
    """`type: a.b` is the module a/b, and says so in its settings."""
    assert typing.get_args(cls(name).model_fields["type"].annotation) == (name,)
    assert built(name).type == name


def test_every_setting_is_described(name):
    """Whoever reads the schema learns what each setting is for; a description is a sentence."""
    bare = [
        key
        for key, field in cls(name).model_fields.items()
        if key != "type" and not (field.description or "").endswith(".")
    ]

    assert not bare


def test_a_check_says_what_it_is(name):
    """The class has a docstring, which the reference is made of."""
    assert cls(name).__doc__ not in (None, Check.__doc__)


def test_settings_are_frozen_and_complete(name):
    """A check never changes, and a key that nobody knows is a mistake."""
    with pytest.raises(ValidationError):
        setattr(built(name), "name", "other")  # noqa: B010 -- mypy knows that this is wrong
    with pytest.raises(ValidationError, match="Extra inputs"):
        built(name, no_such_setting=1)


def test_settings_are_compared_by_value(name):
    """A reload that changes nothing keeps the check."""
    assert built(name) == built(name)
    assert built(name) != built(name, every="7m")


def test_no_print_of_a_check_shows_a_secret(name):
    """repr, dumps, the target and mistakes hide what is secret; a URL's query is not in the target."""
    check = built(name)
    secrets = {key for key, value in given_settings(name).items() if key != "url" and CANARY in str(value)}
    with pytest.raises(ValidationError) as failure:
        cls(name).model_validate({key: value for key, value in given_settings(name).items() if key != "url"} | {"a": 1})

    assert CANARY not in repr([getattr(check, key) for key in secrets])
    assert CANARY not in str(check.model_dump(include=secrets)) + check.model_dump_json(include=secrets)
    assert CANARY not in check.target
    assert CANARY not in "".join(str(error["msg"]) + str(error["loc"]) for error in failure.value.errors())


async def outcome(check: Check, wire: Wire) -> tuple[str, str, Recording]:
    """How a probe ends: a word, or nothing, and a message; what is no CheckFailed gets out."""
    outbound = Outbound(connector=wire.connector)
    ctx = Recording(SystemClock(monotonic=asyncio.get_running_loop().time), outbound)
    try:
        async with asyncio.timeout(check.timeout):
            await check.probe(ctx)
    except CheckFailed as exc:
        return exc.error_type, exc.message, ctx
    except TimeoutError:
        return "timeout", "the prober's own", ctx
    finally:
        await outbound.close()
    return "", "", ctx


def assert_in_order(word: str, message: str, ctx: Recording) -> None:
    """A failed probe has one of our words and a sentence; what was measured is legal, and nothing shows a secret."""
    assert word in {*ErrorType, ""} - {ErrorType.INTERNAL}
    assert bool(message) is bool(word)
    assert "\n" not in message
    assert len(message) < 1000
    assert CANARY not in message + str(ctx.notes) + str(ctx.updates)
    for update in ctx.updates:
        assert not OWN_LABELS & set(update.labels)
        assert update.value >= 0
        assert update.family.kind is not Kind.COUNTER or update.family.name.endswith("_total")
    names = [(update.family.name, Labels(update.labels)) for update in ctx.updates]
    assert len(names) == len(set(names)), "one probe measures each thing once"


HEAD = b"HTTP/1.1 200 -\r\n"
PEERS: dict[str, list[Step]] = {
    "hangs up": [],
    "resets": [RESET],
    "binary": [bytes(range(256)) * 4],
    "an endless line": [b"x" * 200_000],
    "endless headers": [HEAD, b"a: b\r\n" * 50_000],
    "an endless header": [HEAD + b"a: " + b"b" * 500_000],
    "another protocol": [b"220 hello\r\n"],
    "a page": [HEAD + b"Content-Length: 9999999\r\n\r\n<html>"],
    "half a chunk": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
    "no chunk": [HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    "a length that is none": [HEAD + b"Content-Length: -5\r\n\r\n"],
    "an unknown encoding": [HEAD + b"Content-Encoding: rot13\r\nContent-Length: 2\r\n\r\nab"],
    "no gzip": [HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab"],
    "a large body": [HEAD + b"\r\n" + b"x" * 9_000_000],
    "an endless stream": [HEAD + b"Content-Type: text/event-stream\r\n\r\n" + b"data: x" * 1_500_000],
    "odd content types": [HEAD + b"Content-Type: ;;=\xff\r\nServer: \x1b[31m\xff\r\nContent-Length: 2\r\n\r\n{}"],
    "deep JSON": [HEAD + b"Content-Type: application/json\r\n\r\n" + b"[" * 100_000],
    "repeats the secret": [
        (
            f"HTTP/1.1 400 {CANARY}\r\nContent-Type: application/json\r\nrequest-id: {CANARY}\r\n\r\n"
            f'{{"type": "error", "error": {{"type": "{CANARY}", "message": "{CANARY}"}}}}'
        ).encode()
    ],
    "redirects for ever": [b"HTTP/1.1 302 -\r\nLocation: /path\r\nContent-Length: 0\r\n\r\n"],
    "informs for ever": [b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, HANG],
}  # fmt: skip


@pytest.mark.parametrize("peer", PEERS)
async def test_whatever_the_peer_does_it_is_a_failed_probe(web, peer, wire):
    """Bytes that make no sense fail the probe in one of our words, in a sentence without secrets; nothing else."""
    wire.raw("peer", Peer(PEERS[peer]))
    check = built(web)

    word, message, ctx = await outcome(check, wire)

    assert_in_order(word, message, ctx)
    # A page is enough for a check that asks for nothing but a page.
    assert word or web == "http"


@pytest.mark.parametrize("steps", [[HANG], [HEAD, HANG], [HEAD + b"Content-Type: text/event-stream\r\n\r\n", HANG]])
async def test_a_peer_that_hangs_ends_in_a_timeout(web, steps, wire):
    """Silence never lasts longer than the check's timeout, and is called so, or stalled where a stream has begun."""
    wire.raw("peer", Peer(steps))
    check = built(web)
    outbound = Outbound(connector=wire.connector)

    result = await probe_once(check, Recording(SystemClock(monotonic=asyncio.get_running_loop().time), outbound))

    assert result.error_type in ("timeout", "stalled", "not_json")
    assert result.duration <= check.timeout


@pytest.mark.parametrize("how", ["hang", "refuse", "unresolvable"])
async def test_a_peer_that_is_not_there(web, how, wire):
    """Without a connection there is no verdict on the peer, only on the way there."""
    getattr(wire, how)("peer")
    check = built(web)
    outbound = Outbound(connector=wire.connector)

    result = await probe_once(check, Recording(SystemClock(monotonic=asyncio.get_running_loop().time), outbound))

    assert result.error_type == {"hang": "timeout", "refuse": "connect", "unresolvable": "dns"}[how]


async def test_a_slow_peer(web, wire):
    """An answer that drips is cut off at the timeout, though it never pauses for long."""
    dripping: list[Step] = [HEAD + b"Content-Length: 999\r\n\r\n"]
    for _ in range(100):
        dripping += [b"x", 1.0]
    wire.raw("peer", Peer(dripping))
    check = built(web)
    outbound = Outbound(connector=wire.connector)

    result = await probe_once(check, Recording(SystemClock(monotonic=asyncio.get_running_loop().time), outbound))

    assert result.error_type == "timeout"
    assert result.duration <= check.timeout


BYTES = st.binary(max_size=60) | st.sampled_from(
    [
        HEAD,
        b"Content-Type: text/event-stream\r\n",
        b"Content-Type: application/json\r\n",
        b"\r\n",
        b"\n\n",
        b"event: message_start\n",
        b'data: {"type": "message_start", "message": {"usage": {"input_tokens": 3}}}\n\n',
        b'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}\n\n',
        b'data: {"type": "content_block_delta", "delta": {"type": "text_delta"}}\n\n',
        b'data: {"type": "message_stop"}\n\n',
        b'data: {"type": "error", "error": 3}\n\n',
        b'{"type": "message", "content": [], "usage": {}, "stop_reason": "x"}',
        b'{"input_tokens": 3}',
        b'{"data": [{"id": "x"}]}',
    ]
)


@pytest.mark.parametrize("name", WEB)
@given(st.lists(BYTES, max_size=12))
@settings(max_examples=40)
def test_arbitrary_bytes(name, pieces):
    """Any bytes at all, cut anywhere, are a success or a failed probe in order."""

    async def story() -> None:
        wire = Wire()
        wire.raw("peer", Peer([HEAD, *pieces]))
        assert_in_order(*await outcome(built(name), wire))
        await wire.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())

"""What the checks share that speak no HTTP."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.checks import CheckFailed, _net
from sidecar.checks._addresses import Address, server_url
from sidecar.checks._net import TooMuchError, translated
from sidecar.checks._values import Bounds


@pytest.mark.parametrize(
    ("text", "shown"),
    [("db:5432", "db:5432"), ("[::1]:80", "[::1]:80"), ("10.0.0.1", "10.0.0.1:53"), ("[fe80::1]", "[fe80::1]:53")],
)
def test_addresses(text, shown):
    """A host and a port, in brackets where the host has colons."""
    assert str(Address.parse(text, 53)) == shown


@pytest.mark.parametrize("text", ["", "db", "db:", "db:0", "db:99999", "u:pw@db:1", "http://db:1", "a b:1", "db:x"])
def test_what_is_no_address(text):
    """What is no address is refused without repeating it, as it may hold a password."""
    with pytest.raises(ValueError, match="expected host:port") as caught:
        Address.parse(text)

    assert not text or text not in str(caught.value).replace("db:5432", "")


@pytest.mark.parametrize("url", ["x:db", "y:///path", "db", "x://", "x://db:0", "x://db:99999", "x://a b", "x://db/\n"])
def test_what_is_no_url(url):
    """A URL needs a scheme that is known, and a host."""
    with pytest.raises(ValueError, match="expected one such as x://db"):
        server_url({"x": 1, "z": 2}, "x://db")(url)


class Wire:
    """Where connections take as long as the test says, or fail."""

    def __init__(self, **places: float | OSError) -> None:
        self.places = places
        self.begun: list[tuple[str, float]] = []
        self.open: list[socket.socket] = []

    async def connect(self, _: int, place: Any) -> socket.socket:
        self.begun.append((place, asyncio.get_running_loop().time()))
        how = self.places[place]
        if isinstance(how, OSError):
            raise how
        await asyncio.sleep(how)
        self.open.append(socket.socket())
        return self.open[-1]


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
AWAY = OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))


@pytest.mark.parametrize(
    ("places", "begun", "took"),
    [
        pytest.param({"a": 0.1, "b": 0.1}, {"a": 0}, 0.1, id="the first is enough"),
        pytest.param({"a": 60.0, "b": 0.1}, {"a": 0, "b": 0.25}, 0.35, id="the first hangs"),
        pytest.param({"a": AWAY, "b": 0.1}, {"a": 0, "b": 0}, 0.1, id="the first fails at once"),
        pytest.param({"a": 0.3, "b": 60.0}, {"a": 0, "b": 0.25}, 0.3, id="the first comes late"),
        pytest.param({"a": 60.0, "b": AWAY, "c": 0.1}, {"a": 0, "b": 0.25, "c": 0.25}, 0.35, id="two are bad"),
    ],
)
async def test_the_first_address_that_answers(monkeypatch, places, begun, took):
    """An address that does not answer soon has the next one tried beside it; the first connection wins."""
    wire, loop = Wire(**places), asyncio.get_running_loop()
    monkeypatch.setattr(_net, "_connect", wire.connect)
    start = loop.time()

    won = await _net._first([(0, name) for name in places])

    assert loop.time() - start == pytest.approx(took)
    assert {name: round(at - start, 6) for name, at in wire.begun} == begun
    assert wire.open == [won]
    won.close()


@pytest.mark.parametrize(("places", "first"), [({"a": REFUSED, "b": AWAY}, REFUSED), ({"a": AWAY}, AWAY)])
async def test_no_address_answers(monkeypatch, places, first):
    """When all fail, the first one's reason is told."""
    monkeypatch.setattr(_net, "_connect", Wire(**places).connect)

    with pytest.raises(OSError) as caught:
        await _net._first([(0, name) for name in places])

    assert caught.value is first


async def test_whoever_gives_up_leaves_no_connection(monkeypatch):
    """A connection that comes about after its probe was cut off is closed."""
    opened = []

    async def connect(_: int, __: Any) -> socket.socket:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            opened.append(socket.socket())  # too late to be stopped
        return opened[0]

    monkeypatch.setattr(_net, "_connect", connect)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await _net._first([(0, "a")])
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert [sock.fileno() for sock in opened] == [-1]


def _raises(exc: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise exc

    return fail


@pytest.mark.parametrize(
    ("exc", "error_type", "message"),
    [
        (ConnectionResetError(errno.ECONNRESET, "x"), "reset", "AT broke the connection: connection reset by peer"),
        (ConnectionError("secret words"), "reset", "AT broke the connection: it hung up"),
        (asyncio.IncompleteReadError(b"", 3), "reset", "AT hung up without a whole answer of X"),
        (asyncio.LimitOverrunError("", 3), "reset", "AT answered with what is no X"),
        (RecursionError(), "reset", "AT answered with what is no X"),
        (TooMuchError(), "too_large", "AT said more than a probe listens to"),
    ],
)
def test_errors_have_words(exc, error_type, message):
    """Whatever a connection raises has one of our words, and none of its own."""
    with pytest.raises(CheckFailed) as caught, translated("AT", "X"):
        _raises(exc)()

    assert (caught.value.error_type, caught.value.message) == (error_type, message)


@pytest.mark.parametrize(
    ("bounds", "value", "complaint"),
    [
        ({}, float("nan"), ""),
        ({"min": 1}, 1, ""),
        ({"min": 1}, 0.5, "x is 0.5, expected at least 1"),
        ({"max": 1e6}, 1234567, "x is 1234567, expected at most 1000000"),
        ({"max": 1}, float("nan"), "x is nan, expected at most 1"),
    ],
)
def test_bounds(bounds, value, complaint):
    """A number is well within its bounds, and what is no number is well within none."""
    assert Bounds(**bounds).complaint("x", value) == complaint

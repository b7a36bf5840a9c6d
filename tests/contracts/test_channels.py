"""What every channel promises, whoever wrote it."""

import asyncio
import json
import typing
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar import plugins
from sidecar.channels import Channel, DeliveryError
from sidecar.outbound import Outbound
from sidecar.secrets import redaction
from tests.channels.stories import STORIES, Ctx

NAMES = plugins.names("sidecar.channels")
CANARY = "canary-6f1d0c-canary"

pytestmark = pytest.mark.realtime


def cls(name: str) -> type[Channel]:
    return plugins.find("sidecar.channels", name, Channel)


def settings(name: str, port: int = 9, **more: Any) -> dict[str, Any]:
    """Settings of the type *name*: an example of each field that must be given, and a canary for each secret.

    The examples are those that the fields carry for whoever reads the schema.
    """
    found: dict[str, Any] = {"type": name, "name": "probe"}
    properties = cls(name).model_json_schema()["properties"]
    for key, field in cls(name).model_fields.items():
        alias = field.alias or key
        schema = json.dumps(properties[alias])
        if '"password"' in schema:
            secret = f"http://127.0.0.1:{port}/{CANARY}"
            found[alias] = {"X-Token": secret} if 'additionalProperties": {' in schema else secret
        elif field.is_required() and alias not in found:
            found[alias] = field.examples[0] if field.examples else pytest.fail(f"{name}.{alias} has no example")
    known: dict[str, Any] = {"host": "127.0.0.1", "port": port, "username": "probe", "security": "none"}
    found |= {key: value for key, value in known.items() if key in properties}
    return found | more


def built(name: str, port: int = 9, **more: Any) -> Channel:
    return cls(name).model_validate(settings(name, port, **more))


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return str(request.param)


def test_the_module_is_the_type(name):
    """`type: x` is the module x, and says so in its settings."""
    assert typing.get_args(cls(name).model_fields["type"].annotation) == (name,)


def test_every_setting_is_described(name):
    """Whoever reads the schema learns what each setting is for; a description is a sentence."""
    bare = [
        key
        for key, field in cls(name).model_fields.items()
        if key != "type" and not (field.description or "").endswith(".")
    ]

    assert not bare


def test_a_channel_says_what_it_is(name):
    """The class has a docstring, which the reference is made of."""
    assert cls(name).__doc__ not in (None, Channel.__doc__)


def test_settings_are_frozen_and_complete(name):
    """A channel never changes, and a key that nobody knows is a mistake."""
    with pytest.raises(ValidationError):
        setattr(built(name), "name", "other")  # noqa: B010 -- mypy knows that this is wrong
    with pytest.raises(ValidationError, match="Extra inputs"):
        built(name, no_such_setting=1)


def test_settings_are_compared_by_value(name):
    """A reload that changes nothing keeps the channel."""
    assert built(name) == built(name)
    assert built(name) != built(name, send_resolved=False)


def test_a_dump_has_the_files_keys(name):
    """`config show` prints settings under the names by which they are written."""
    assert set(settings(name)) <= set(built(name).model_dump())


def test_no_print_of_a_channel_shows_a_secret(name):
    """repr, str, dumps and mistakes hide what is secret."""
    channel = built(name)
    with pytest.raises(ValidationError) as failure:
        built(name, timeout="soon", no_such_setting=1)

    shown = [str(channel.model_dump()), channel.model_dump_json()]
    assert all(CANARY not in text for text in shown)
    assert CANARY not in repr(channel)
    assert CANARY not in str(failure.value)


class Peer(asyncio.Protocol):
    """Accepts, and answers each thing it hears with *says*; hangs up when that is None."""

    def __init__(self, says: bytes | None) -> None:
        self.says = says

    def connection_made(self, transport):
        self.transport = transport
        self._answer()

    def data_received(self, data):
        self._answer()

    def _answer(self) -> None:
        if self.says is None:
            self.transport.close()
        else:
            self.transport.write(self.says)


PEERS = {
    "silent": b"",
    "hangs up": None,
    "binary": bytes(range(256)) * 4,
    "an endless line": b"x" * 200_000,
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n<html>",
    "another protocol": b"220 hello\r\n",
    "repeats the secret": b"HTTP/1.1 400 " + CANARY.encode() + b"\r\nContent-Length: 20\r\n\r\n" + CANARY.encode(),
    "refuses in mail's words": b"554 no " + CANARY.encode() + b"\r\n",
}


@pytest.fixture(params=PEERS)
async def port(request) -> AsyncIterator[int]:
    peers: list[Peer] = []

    def peer() -> Peer:
        peers.append(Peer(PEERS[request.param]))
        return peers[-1]

    server = await asyncio.get_running_loop().create_server(peer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for one in peers:
        one.transport.abort()
    await server.wait_closed()


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No proxy of the environment, and no secret that another test made known."""
    monkeypatch.setattr(redaction, "_registry", redaction.Registry())
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


async def test_whatever_the_peer_does_it_is_a_delivery_or_a_delivery_error(name, port):
    """A channel delivers, or says why not in words without secrets, or runs into delivery's timeout; never else."""
    outbound = Outbound()
    channel = built(name, port)
    problem = ""
    try:
        async with asyncio.timeout(0.3):
            await channel.send(STORIES["opening"], Ctx(outbound=outbound))
    except DeliveryError as exc:
        problem = str(exc)
        assert problem
    except TimeoutError:
        pass
    finally:
        await outbound.close()

    assert CANARY not in problem


async def test_nobody_there_is_tried_again(name, unused_port):
    """A refused connection surely did not deliver, and another try may."""
    outbound = Outbound()
    failure: DeliveryError | None = None
    try:
        await built(name, unused_port).send(STORIES["opening"], Ctx(outbound=outbound))
    except DeliveryError as exc:
        failure = exc
    finally:
        await outbound.close()

    assert failure is None or (failure.retryable, failure.maybe) == (True, False)


@pytest.fixture
async def unused_port() -> int:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port

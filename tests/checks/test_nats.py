"""The nats check, against a real NATS server with JetStream."""

import asyncio
import base64
import binascii
from typing import Any

import nats
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.js.api import ConsumerConfig
from pydantic import ValidationError

from sidecar.checks._nkeys import identify, parts
from sidecar.checks.nats import NatsCheck
from sidecar.model.families import PROBE_PHASE, PROBE_VALUE
from tests.checks.peers import SILENT, look, peer
from tests.servers import nats_server

PASSWORD = "n4ts-p4ssw0rd"

pytestmark = pytest.mark.realtime

INFO = b'INFO {"server_id": "x", "version": "2.9.0", "max_payload": 1}\r\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Any:
    """A NATS server with a stream of four messages, and a consumer that has had none of them."""
    folder = tmp_path_factory.mktemp("nats")
    with nats_server(folder, "-js", "-sd", str(folder)) as port:
        asyncio.run(_fill(port))
        yield port


async def _fill(port: int) -> None:
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    stream = client.jetstream()
    await stream.add_stream(name="orders", subjects=["orders.*"])
    await stream.add_consumer("orders", ConsumerConfig(durable_name="workers", filter_subject="orders.new"))
    for subject in ("orders.new", "orders.new", "orders.new", "orders.old"):
        await stream.publish(subject, b"x")
    await client.close()


def check(port: int, **settings: Any) -> NatsCheck:
    return NatsCheck.model_validate({"name": "queue", "url": f"nats://127.0.0.1:{port}", "timeout": "5s", **settings})


async def test_it_answers(server):
    """A server that answers PING is well, with its version and the phases of the connection."""
    probed = await look(check(server))

    assert probed.result.ok, probed.message
    assert str(probed.notes["version"]).startswith("2.")
    assert [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)] == ["resolve", "connect", "first_byte"]


async def test_streams_are_values(server):
    """What a stream holds, and what its consumer has still to get, are exported."""
    values = {
        "backlog": "orders",
        "bytes": {"stream": "orders", "count": "bytes"},
        "pending": {"stream": "orders", "consumer": "workers"},
        "unacknowledged": {"stream": "orders", "consumer": "workers", "count": "unacknowledged"},
    }

    probed = await look(check(server, values=values))

    found = {labels["name"]: value for labels, value in probed.values(PROBE_VALUE)}
    assert found.pop("bytes") > 4
    assert found == {"backlog": 4, "pending": 3, "unacknowledged": 0}


@pytest.mark.parametrize(
    ("settings", "error_type", "message"),
    [
        pytest.param({"values": {"backlog": {"stream": "orders", "max": 3}}}, "assertion",
            "backlog is 4, expected at most 3", id="out of bounds"),
        pytest.param({"values": {"backlog": "gone"}}, "not_found",
            "backlog: JetStream says of gone: stream not found", id="no such stream"),
        pytest.param({"values": {"lag": {"stream": "orders", "consumer": "gone"}}}, "not_found",
            "lag: JetStream says of orders/gone: consumer not found", id="no such consumer"),
        pytest.param({"domain": "hub", "values": {"backlog": "orders"}}, "not_found",
            "backlog: nobody answers for JetStream; is it enabled for this account?", id="no such domain"),
        pytest.param({"url": "tls://AT"}, "tls", "AT offers no TLS, expected it", id="no TLS"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(server, settings, error_type, message):
    """What a server lacks or refuses is told in one word, and in a sentence."""
    at = f"127.0.0.1:{server}"
    settings = {key: one.replace("AT", at) if key == "url" else one for key, one in settings.items()}
    probed = await look(check(server, **settings))

    assert (probed.error_type, probed.message.replace(at, "AT")) == (error_type, message)


@pytest.mark.parametrize(
    ("options", "good"),
    [
        pytest.param(("--user", "probe", "--pass", PASSWORD), {"username": "probe", "password": PASSWORD}, id="user"),
        pytest.param(("--auth", PASSWORD), {"token": PASSWORD}, id="token"),
    ],
)
async def test_who_may_come_in(tmp_path, options, good):
    """A user with a password, or a token, opens the server; what is wrong or missing is told apart."""
    with nats_server(tmp_path, *options) as port:
        right = await look(check(port, **good))
        wrong = await look(check(port, **dict.fromkeys(good, "wr0ng-password")))
        none = await look(check(port))
        alone = await look(check(port, **good, values={"backlog": "orders"}))

    assert right.result.ok, right.message
    assert (wrong.error_type, none.error_type) == ("auth", "auth")
    assert wrong.message == f"127.0.0.1:{port} refused: Authorization Violation"
    assert alone.message == "backlog: nobody answers for JetStream; is it enabled for this account?"


def new_seed() -> str:
    """The seed of a new user."""
    raw = bytes([0x90 | 160 >> 5, (160 & 31) << 3]) + Ed25519PrivateKey.generate().private_bytes_raw()
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


async def test_who_has_the_key(tmp_path):
    """A user may prove who it is with a key that the server does not have."""
    seed, other = new_seed(), new_seed()
    config = tmp_path / "nats.conf"
    config.write_text(f"authorization {{ users = [ {{ nkey: {identify(seed, 'x')['nkey']} }} ] }}")
    with nats_server(tmp_path, "-c", str(config)) as port:
        right = await look(check(port, seed=seed))
        wrong = await look(check(port, seed=other))
        none = await look(check(port, seed="SUAAA-nonsense"))

    assert right.result.ok, right.message
    assert (wrong.error_type, wrong.message) == ("auth", f"127.0.0.1:{port} refused: Authorization Violation")
    assert (none.error_type, none.message) == (
        "auth", "this is no seed of a user, expected 58 letters and digits that begin with SU",
    )  # fmt: skip


def test_credentials_in_a_file():
    """A .creds file has a JWT and a seed; the JWT names the user, the seed signs."""
    seed = new_seed()
    text = (
        f"-----BEGIN NATS USER JWT-----\neyJ0.e30.x\n------END NATS USER JWT------\n\nkeep it secret\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )

    found = identify(parts(text)[1], "nonce", parts(text)[0])

    assert found == {"jwt": "eyJ0.e30.x", "sig": identify(seed, "nonce")["sig"]}
    with pytest.raises(ValueError, match="lack a JWT or a seed"):
        parts(seed)


@pytest.mark.parametrize(
    ("said", "error_type", "message"),
    [
        pytest.param(INFO + b"PING\r\n+OK\r\nPONG\r\nMSG _INBOX.x 1 99999999999\r\n", "reset",
            "AT answered with what is no NATS", id="a huge message"),
        pytest.param(INFO + b"PONG\r\nMSG x 1 2\r\n{}\r\n", "reset",
            "backlog: JetStream's answer has no number for orders", id="no number"),
        pytest.param(INFO + b"PONG\r\nMSG x 1 2\r\n[]\r\n", "reset", "AT answered with what is no JSON", id="a list"),
        pytest.param(INFO + b"PONG\r\nMSG x 1 -7\r\n[]\r\n", "reset", "AT answered with what is no NATS", id="length"),
        pytest.param(INFO + b"PONG\r\nMSG x 1 33\r\n" + b'{"error": {"description": "broken"}}'[:33], "reset",
            "AT hung up without a whole answer of NATS", id="half a message"),
        pytest.param(INFO + b"PONG\r\n-ERR 'Permissions Violation for Publish to \"$JS.API\"'\r\n", "permission",
            'AT refused: Permissions Violation for Publish to "$JS.API"', id="permission"),
        pytest.param(INFO + b"-ERR 'maximum connections exceeded'\r\n", "overloaded",
            "AT refused: maximum connections exceeded", id="full"),
        pytest.param(INFO + b"-ERR 'Server Shutdown'\r\n", "server_error", "AT refused: Server Shutdown", id="another"),
        pytest.param(INFO + b"HELLO\r\n", "reset", "AT answered with what is no NATS", id="another verb"),
    ],
)  # fmt: skip
async def test_odd_answers(said, error_type, message):
    """A server that refuses later, or speaks badly, is a failed probe that says so."""
    async with peer(said) as server:
        probed = await look(check(server.port, values={"backlog": "orders"}))

    found = probed.message.replace(f"127.0.0.1:{server.port}", "AT")
    assert (probed.error_type, found) == (error_type, message)


async def test_a_probe_that_is_cut_off_leaves_no_connection():
    """At the timeout the connection is closed."""
    async with peer(SILENT) as server:
        probed = await look(check(server.port, timeout="100ms"))
        await asyncio.wait_for(server.left.wait(), 5)

    assert probed.error_type == "timeout"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"url": "nats://user:pw-in-url@queue"}, "use `username`, `password`", id="credentials"),
        pytest.param({"url": "ws://queue"}, "no address for this check", id="scheme"),
        pytest.param({"values": {"x": {"stream": "a.b"}}}, "String should match pattern", id="a subject"),
        pytest.param({"values": {"x": {"stream": "a\r\nPUB"}}}, "String should match pattern", id="a line break"),
        pytest.param({"values": {"x": {"stream": "a", "count": "pending"}}}, "a stream has no pending", id="pending"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """A mistake in the settings is told when they are read, without a password."""
    with pytest.raises(ValidationError) as caught:
        NatsCheck.model_validate({"name": "queue", "url": "nats://queue", **settings})

    messages = "".join(str(error["msg"]) for error in caught.value.errors())
    assert said in messages
    assert "pw-in-url" not in messages

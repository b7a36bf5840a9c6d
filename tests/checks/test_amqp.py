"""The amqp check, against a real RabbitMQ."""

import asyncio
from typing import Any

import aiormq
import pytest
from pydantic import ValidationError

from sidecar.checks.amqp import AmqpCheck
from sidecar.model.families import PROBE_PHASE, PROBE_VALUE
from tests.checks.peers import SILENT, look, peer
from tests.servers import rabbitmq_server

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def server() -> Any:
    """A RabbitMQ with a queue of three messages."""
    with rabbitmq_server() as port:
        asyncio.run(_fill(port))
        yield port


async def _fill(port: int) -> None:
    connection = await aiormq.connect(f"amqp://guest:guest@127.0.0.1:{port}/?heartbeat=0")
    channel = await connection.channel()
    await channel.queue_declare("tasks", durable=True)
    for _ in range(3):
        await channel.basic_publish(b"x", routing_key="tasks")
    await connection.close()


def check(port: int, vhost: str = "", **settings: Any) -> AmqpCheck:
    return AmqpCheck.model_validate(
        {"name": "queue", "url": f"amqp://127.0.0.1:{port}{vhost}", "timeout": "5s", **settings}
    )


@pytest.mark.parametrize("vhost", ["", "/", "/%2F"])
async def test_it_answers(server, vhost):
    """A broker that opens its virtual host is well, with its version and the phases of the connection."""
    probed = await look(check(server, vhost))

    assert probed.result.ok, probed.message
    assert probed.notes["product"] == "RabbitMQ"
    assert [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)] == ["resolve", "connect", "first_byte"]


async def test_queues_are_values(server):
    """Messages and consumers are exported, and nothing of the queue is changed."""
    values = {"depth": "tasks", "workers": {"consumers": "tasks"}}
    for _ in range(2):
        probed = await look(check(server, values=values))

        assert {labels["name"]: value for labels, value in probed.values(PROBE_VALUE)} == {"depth": 3, "workers": 0}


@pytest.mark.parametrize(
    ("settings", "error_type", "message"),
    [
        pytest.param({"values": {"depth": {"messages": "tasks", "max": 2}}}, "assertion",
            "depth is 3, expected at most 2", id="too many messages"),
        pytest.param({"values": {"workers": {"consumers": "tasks", "min": 1}}}, "assertion",
            "workers is 0, expected at least 1", id="no consumer"),
        pytest.param({"values": {"depth": "gone"}}, "not_found",
            "AT refused with 404: NOT_FOUND - no queue 'gone' in vhost '/'", id="no such queue"),
        pytest.param({"password": "wr0ng-password"}, "auth",
            "AT refused with 403: ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details "
            "see the broker logfile.", id="wrong password"),
        pytest.param({"url": "amqp://AT/nowhere"}, "not_found",
            "AT refused with 530: NOT_ALLOWED - vhost nowhere not found", id="no such vhost"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(server, settings, error_type, message):
    """What a broker lacks or refuses is told in one word, and in its own sentence with the reply code."""
    at = f"127.0.0.1:{server}"
    settings = {key: one.replace("AT", at) if key == "url" else one for key, one in settings.items()}
    probed = await look(check(server, **settings))

    assert (probed.error_type, probed.message.replace(at, "AT")) == (error_type, message)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param(b"AMQP\x00\x01\x00\x00", "AT speaks another version of AMQP, expected 0-9-1", id="AMQP 1.0"),
        pytest.param(b"\x08\x00\x00\x00\x00\x00\x00\xce" * 3, "AT hung up without a whole answer of AMQP",
            id="nothing but heartbeats"),
        pytest.param(b"\x01\x00\x00\x00\x00\x00\x08\x00\x14\x00\x0b\x00\x00\x00\x00\xce",
            "AT answered with Channel.OpenOk, expected Connection.Start", id="another answer"),
        pytest.param(b"\x01\x00\x00\xff\xff\xff\xff\xff", "AT answered with what is no AMQP 0-9-1", id="a huge frame"),
        pytest.param(b"\x01\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff\xce", "AT answered with what is no AMQP 0-9-1",
            id="no method"),
    ],
)  # fmt: skip
async def test_answers_that_are_none(said, message):
    """A peer that speaks AMQP badly, or another one, is a failed probe that says so."""
    async with peer(said) as server:
        probed = await look(check(server.port))

    assert (probed.error_type, probed.message.replace(f"127.0.0.1:{server.port}", "AT")) == ("reset", message)


async def test_a_probe_that_is_cut_off_leaves_no_connection():
    """At the timeout the connection is closed."""
    async with peer(SILENT) as server:
        probed = await look(check(server.port, timeout="100ms"))
        await asyncio.wait_for(server.left.wait(), 5)

    assert probed.error_type == "timeout"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"url": "amqp://user:pw-in-url@queue"}, "use `username`, `password`", id="credentials"),
        pytest.param({"url": "redis://queue"}, "no address for this check", id="scheme"),
        pytest.param({"values": {"x": {"messages": "a", "consumers": "b"}}}, "expected either", id="two queues"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """A mistake in the settings is told when they are read, without a password."""
    with pytest.raises(ValidationError) as caught:
        AmqpCheck.model_validate({"name": "queue", "url": "amqp://queue", **settings})

    messages = "".join(str(error["msg"]) for error in caught.value.errors())
    assert said in messages
    assert "pw-in-url" not in messages


def test_the_target():
    """What is probed is named with its port and virtual host."""
    assert AmqpCheck(name="queue", url="amqp://queue").target == "amqp://queue:5672"
    assert AmqpCheck(name="queue", url="amqps://queue/prod").target == "amqps://queue:5671/prod"

"""The redis check, against a real Redis."""

import asyncio
import subprocess
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks.redis import RedisCheck
from sidecar.model.families import (
    PROBE_PHASE,
    PROBE_VALUE,
    REDIS_MASTER_LINK_UP,
    REDIS_MEMORY_MAX,
    REDIS_MEMORY_USED,
)
from tests.checks.peers import SILENT, look, peer
from tests.integration.harness import free_port
from tests.programs import program
from tests.servers import redis_server

PASSWORD = "r3d1s-p4ssw0rd"

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Any:
    """A Redis with 64 MiB, a list, a stream, a set, a hash and two texts."""
    with redis_server(tmp_path_factory.mktemp("redis"), "--maxmemory", "64mb") as port:
        commands = (
            "RPUSH jobs a b c\nXADD events * k v\nSADD names x y\nHSET shape w 1\nZADD board 1 me\nSET depth 7.5\n"
            "SET word hello\nSELECT 3\nRPUSH jobs only\nACL SETUSER poor on >r3d1s-p4ssw0rd +ping +llen +type ~*\n"
        )
        subprocess.run(["redis-cli", "-p", str(port)], input=commands.encode(), check=True, capture_output=True)
        yield port


@pytest.fixture(scope="module")
def locked(tmp_path_factory) -> Any:
    """A Redis with a password."""
    with redis_server(tmp_path_factory.mktemp("locked"), "--requirepass", PASSWORD) as port:
        yield port


def check(port: int, database: str = "", **settings: Any) -> RedisCheck:
    return RedisCheck.model_validate(
        {"name": "cache", "url": f"redis://127.0.0.1:{port}{database}", "timeout": "5s", **settings}
    )


async def test_it_answers(server):
    """A Redis that answers is well, with its memory, its version and the phases of the connection."""
    probed = await look(check(server))

    assert probed.result.ok
    assert probed.value(REDIS_MEMORY_MAX) == 64 * 2**20
    assert probed.value(REDIS_MEMORY_USED) > 100_000
    assert probed.values(REDIS_MASTER_LINK_UP) == []
    assert probed.notes["role"] == "master"
    assert str(probed.notes["version"]).startswith(("6.", "7.", "8."))
    assert [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)] == ["resolve", "connect", "first_byte"]


async def test_lengths_of_keys_are_values(server):
    """Whatever kind a key has, its length is exported; what is absent has none."""
    keys = {"queue": "jobs", "events": "events", "set": "names", "hash": "shape", "board": "board", "gone": "gone"}

    probed = await look(check(server, values={**keys, "depth": {"number": "depth"}}))

    assert {labels["name"]: value for labels, value in probed.values(PROBE_VALUE)} == {
        "queue": 3, "events": 1, "set": 2, "hash": 1, "board": 1, "gone": 0, "depth": 7.5,
    }  # fmt: skip


async def test_the_database_of_the_url(server):
    """The number behind the host is the database."""
    assert (await look(check(server, "/3", values={"queue": "jobs"}))).value(PROBE_VALUE) == 1


@pytest.mark.parametrize(
    ("settings", "error_type", "message"),
    [
        pytest.param(
            {"values": {"queue": {"length": "jobs", "max": 2}, "names": {"length": "names", "min": 3}}},
            "assertion",
            "queue is 3, expected at most 2; names is 2, expected at least 3",
            id="out of bounds",
        ),
        pytest.param({"values": {"x": {"length": "depth"}}}, "assertion",
            "x: 'depth' is a string, expected one of list, stream, set, zset, hash", id="no length"),
        pytest.param({"values": {"x": {"number": "word"}}}, "assertion",
            "x: 'word' is 'hello', expected a number", id="no number"),
        pytest.param({"values": {"x": {"number": "gone"}}}, "assertion",
            "x: the key 'gone' is absent, expected a number", id="absent"),
        pytest.param({"values": {"x": {"number": "jobs"}}}, "server_error",
            "127.0.0.1:PORT answered: WRONGTYPE Operation against a key holding the wrong kind of value", id="kind"),
        pytest.param({"role": "replica"}, "assertion", "127.0.0.1:PORT is a primary, expected a replica", id="role"),
        pytest.param({"url": "redis://127.0.0.1:PORT/99"}, "server_error",
            "127.0.0.1:PORT answered: DB index is out of range", id="no such database"),
        pytest.param({"password": "wr0ng-password"}, "auth", "127.0.0.1:PORT does not let us in: AUTH <password> "
            "called without any password configured for the default user. Are you sure your configuration is "
            "correct?", id="a password that nobody asks for"),
        pytest.param({"username": "poor", "password": PASSWORD, "values": {"x": {"number": "depth"}}}, "permission",
            "127.0.0.1:PORT does not permit it: this user has no permissions to run the 'get' command", id="ACL"),
        pytest.param({"username": "poor", "password": PASSWORD, "max_memory_ratio": 0.5}, "permission",
            "127.0.0.1:PORT does not permit it: this user has no permissions to run the 'info' command", id="INFO"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(server, settings, error_type, message):
    """What a Redis lacks or refuses is told in one word, and in a sentence."""
    settings = {key: value.replace("PORT", str(server)) if key == "url" else value for key, value in settings.items()}
    probed = await look(check(server, **settings))

    assert (probed.error_type, probed.message.replace(str(server), "PORT")) == (error_type, message)


async def test_memory_is_judged_by_its_limit(server):
    """More than the ratio of `maxmemory` is too much; without a limit there is nothing to judge."""
    probed = await look(check(server, max_memory_ratio=0.001))

    assert probed.error_type == "assertion"
    assert "of its 67108864 bytes, expected at most 0.1%" in probed.message
    assert (await look(check(server, max_memory_ratio=0.9))).result.ok


async def test_who_may_not_ask_for_info_can_still_be_probed(server):
    """A user with few rights is enough where nothing depends on INFO."""
    probed = await look(check(server, username="poor", password=PASSWORD, values={"queue": "jobs"}))

    assert probed.result.ok
    assert probed.values(REDIS_MEMORY_USED) == []
    assert probed.value(PROBE_VALUE) == 3


@pytest.mark.parametrize(
    ("password", "error_type", "said"),
    [
        pytest.param(PASSWORD, "", "", id="right"),
        pytest.param("wr0ng-password", "auth", "does not let us in: invalid username-password pair", id="wrong"),
        pytest.param(None, "auth", "does not let us in: Authentication required", id="none"),
    ],
)
async def test_passwords(locked, password, error_type, said):
    """A password that is wrong or missing is told apart from a Redis that is gone, and is never shown."""
    probed = await look(check(locked, password=password))

    assert probed.error_type == error_type
    assert said in probed.message
    assert "wr0ng" not in probed.message


async def test_a_replica(tmp_path, locked):
    """A replica is well while it is connected to its primary; a broken link is told where one was expected."""
    nowhere = free_port()
    with redis_server(tmp_path, "--replicaof", f"127.0.0.1 {nowhere}") as port:
        lonely = await look(check(port, role="replica"))
        indifferent = await look(check(port))
        wrong = await look(check(port, role="primary"))

    assert lonely.message.startswith(f"the replica's link to its primary 127.0.0.1:{nowhere} is down")
    assert indifferent.result.ok
    assert indifferent.value(REDIS_MASTER_LINK_UP) == 0
    assert wrong.message == f"127.0.0.1:{port} is a replica, expected a primary"


async def test_a_socket_in_the_file_system(tmp_path):
    """unix:// leads to a socket."""
    path = tmp_path / "redis.sock"
    with redis_server(tmp_path, "--unixsocket", str(path)):
        probed = await look(RedisCheck(name="cache", url=f"unix://{path}"))
    gone = await look(RedisCheck(name="cache", url=f"unix://{tmp_path}/gone"))

    assert probed.result.ok
    assert gone.error_type == "connect"
    assert gone.message == f"no connection to unix:{tmp_path}/gone: no such file or directory"


async def test_stopped_in_the_middle(tmp_path):
    """A Redis that is killed while it is asked broke the connection."""
    with redis_server(tmp_path) as port:
        pause = [program("redis-cli"), "-p", str(port), "CLIENT", "PAUSE", "20000", "ALL"]
        subprocess.run(pause, check=True, capture_output=True)
        asking = asyncio.create_task(look(check(port)))
        await asyncio.sleep(0.05)
    probed = await asking

    assert probed.error_type in ("reset", "connect")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"-LOADING Redis is loading the dataset in memory\r\n" * 3, id="loading"),
        pytest.param(b"-ERR max number of clients reached\r\n", id="full"),
        pytest.param(b"$-5\r\nhello\r\n", id="an odd length"),
        pytest.param(b"*3\r\n$1000000000\r\n", id="a huge length"),
        pytest.param(b"+PONG\r\n$9\r\nnonsense\x00\r\n", id="an odd INFO"),
        pytest.param(b":" + b"9" * 9999 + b"\r\n", id="a huge number"),
        pytest.param(b"*1\r\n" * 5000, id="deep"),
    ],
)
async def test_answers_that_are_none(said):
    """A peer that speaks Redis badly is a failed probe, or a poor one, in order."""
    async with peer(said) as server:
        probed = await look(check(server.port))

    assert probed.error_type in ("server_error", "overloaded", "reset", "assertion", "")
    assert "\n" not in probed.message


async def test_loading_and_full_have_words():
    """A Redis that still loads, or has no room for one more client, is named as that."""
    async with peer(b"-LOADING Redis is loading the dataset in memory\r\n" * 3) as server:
        loading = await look(check(server.port))
    async with peer(b"-ERR max number of clients reached\r\n") as server:
        full = await look(check(server.port))

    assert (loading.error_type, full.error_type) == ("server_error", "overloaded")
    assert loading.message.endswith("is still loading its data: Redis is loading the dataset in memory")


async def test_a_proxy_without_info():
    """A proxy that knows no INFO is well when it answers PING."""
    async with peer(b"+PONG\r\n-ERR unknown command 'INFO'\r\n") as server:
        probed = await look(check(server.port))
    async with peer(b"+PONG\r\n-ERR unknown command 'INFO'\r\n") as server:
        strict = await look(check(server.port, role="primary"))

    assert probed.result.ok, probed.message
    assert strict.message == f"127.0.0.1:{server.port} answered: unknown command 'INFO'"


async def test_a_key_of_a_cluster():
    """A key that lives on another node is a mistake of the settings."""
    said = b"+PONG\r\n$13\r\nrole:master\r\n\r\n-MOVED 866 10.0.0.1:6379\r\n"
    async with peer(said) as server:
        probed = await look(check(server.port, values={"queue": "jobs"}))

    assert probed.error_type == "bad_request"
    assert probed.message.startswith(f"127.0.0.1:{server.port} is a cluster, and keys are at another node")


async def test_a_probe_that_is_cut_off_leaves_no_connection():
    """At the timeout the connection is closed."""
    async with peer(SILENT) as server:
        probed = await look(check(server.port, timeout="100ms"))
        await asyncio.wait_for(server.left.wait(), 5)

    assert probed.error_type == "timeout"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"url": "redis://user:pw-in-url@cache"}, "use `username`, `password`", id="credentials"),
        pytest.param({"url": "redis://cache?password=pw-in-url"}, "options behind a ?", id="options"),
        pytest.param({"url": "http://cache"}, "no address for this check", id="scheme"),
        pytest.param({"url": "redis://cache/abc"}, "expected the number of a database", id="database"),
        pytest.param({"values": {"x": {}}}, "expected either `length` or `number`", id="no key"),
        pytest.param({"values": {"x": {"length": "k", "min": 2, "max": 1}}}, "expected min <= max", id="order"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """A mistake in the settings is told when they are read, without a password."""
    with pytest.raises(ValidationError) as caught:
        RedisCheck.model_validate({"name": "cache", "url": "redis://cache", **settings})

    messages = "".join(str(error["msg"]) for error in caught.value.errors())
    assert said in messages
    assert "pw-in-url" not in messages


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("redis://cache", "redis://cache:6379"),
        ("rediss://cache:6380/2", "rediss://cache:6380/2"),
        ("unix:///run/redis.sock", "unix:/run/redis.sock"),
        ("redis://[::1]", "redis://[::1]:6379"),
    ],
)
def test_the_target(url, target):
    """What is probed is named with its port and database."""
    assert RedisCheck(name="cache", url=url).target == target

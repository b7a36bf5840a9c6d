"""The postgres check, against a real PostgreSQL."""

import asyncio
import subprocess
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks.postgres import PostgresCheck
from sidecar.model.families import PROBE_PHASE, PROBE_VALUE
from tests.checks.peers import SILENT, look, peer
from tests.programs import program
from tests.servers import Postgres, postgres_server

PASSWORD = "p0stgr3s:p4ss/w0rd"
IN_URL = "p0stgr3s%3Ap4ss%2Fw0rd"

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def running() -> Any:
    """A PostgreSQL with a table of jobs."""
    with postgres_server(password=PASSWORD) as found:
        psql(found, "CREATE TABLE jobs (id int, done bool); INSERT INTO jobs VALUES (1, true), (2, false);")
        psql(found, f"CREATE ROLE poor LOGIN PASSWORD '{PASSWORD}'; REVOKE ALL ON jobs FROM PUBLIC;")
        yield found


@pytest.fixture
def server(running) -> int:
    """Its port."""
    return int(running.port)


def psql(server: Postgres, text: str) -> str:
    command = [program("psql"), "-h", str(server.folder), "-p", str(server.port), "-U", "postgres", "-Atc", text]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout


def check(port: int, **settings: Any) -> PostgresCheck:
    base = {"name": "db", "host": "127.0.0.1", "port": port, "password": PASSWORD, "timeout": "5s"}
    return PostgresCheck.model_validate({key: v for key, v in {**base, **settings}.items() if v is not None})


async def test_it_answers(server):
    """A server that lets us in and answers is well, with its version and the phases of the connection."""
    probed = await look(check(server))

    assert probed.result.ok
    assert str(probed.notes["version"])[:1].isdigit() or "major" in str(probed.notes["version"])
    assert [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)] == [
        "resolve",
        "connect",
        "first_byte",
        "transfer",
    ]


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://postgres:{IN_URL}@127.0.0.1:PORT/postgres",
        f"postgres://postgres:{IN_URL}@127.0.0.1:PORT/postgres?sslmode=disable&connection_limit=10",
        f"postgresql+asyncpg://postgres:{IN_URL}@localhost:PORT",
    ],
)
async def test_a_dsn(server, dsn):
    """A DSN as applications have it leads to the server; what it says for others is left alone."""
    probed = await look(PostgresCheck(name="db", dsn=dsn.replace("PORT", str(server))))

    assert probed.result.ok, probed.message


async def test_a_unix_socket(running):
    """A host that is a folder leads to the socket in it."""
    found = check(running.port, host=str(running.folder), password=None)

    assert (await look(found)).result.ok
    assert found.target == f"unix:{running.folder}/.s.PGSQL.{running.port}"


async def test_columns_are_values(server):
    """Numbers of whatever kind are exported by name; times are seconds."""
    query = (
        "SELECT count(*) AS waiting, 1.5::numeric AS ratio, true AS flag, interval '2 min' AS lag, "
        "to_timestamp(1000) AS at, '7' AS text FROM jobs WHERE NOT done"
    )
    names = ["ratio", "flag", "lag", "at", "text"]

    probed = await look(check(server, query=query, values={name: name for name in names} | {"first": {}}))

    assert {labels["name"]: value for labels, value in probed.values(PROBE_VALUE)} == {
        "first": 1, "ratio": 1.5, "flag": 1, "lag": 120, "at": 1000, "text": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "error_type", "message"),
    [
        pytest.param({"query": "SELECT 5 AS n", "values": {"n": {"max": 3}}}, "assertion",
            "n is 5, expected at most 3", id="out of bounds"),
        pytest.param({"query": "SELECT 5 AS n", "values": {"n": "m"}}, "assertion",
            "n: the row has no column 'm', it has: 'n'", id="no such column"),
        pytest.param({"query": "SELECT NULL AS n", "values": {"n": "n"}}, "assertion",
            "n is NULL, expected a number", id="NULL"),
        pytest.param({"query": "SELECT 'x' AS n", "values": {"n": "n"}}, "assertion",
            "n is 'x', expected a number", id="text"),
        pytest.param({"query": "SELECT 1 WHERE false", "values": {"n": {}}}, "assertion",
            "n: the query returned no row, expected one", id="no row"),
        pytest.param({"query": "SELECT * FROM nowhere"}, "bad_request",
            'AT answered with SQLSTATE 42P01: relation "nowhere" does not exist', id="no such table"),
        pytest.param({"query": "SELECT 1; SELECT 2"}, "bad_request",
            "AT answered with SQLSTATE 42601: cannot insert multiple commands into a prepared statement", id="two"),
        pytest.param({"query": "DELETE FROM jobs"}, "bad_request",
            "AT answered with SQLSTATE 25006: cannot execute DELETE in a read-only transaction", id="it cannot write"),
        pytest.param({"query": "SELECT 1/0"}, "bad_request",
            "AT answered with SQLSTATE 22012: division by zero", id="by zero"),
        pytest.param({"query": "SELECT pg_sleep(9)", "timeout": "300ms"}, "timeout", None, id="a slow query"),
        pytest.param({"database": "nowhere"}, "not_found",
            'AT answered with SQLSTATE 3D000: database "nowhere" does not exist', id="no such database"),
        pytest.param({"user": "poor", "database": "postgres", "query": "SELECT * FROM jobs"}, "permission",
            "AT answered with SQLSTATE 42501: permission denied for table jobs", id="not permitted"),
        pytest.param({"password": "wr0ng-password"}, "auth",
            'AT answered with SQLSTATE 28P01: password authentication failed for user "postgres"', id="wrong password"),
        pytest.param({"user": "nobody"}, "auth",
            'AT answered with SQLSTATE 28P01: password authentication failed for user "nobody"', id="no such user"),
        pytest.param({"sslmode": "require"}, "tls", "AT offers no TLS, and sslmode is require", id="no TLS"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(server, settings, error_type, message):
    """What a server lacks or refuses is told in one word, and in a sentence with the SQLSTATE."""
    probed = await look(check(server, **settings))

    said = probed.message.replace(f"127.0.0.1:{server}", "AT")
    assert (probed.error_type, said) == (error_type, message or said)
    assert "wr0ng" not in probed.message


async def test_the_sqlstate_is_evidence(server):
    """The code is in the notes, for whoever wants to look it up."""
    assert (await look(check(server, query="SELECT"))).result.ok  # no columns at all is legal
    assert (await look(check(server, query="nonsense"))).notes["sqlstate"] == "42601"


async def test_without_a_password(server, monkeypatch, tmp_path):
    """A server that wants a password says so; a file of passwords is not asked for it by chance."""
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    probed = await look(check(server, password=None))

    assert probed.error_type == "auth"
    assert "password" in probed.message


async def test_no_query_outlives_its_probe(running):
    """The server gives up on a query when the probe does, and nothing stays connected."""
    await look(check(running.port, query="SELECT pg_sleep(60)", timeout="200ms"))
    busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'claude-sidecar'"
    for _ in range(100):
        if psql(running, busy).strip() == "0":
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the query runs on")


async def test_a_full_server(running):
    """Without room for one more connection the server is overloaded; one that ends ours in between broke off."""
    psql(running, "ALTER ROLE poor CONNECTION LIMIT 1")
    held = asyncio.create_task(look(check(running.port, user="poor", database="postgres", query="SELECT pg_sleep(20)")))
    ours = "FROM pg_stat_activity WHERE usename = 'poor' AND query LIKE '%sleep%'"
    while psql(running, f"SELECT count(*) {ours}").strip() != "1":
        await asyncio.sleep(0.02)
    full = await look(check(running.port, user="poor", database="postgres"))
    psql(running, f"SELECT pg_terminate_backend(pid) {ours}")
    ended = await held
    psql(running, "ALTER ROLE poor CONNECTION LIMIT -1")

    assert (full.error_type, full.notes["sqlstate"]) == ("overloaded", "53300")
    assert ended.error_type in ("reset", "server_error")  # whether its last words arrive before the end


async def test_a_probe_that_is_cut_off_leaves_no_connection():
    """At the timeout the connection is closed."""
    async with peer(SILENT) as server:
        probed = await look(check(server.port, timeout="100ms"))
        await asyncio.wait_for(server.left.wait(), 5)

    assert probed.error_type == "timeout"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({}, "neither `dsn` nor `host`", id="nowhere"),
        pytest.param({"dsn": "mysql://u:pw-in-dsn@db/x"}, "does not begin with postgresql://", id="another scheme"),
        pytest.param({"dsn": "postgresql://u:pw-in-dsn@db:x/x"}, "the dsn cannot be read", id="port"),
        pytest.param({"dsn": "postgresql://u:pw-in-dsn@a,b/x"}, "names no host, or several", id="several hosts"),
        pytest.param({"dsn": "postgresql://u:pw-in-dsn@a/x?sslmode=yes"}, "sslmode is none", id="sslmode"),
        pytest.param({"host": "db", "values": {"1x": "n"}}, "String should match pattern", id="name of a value"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """A mistake in the settings is told when they are read, without a password."""
    with pytest.raises(ValidationError) as caught:
        PostgresCheck.model_validate({"name": "db", **settings})

    messages = "".join(str(error["msg"]) for error in caught.value.errors())
    assert said in messages
    assert "pw-in-dsn" not in messages


async def test_a_dsn_in_a_file(tmp_path, server):
    """A DSN may be kept in a file; without it the check says so, and has no target."""
    file = tmp_path / "dsn"
    found = PostgresCheck.model_validate({"name": "db", "dsn": {"file": str(file)}})
    gone = await look(found)
    unknown = found.target
    file.write_text("nonsense")
    nonsense = await look(found)
    file.write_text(f"postgresql://postgres:{IN_URL}@127.0.0.1:{server}/postgres\n")

    assert (gone.error_type, unknown) == ("bad_request", "postgresql:")
    assert nonsense.message.startswith("the dsn does not begin with postgresql://")
    assert (await look(found)).result.ok
    assert found.target == f"postgresql://127.0.0.1:{server}/postgres"

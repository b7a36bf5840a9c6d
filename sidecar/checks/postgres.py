"""Whether a PostgreSQL lets us in and answers a query, and what the query says."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address
from sidecar.checks._framed import OneConnection
from sidecar.checks._http import quoted, reveal
from sidecar.checks._net import Stream, closing, dial, record_expiry, start_tls, translated, trust
from sidecar.checks._values import Bounds, ValueName, report
from sidecar.secrets import Secret, remember

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
_MODES: Final[tuple[SslMode, ...]] = ("disable", "prefer", "require", "verify-ca", "verify-full")

_SSL_REQUEST: Final = 80877103
_FOREIGN: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, LookupError, BufferError)

_WORDS: Final[Mapping[str, str]] = {
    # By SQLSTATE, its class where the whole code has no entry; https://www.postgresql.org/docs/current/errcodes-appendix.html
    "08": "reset",
    "22": "bad_request",
    "25006": "bad_request",  # the query wants to write
    "28": "auth",
    "3D": "not_found",
    "42": "bad_request",
    "42501": "permission",
    "53": "overloaded",
    "57014": "timeout",
}


class PostgresValue(Bounds):
    """A number of the query's first row."""

    column: str = Field("", description="The column's name; the first column without it.", examples=["waiting"])


def _short(value: Any) -> Any:
    """`depth: count` is `depth: {column: count}`."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"column": one} if isinstance(one, str) else one for name, one in value.items()}


def _readable(dsn: Secret) -> Secret:
    if dsn.at_hand:
        _parse(dsn.reveal())
    return dsn


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to go, and as whom."""

    address: Address
    user: str
    password: str | None
    database: str
    sslmode: SslMode


class PostgresCheck(Check):
    """Logs in and runs one query in a read-only transaction; each probe has a connection of its own.

    The phase first_byte is the login, transfer the query.
    """

    type: Literal["postgres"] = "postgres"
    dsn: Annotated[Secret, AfterValidator(_readable)] | None = Field(
        None,
        description="Where it is and as whom to come: postgresql://user:password@host:5432/database?sslmode=require; "
        "the settings below win over its parts.",
        examples=["postgresql://probe:PASSWORD@db:5432/app"],
    )
    host: str = Field("", description="Its host, or the folder of its Unix socket.", examples=["db"])
    port: int | None = Field(None, description="Its port, 5432 without it.", ge=1, le=65535, examples=[5432])
    user: str = Field("", description="The user to log in as, postgres without it.", examples=["probe"])
    password: Secret | None = Field(
        None, description="The password to log in with.", examples=[{"file": "/run/secrets/postgres"}]
    )
    database: str = Field("", description="The database, named like the user without it.", examples=["app"])
    sslmode: SslMode | None = Field(
        None,
        description="As libpq has it: disable, prefer (TLS if the server has it), require (without a look at the "
        "certificate), verify-ca, verify-full; prefer without it.",
        examples=["verify-full"],
    )
    query: str = Field(
        "SELECT 1", description="What to ask; only its first row is read, and it cannot write.", min_length=1
    )
    values: Annotated[dict[ValueName, PostgresValue], BeforeValidator(_short)] = Field(
        default_factory=dict,
        description="Numbers of the first row to export as `probe_value{name}`: `{waiting: count}`, or "
        "`{column: count}` with `min` and `max`.",
        examples=[{"waiting": {"column": "waiting", "max": 500}}],
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.dsn is None and not self.host:
            raise ValueError("got neither `dsn` nor `host`, expected to be told where the server is")
        return self

    @property
    def target(self) -> str:
        try:
            place = self._place(self.dsn.reveal() if self.dsn else "", None)
        except ValueError:  # a file that is not there, or holds no such URL; the probe says more
            return "postgresql:"
        if place.address.path:
            return str(place.address)
        return f"postgresql://{place.address}/{place.database}"

    def _place(self, dsn: str, password: str | None) -> _Place:
        """The server that *dsn* and the settings name; raises ValueError without a word of the DSN."""
        found = _parse(dsn) if dsn else _Place(Address("", 5432), "", None, "", "prefer")
        host, port = self.host or found.address.host, self.port or found.address.port
        user = self.user or found.user or "postgres"
        address = Address(host, port)
        if host.startswith("/"):
            address = Address("", path=str(PurePosixPath(host) / f".s.PGSQL.{port}"))
        database = self.database or found.database or user
        return _Place(address, user, password or found.password, database, self.sslmode or found.sslmode)

    async def probe(self, ctx: ProbeContext) -> None:
        password = reveal(self.password, "auth") if self.password else None
        try:
            place = self._place(reveal(self.dsn, "bad_request") if self.dsn else "", password)
        except ValueError as exc:
            raise CheckFailed("bad_request", str(exc)) from exc
        try:
            with translated(str(place.address), "PostgreSQL"):
                await self._ask(ctx, place)
        except asyncpg.PostgresError as exc:
            raise _refused(ctx, exc, place.address) from exc
        except _FOREIGN as exc:
            raise CheckFailed("reset", f"{place.address} answered with what is no PostgreSQL") from exc

    async def _ask(self, ctx: ProbeContext, place: _Place) -> None:
        async with dial(ctx, place.address) as stream:
            await _encrypt(ctx, stream, place)
            with ctx.timed("first_byte"):
                connection = await self._log_in(stream, place)
            try:
                ctx.note(version=quoted(str(connection.get_settings().server_version), 60))
                with ctx.timed("transfer"):
                    row = await self._row(connection)
                read = {name: (value, _number(name, value, row)) for name, value in self.values.items()}
                await closing(connection.close())
            finally:
                connection.terminate()  # at once, whatever the server does
        report(ctx, read)

    async def _log_in(self, stream: Stream, place: _Place) -> Any:
        return await asyncpg.connect(
            host="127.0.0.1",  # which the driver never reaches: the connection is ours
            port=1,
            user=place.user,
            password=place.password,
            passfile="/dev/null/none",  # nobody put a password there for us
            database=place.database,
            ssl=False,
            timeout=self.timeout + 1,  # the prober's own comes first
            statement_cache_size=0,  # poolers that share connections know no named statements
            server_settings={"application_name": "claude-sidecar"},
            target_session_attrs="any",
            loop=OneConnection(stream),
        )

    async def _row(self, connection: Any) -> Any:
        # What is set at login would be refused by poolers; here it ends with the transaction. A probe that is cut
        # off leaves the query to the server, which gives up at the same time.
        limit = max(1, int(self.timeout * 1000))
        await connection.execute(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {limit}")
        try:
            row = await connection.fetchrow(self.query)
        except asyncpg.PostgresError:
            await closing(connection.execute("ROLLBACK"))
            raise
        await closing(connection.execute("ROLLBACK"))
        return row


def _parse(dsn: str) -> _Place:
    """What *dsn* says. What it says for others, such as the size of a pool, is left alone."""
    example = "expected one such as postgresql://user:password@host:5432/database"
    try:
        parts = urlsplit(dsn)
        scheme, port = parts.scheme.partition("+")[0], parts.port or 5432
        options = dict(parse_qsl(parts.query))
        host = unquote(parts.hostname or "") or options.get("host", "")
    except ValueError:
        raise ValueError(f"the dsn cannot be read, {example}") from None
    if scheme not in ("postgres", "postgresql"):
        raise ValueError(f"the dsn does not begin with postgresql://, {example}")
    if not host or "," in parts.netloc:
        raise ValueError(f"the dsn names no host, or several, {example}")
    sslmode = next(
        (mode for mode in _MODES if mode == options.get("sslmode", "prefer").replace("allow", "prefer")), None
    )
    if sslmode is None:
        raise ValueError(f"the dsn's sslmode is none, expected one of {', '.join(_MODES)}")
    password = unquote(parts.password) if parts.password is not None else None
    remember(password or "")  # the DSN has it in another form
    return _Place(Address(host, port), unquote(parts.username or ""), password, unquote(parts.path.strip("/")), sslmode)


async def _encrypt(ctx: ProbeContext, stream: Stream, place: _Place) -> None:
    """TLS as PostgreSQL begins it: one is asked for, and answered with a letter."""
    if place.sslmode == "disable" or place.address.path:
        return
    stream.writer.write(struct.pack("!ii", 8, _SSL_REQUEST))
    answer = await stream.reader.read(1)
    if answer == b"S":
        context = trust(ctx, verify=place.sslmode.startswith("verify"))
        await start_tls(ctx, stream, place.address, context=context, any_name=place.sslmode == "verify-ca")
        record_expiry(ctx, stream)
    elif answer == b"":
        raise CheckFailed("reset", f"{place.address} hung up when it was asked for TLS")
    elif answer != b"N":
        raise CheckFailed("reset", f"{place.address} answered with what is no PostgreSQL")
    elif place.sslmode != "prefer":
        raise CheckFailed("tls", f"{place.address} offers no TLS, and sslmode is {place.sslmode}")


def _refused(ctx: ProbeContext, exc: asyncpg.PostgresError, address: Address) -> CheckFailed:
    """What the server says, by its SQLSTATE."""
    state = str(exc.sqlstate or "")
    word = _WORDS.get(state) or _WORDS.get(state[:2], "server_error")
    if state == "08003" or word == "reset":
        return CheckFailed("reset", f"{address} broke the connection")
    ctx.note(sqlstate=quoted(state, 10))
    said = quoted(str(exc.args[0] if exc.args else exc))
    return CheckFailed(word, f"{address} answered with SQLSTATE {quoted(state, 10)}: {said}")


def _number(name: str, value: PostgresValue, row: Any) -> float:
    if not row:
        raise CheckFailed("assertion", f"{name}: the query returned no row, expected one")
    if value.column and value.column not in row.keys():  # noqa: SIM118 -- a record is not a mapping: `in` looks at values
        there = quoted(", ".join(map(repr, row.keys())), 120)
        raise CheckFailed("assertion", f"{name}: the row has no column {value.column!r}, it has: {there}")
    found = row[value.column or 0]
    match found:
        case bool() | int() | float() | Decimal():
            return float(found)
        case timedelta():
            return found.total_seconds()
        case datetime():
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        case None:
            raise CheckFailed("assertion", f"{name} is NULL, expected a number")
    try:
        return float(found)
    except (TypeError, ValueError):
        got = quoted(str(found), 80)
        raise CheckFailed("assertion", f"{name} is {got!r}, expected a number") from None

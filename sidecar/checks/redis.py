"""Whether a Redis answers, and how full it and its queues are."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from redis.asyncio.connection import Connection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address, server_url, url_address
from sidecar.checks._http import quoted, reveal
from sidecar.checks._net import Stream, dial, translated
from sidecar.checks._values import Bounds, ValueName, report
from sidecar.model.families import REDIS_MASTER_LINK_UP, REDIS_MEMORY_MAX, REDIS_MEMORY_USED
from sidecar.secrets import Secret

PORTS: Final[Mapping[str, int]] = {"redis": 6379, "rediss": 6379, "unix": 0}

Url = Annotated[str, AfterValidator(server_url(PORTS, "redis://cache:6379/0"))]

_LENGTHS: Final = {"list": "LLEN", "stream": "XLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN", "none": ""}


class RedisValue(Bounds):
    """A number of one key: the length of what it holds, or what it says."""

    length: str = Field(
        "", description="Key of a list, stream, set, sorted set or hash; one that is absent has 0.", examples=["celery"]
    )
    number: str = Field("", description="Key of a text that is a number.", examples=["jobs:failed"])

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if bool(self.length) is bool(self.number):
            raise ValueError("expected either `length` or `number` with the name of a key")
        return self


def _short(value: Any) -> Any:
    """`queue: celery` is `queue: {length: celery}`."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"length": one} if isinstance(one, str) else one for name, one in value.items()}


class RedisCheck(Check):
    """Logs in, sends PING, reads INFO, and measures keys if asked to; each probe has a connection of its own."""

    type: Literal["redis"] = "redis"
    url: Url = Field(
        description="Where it is: redis://, rediss:// (TLS) or unix://; without user name and password.",
        examples=["redis://cache:6379/0"],
    )
    username: str = Field("", description="The user to log in as; the default user without it.", examples=["probe"])
    password: Secret | None = Field(
        None, description="The password to log in with.", examples=[{"file": "/run/secrets/redis"}]
    )
    values: Annotated[dict[ValueName, RedisValue], BeforeValidator(_short)] = Field(
        default_factory=dict,
        description="Numbers to export as `probe_value{name}`: `{depth: celery}`, or `{length: KEY}` or "
        "`{number: KEY}` with `min` and `max`.",
        examples=[{"depth": {"length": "celery", "max": 10000}}],
    )
    max_memory_ratio: float | None = Field(
        None,
        description="The most of `maxmemory` that may be used, such as 0.9; without a limit nothing is judged.",
        gt=0,
        examples=[0.9],
    )
    role: Literal["primary", "replica"] | None = Field(
        None, description="What it has to be; a replica has to be connected to its primary, too.", examples=["primary"]
    )

    @model_validator(mode="after")
    def _database(self) -> Self:
        path = urlsplit(self.url).path.strip("/")
        if not self.url.startswith("unix:") and path and not path.isdecimal():
            raise ValueError(f"the URL ends in {path!r}, expected the number of a database, as in redis://cache:6379/0")
        return self

    @property
    def target(self) -> str:
        if self._at.path:
            return str(self._at)
        database = self._database_number
        return f"{urlsplit(self.url).scheme}://{self._at}" + (f"/{database}" if database else "")

    @property
    def _at(self) -> Address:
        return url_address(self.url, PORTS)

    @property
    def _database_number(self) -> int:
        return 0 if self.url.startswith("unix:") else int(urlsplit(self.url).path.strip("/") or 0)

    async def probe(self, ctx: ProbeContext) -> None:
        password = reveal(self.password, "auth") if self.password else None
        encrypted = self.url.startswith("rediss:")
        async with dial(ctx, self._at, tls=encrypted) as stream:
            connection = _Connection(
                stream,
                host=self._at.host,
                port=self._at.port,
                username=self.username or None,
                password=password,
                db=self._database_number,
            )
            with translated(str(self._at), "Redis"):
                try:
                    await self._look(ctx, connection)
                except RedisError as exc:
                    raise self._failed(exc) from exc
                finally:
                    await connection.disconnect(nowait=True)

    async def _look(self, ctx: ProbeContext, connection: "_Connection") -> None:
        await connection.connect()  # type: ignore[no-untyped-call]  # typed only in part
        with ctx.timed("first_byte"):
            answer = await connection.ask("PING")
        if answer not in (b"PONG", "PONG"):
            raise CheckFailed("assertion", f"got {quoted(repr(answer))} to PING, expected PONG")
        info = await self._info(ctx, connection)
        read = {name: (value, await _read(connection, name, value)) for name, value in self.values.items()}
        self._judge(ctx, info)
        report(ctx, read)

    async def _info(self, ctx: ProbeContext, connection: "_Connection") -> Mapping[str, str]:
        """What the server says of itself; nothing where the user may not ask and nothing depends on it."""
        try:
            said = await connection.ask("INFO")
        except ResponseError as exc:
            known = isinstance(exc, NoPermissionError) or "unknown command" in str(exc)  # as proxies answer
            if not known or self.max_memory_ratio is not None or self.role:
                raise
            return {}
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
        for family, key in ((REDIS_MEMORY_USED, "used_memory"), (REDIS_MEMORY_MAX, "maxmemory")):
            if info.get(key, "").isdecimal():
                ctx.record(family, float(info[key]))
        if "master_link_status" in info:
            ctx.record(REDIS_MASTER_LINK_UP, 1.0 if info["master_link_status"] == "up" else 0.0)
        for fact, key in (("version", "redis_version"), ("role", "role")):
            if key in info:
                ctx.note(**{fact: quoted(info[key], 40)})
        return info

    def _judge(self, ctx: ProbeContext, info: Mapping[str, str]) -> None:
        used, limit = info.get("used_memory", ""), info.get("maxmemory", "")
        if self.max_memory_ratio is not None and used.isdecimal() and limit.isdecimal() and int(limit) > 0:
            ratio = int(used) / int(limit)
            ctx.note(memory_ratio=round(ratio, 4))
            if ratio > self.max_memory_ratio:
                found = f"{ratio:.1%} of its {int(limit)} bytes"
                raise CheckFailed("assertion", f"Redis uses {found}, expected at most {self.max_memory_ratio:.1%}")
        if self.role is None:
            return
        role = {"master": "primary", "slave": "replica"}.get(
            info.get("role", ""), quoted(info.get("role", "unknown"), 40)
        )
        if role != self.role:
            raise CheckFailed("assertion", f"{self._at} is a {role}, expected a {self.role}")
        if role == "replica" and info.get("master_link_status") != "up":
            since = info.get("master_link_down_since_seconds", "")
            ago = f" since {since} s" if since.isdecimal() else ""
            primary = quoted(f"{info.get('master_host', '?')}:{info.get('master_port', '?')}", 100)
            raise CheckFailed("assertion", f"the replica's link to its primary {primary} is down{ago}")

    def _failed(self, exc: RedisError) -> CheckFailed:
        said = quoted(str(exc).removeprefix("ERR "))
        match exc:
            case AuthenticationError():
                return CheckFailed("auth", f"{self._at} does not let us in: {said}")
            case NoPermissionError():
                return CheckFailed("permission", f"{self._at} does not permit it: {said}")
            case BusyLoadingError():
                return CheckFailed("server_error", f"{self._at} is still loading its data: {said}")
            case MovedError():
                advice = "probe the node that has them, or leave them out"
                return CheckFailed("bad_request", f"{self._at} is a cluster, and keys are at another node; {advice}")
            case OutOfMemoryError():
                return CheckFailed("overloaded", f"{self._at} is out of memory: {said}")
            case InvalidResponse():
                return CheckFailed("reset", f"{self._at} answered with what is no Redis")
            case ResponseError():
                word = "auth" if "AUTH" in said or "WRONGPASS" in said else "server_error"
                return CheckFailed(word, f"{self._at} answered: {said}")
        if "max number of clients" in said:
            return CheckFailed("overloaded", f"{self._at} answered: {said}")
        return CheckFailed("reset", f"{self._at} broke off without a whole answer")


async def _read(connection: "_Connection", name: str, value: RedisValue) -> float:
    if value.number:
        found = await connection.ask("GET", value.number)
        if found is None:
            raise CheckFailed("assertion", f"{name}: the key {value.number!r} is absent, expected a number")
        try:
            return float(found)
        except (TypeError, ValueError):
            got = quoted(found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found))
            raise CheckFailed("assertion", f"{name}: {value.number!r} is {got!r}, expected a number") from None
    kind = await connection.ask("TYPE", value.length)
    kind = kind.decode("utf-8", "replace") if isinstance(kind, bytes) else str(kind)
    if kind not in _LENGTHS:
        kinds = ", ".join(kind for kind in _LENGTHS if kind != "none")
        raise CheckFailed("assertion", f"{name}: {value.length!r} is a {quoted(kind, 40)}, expected one of {kinds}")
    if kind == "none":
        return 0.0  # Redis has no empty lists: what is drained is gone
    length = await connection.ask(_LENGTHS[kind], value.length)
    if not isinstance(length, int):
        raise CheckFailed("reset", f"{name}: got {quoted(repr(length))} for a length, expected a number")
    return float(length)


class _Connection(Connection):
    """The driver's protocol over a connection of ours, without its retries and timeouts."""

    def __init__(self, stream: Stream, **more: Any) -> None:
        super().__init__(protocol=2, socket_timeout=None, socket_connect_timeout=None, driver_info=None, **more)
        self._ours = stream

    async def _connect(self) -> None:
        self._reader, self._writer = self._ours.reader, self._ours.writer

    async def ask(self, *command: str) -> Any:
        """The answer to one command; raises RedisError."""
        await self.send_command(*command, check_health=False)
        return await self.read_response(disable_decoding=True)

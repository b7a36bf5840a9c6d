"""Whether a NATS server lets us in and answers, and how much its streams hold."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address, server_url, url_address
from sidecar.checks._http import quoted, reveal
from sidecar.checks._net import Stream, dial, record_expiry, start_tls, translated
from sidecar.checks._nkeys import identify, parts
from sidecar.checks._values import Bounds, ValueName, report
from sidecar.secrets import Secret, remember

PORTS: Final[Mapping[str, int]] = {"nats": 4222, "tls": 4222}

Url = Annotated[str, AfterValidator(server_url(PORTS, "nats://queue:4222"))]
Token = Annotated[str, StringConstraints(pattern=r"^[^\s.*>/\\\x00-\x1f]*$")]
"""One word of a subject."""

_INBOX: Final = "_INBOX.claude-sidecar"
_LARGEST: Final = 4 * 1024 * 1024  # bytes of a message

_WORDS: Final = (
    # Words of the server's errors: https://docs.nats.io/reference/reference-protocols/nats-protocol#ok-err
    ("authorization violation", "auth"),
    ("authentication", "auth"),
    ("expired", "auth"),
    ("revoked", "auth"),
    ("permissions violation", "permission"),
    ("tls required", "tls"),
    ("maximum", "overloaded"),
)


class NatsValue(Bounds):
    """A number of one stream, or of one of its consumers."""

    stream: Token = Field(description="Name of the JetStream stream.", min_length=1, examples=["JOBS"])
    consumer: Token = Field("", description="Name of a durable consumer of the stream.", examples=["workers"])
    count: Literal["messages", "bytes", "pending", "unacknowledged"] | None = Field(
        None,
        description="What is counted: messages or bytes of a stream; pending (not delivered yet) or unacknowledged "
        "messages of a consumer. Messages without a consumer, pending with one, unless told.",
        examples=["pending"],
    )

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.count is not None and (self.count in ("pending", "unacknowledged")) is not bool(self.consumer):
            owner = "a consumer" if self.consumer else "a stream"
            raise ValueError(f"{owner} has no {self.count}, expected another `count`, or another `consumer`")
        return self

    @property
    def subject(self) -> str:
        """What is asked of JetStream's API."""
        return f"CONSUMER.INFO.{self.stream}.{self.consumer}" if self.consumer else f"STREAM.INFO.{self.stream}"

    def read(self, info: Mapping[str, Any]) -> float:
        """The number, from what JetStream says; raises KeyError or TypeError."""
        match self.count or ("pending" if self.consumer else "messages"):
            case "pending":
                return float(info["num_pending"])
            case "unacknowledged":
                return float(info["num_ack_pending"])
            case key:
                return float(info["state"][key])


def _short(value: Any) -> Any:
    """`backlog: orders` is `backlog: {stream: orders}`."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"stream": one} if isinstance(one, str) else one for name, one in value.items()}


class NatsCheck(Check):
    """Logs in, sends PING, and asks JetStream about streams if told to; each probe has a connection of its own.

    The phase first_byte is the login with the answer to PING.
    """

    type: Literal["nats"] = "nats"
    url: Url = Field(
        description="Where it is: nats://, or tls:// where it must be encrypted; without credentials.",
        examples=["nats://queue:4222"],
    )
    username: str = Field("", description="The user to log in as.", examples=["probe"])
    password: Secret | None = Field(None, description="The user's password.", examples=[{"file": "/run/secrets/nats"}])
    token: Secret | None = Field(
        None, description="The token to log in with, instead of a user.", examples=[{"file": "/run/secrets/nats-token"}]
    )
    seed: Secret | None = Field(
        None,
        description="The seed of an nkey to log in with, SU…, instead of a user.",
        examples=[{"file": "/run/secrets/nats.nk"}],
    )
    credentials: Secret | None = Field(
        None,
        description="The text of a .creds file, with a JWT and a seed, to log in with; best as `{file: …}`.",
        examples=[{"file": "/run/secrets/nats.creds"}],
    )
    handshake_first: bool = Field(False, description="Whether TLS begins before the server says anything.")
    domain: Token = Field("", description="The JetStream domain, if it is not the server's own.", examples=["hub"])
    values: Annotated[dict[ValueName, NatsValue], BeforeValidator(_short)] = Field(
        default_factory=dict,
        description="Numbers to export as `probe_value{name}`: `{backlog: STREAM}`, or "
        "`{stream: STREAM, consumer: NAME}` with `count`, `min` and `max`.",
        examples=[{"backlog": {"stream": "JOBS", "consumer": "workers", "max": 1000}}],
    )

    @property
    def target(self) -> str:
        return f"{urlsplit(self.url).scheme}://{self._at}"

    @property
    def _at(self) -> Address:
        return url_address(self.url, PORTS)

    async def probe(self, ctx: ProbeContext) -> None:
        at = str(self._at)
        async with dial(ctx, self._at, tls=self.handshake_first) as stream:
            with translated(at, "NATS"):
                server = _Server(stream, at)
                info = await server.info()
                ctx.note(version=quoted(str(info.get("version", "unknown")), 40))
                if stream.tls is None:
                    await self._encrypt(ctx, stream, info)
                with ctx.timed("first_byte"):
                    await server.log_in(self._options(str(info.get("nonce") or "")))
                prefix = f"$JS.{self.domain}.API" if self.domain else "$JS.API"
                read = {
                    name: (value, await server.ask(f"{prefix}.{value.subject}", name, value))
                    for name, value in self.values.items()
                }
        report(ctx, read)

    def _options(self, nonce: str) -> dict[str, Any]:
        """What is said at the login, where keys sign the server's *nonce*."""
        options: dict[str, Any] = {"verbose": False, "pedantic": False, "lang": "python", "version": "1"}
        options |= {"name": "claude-sidecar", "protocol": 1, "headers": True, "no_responders": True}
        if self.username:
            options["user"] = self.username
        if self.password:
            options["pass"] = reveal(self.password, "auth")
        if self.token:
            options["auth_token"] = reveal(self.token, "auth")
        jwt, seed = "", reveal(self.seed, "auth") if self.seed else ""
        try:
            if self.credentials:
                jwt, seed = parts(reveal(self.credentials, "auth"))
                remember(seed)  # the file has it among others
            return options | (identify(seed, nonce, jwt) if seed else {})
        except ValueError as exc:
            raise CheckFailed("auth", str(exc)) from exc

    async def _encrypt(self, ctx: ProbeContext, stream: Stream, info: Mapping[str, Any]) -> None:
        wanted = self.url.startswith("tls:")
        if wanted and not (info.get("tls_required") or info.get("tls_available")):
            raise CheckFailed("tls", f"{self._at} offers no TLS, expected it")
        if wanted or info.get("tls_required"):
            await start_tls(ctx, stream, self._at)
            record_expiry(ctx, stream)


class _Server:
    """The other end: lines, and messages that come with their length. A client library would keep tasks of its own."""

    def __init__(self, stream: Stream, at: str) -> None:
        self._stream = stream
        self._at = at
        self._subscribed = False

    async def info(self) -> Mapping[str, Any]:
        """What the server says first."""
        verb, rest = await self._line()
        found = _object(rest) if verb == "INFO" else None
        if found is None:
            raise CheckFailed("reset", f"{self._at} answered with what is no NATS")
        return found

    async def log_in(self, options: Mapping[str, Any]) -> None:
        """Until the server has answered a PING."""
        self._send(f"CONNECT {json.dumps(options)}\r\nPING\r\n")
        await self._until("PONG")

    async def ask(self, subject: str, name: str, value: NatsValue) -> float:
        """The number of *value*, from what JetStream answers at *subject*."""
        if not self._subscribed:
            self._send(f"SUB {_INBOX} 1\r\n")
            self._subscribed = True
        self._send(f"PUB {subject} {_INBOX} 0\r\n\r\n")
        info = await self._message(name, await self._until("MSG", "HMSG"))
        what = f"{value.stream}/{value.consumer}" if value.consumer else value.stream
        if isinstance(error := info.get("error"), dict):
            said = quoted(str(error.get("description", "no reason")))
            missing = error.get("code") == 404
            raise CheckFailed("not_found" if missing else "server_error", f"{name}: JetStream says of {what}: {said}")
        try:
            return value.read(info)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise CheckFailed("reset", f"{name}: JetStream's answer has no number for {what}") from exc

    async def _message(self, name: str, arguments: list[str]) -> Mapping[str, Any]:
        """The JSON of a message whose head was read."""
        headed = arguments[0] == "HMSG"
        lengths = [int(word) for word in arguments[-2 if headed else -1 :]]
        if not 0 <= min(lengths) <= max(lengths) <= _LARGEST:
            raise ValueError("a length that cannot be")
        body = (await self._stream.reader.readexactly(lengths[-1] + 2))[:-2]
        if headed:
            head, body = body[: lengths[0]], body[lengths[0] :]
            if b" 503" in head.partition(b"\r\n")[0]:
                raise CheckFailed("not_found", f"{name}: nobody answers for JetStream; is it enabled for this account?")
        found = _object(body.decode("utf-8", "replace"))
        if found is None:
            raise CheckFailed("reset", f"{self._at} answered with what is no JSON")
        return found

    async def _until(self, *verbs: str) -> list[str]:
        """The words of the first line with one of *verbs*; raises CheckFailed when an error comes before it."""
        while True:
            verb, rest = await self._line()
            if verb in verbs:
                return [verb, *rest.split()]
            match verb:
                case "-ERR":
                    raise self._refused(rest.strip("' "))
                case "PING":
                    self._send("PONG\r\n")
                case "INFO" | "+OK" | "PONG":
                    pass
                case _:
                    raise CheckFailed("reset", f"{self._at} answered with what is no NATS")

    async def _line(self) -> tuple[str, str]:
        line = await self._stream.reader.readuntil(b"\n")
        verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
        return verb.upper(), rest

    def _send(self, text: str) -> None:
        self._stream.writer.write(text.encode())

    def _refused(self, said: str) -> CheckFailed:
        word = next((word for sign, word in _WORDS if sign in said.lower()), "server_error")
        return CheckFailed(word, f"{self._at} refused: {quoted(said)}")


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

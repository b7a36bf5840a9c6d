"""Whether a RabbitMQ, or another broker of AMQP 0-9-1, lets us in, and how many messages and consumers queues have."""

import struct
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit

from pamqp import base, commands, frame, header, heartbeat
from pamqp.exceptions import PAMQPException
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address, server_url, url_address
from sidecar.checks._http import quoted, reveal
from sidecar.checks._net import Stream, closing, dial, translated
from sidecar.checks._values import Bounds, ValueName, report
from sidecar.secrets import Secret

PORTS: Final[Mapping[str, int]] = {"amqp": 5672, "amqps": 5671}

Url = Annotated[str, AfterValidator(server_url(PORTS, "amqp://queue:5672/vhost"))]

_LARGEST: Final = 1024 * 1024  # bytes of a frame; brokers agree on 128 KiB
_FOREIGN: Final = (PAMQPException, struct.error, LookupError, TypeError, OverflowError, AttributeError)

_WORDS: Final[Mapping[int, str]] = {
    # Reply codes of the protocol: https://www.rabbitmq.com/amqp-0-9-1-reference#constants
    320: "server_error",  # an operator closed it
    403: "permission",
    404: "not_found",
    405: "permission",  # somebody else's exclusive queue
    506: "overloaded",
    530: "permission",
}


class AmqpValue(Bounds):
    """A number of one queue."""

    messages: str = Field("", description="Name of the queue whose ready messages are counted.", examples=["tasks"])
    consumers: str = Field("", description="Name of the queue whose consumers are counted.", examples=["tasks"])

    @model_validator(mode="after")
    def _one_queue(self) -> Self:
        if bool(self.messages) is bool(self.consumers):
            raise ValueError("expected either `messages` or `consumers` with the name of a queue")
        return self

    @property
    def queue(self) -> str:
        return self.messages or self.consumers


def _short(value: Any) -> Any:
    """`depth: tasks` is `depth: {messages: tasks}`."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"messages": one} if isinstance(one, str) else one for name, one in value.items()}


class AmqpCheck(Check):
    """Logs in, opens the virtual host, and asks queues how long they are without changing them.

    The phase first_byte is the login. A queue that does not exist fails the probe.
    """

    type: Literal["amqp"] = "amqp"
    url: Url = Field(
        description="Where it is: amqp:// or amqps:// (TLS), the virtual host behind the port; without credentials.",
        examples=["amqp://queue:5672/vhost"],
    )
    username: str = Field("guest", description="The user to log in as.", min_length=1)
    password: Secret | None = Field(
        None, description="The password to log in with, guest without it.", examples=[{"file": "/run/secrets/rabbitmq"}]
    )
    values: Annotated[dict[ValueName, AmqpValue], BeforeValidator(_short)] = Field(
        default_factory=dict,
        description="Numbers to export as `probe_value{name}`: `{depth: tasks}`, or `{messages: QUEUE}` or "
        "`{consumers: QUEUE}` with `min` and `max`.",
        examples=[{"backlog": {"messages": "tasks", "max": 5000}}],
    )

    @property
    def target(self) -> str:
        vhost = urlsplit(self.url).path.removeprefix("/")
        return f"{urlsplit(self.url).scheme}://{self._at}" + (f"/{vhost}" if vhost else "")

    @property
    def _at(self) -> Address:
        return url_address(self.url, PORTS)

    @property
    def _vhost(self) -> str:
        return unquote(urlsplit(self.url).path.removeprefix("/")) or "/"

    async def probe(self, ctx: ProbeContext) -> None:
        password = reveal(self.password, "auth") if self.password else "guest"
        at = str(self._at)
        async with dial(ctx, self._at, tls=self.url.startswith("amqps:")) as stream:
            with translated(at, "AMQP"):
                try:
                    broker = _Broker(stream, at)
                    with ctx.timed("first_byte"):
                        ctx.note(**await broker.log_in(self.username, password, self._vhost))
                    lengths: dict[str, commands.Queue.DeclareOk] = {}
                    for value in self.values.values():
                        if value.queue not in lengths:
                            lengths[value.queue] = await broker.look(len(lengths) + 1, value.queue)
                    # A broker notes in its log who leaves without a word.
                    await closing(
                        broker.ask(0, commands.Connection.Close(200, "bye", 0, 0), commands.Connection.CloseOk)
                    )
                except _FOREIGN as exc:
                    raise CheckFailed("reset", f"{at} answered with what is no AMQP 0-9-1") from exc
        report(ctx, {name: (value, _number(value, lengths[value.queue])) for name, value in self.values.items()})


def _number(value: AmqpValue, length: commands.Queue.DeclareOk) -> float:
    return float((length.message_count if value.messages else length.consumer_count) or 0)


class _Broker:
    """The other end: one question, one answer. A driver keeps tasks of its own, which a probe cannot end at once."""

    def __init__(self, stream: Stream, at: str) -> None:
        self._stream = stream
        self._at = at

    async def log_in(self, user: str, password: str, vhost: str) -> dict[str, str | float]:
        """Until the virtual host is open; what the broker says that it is."""
        self._stream.writer.write(header.ProtocolHeader().marshal())
        start = await self._answer(commands.Connection.Start)
        if "PLAIN" not in str(start.mechanisms).split():
            offered = quoted(str(start.mechanisms), 100)
            raise CheckFailed("auth", f"{self._at} lets nobody in with a password: it offers {offered}, expected PLAIN")
        about = start.server_properties or {}
        us: dict[str, Any] = {"product": "claude-sidecar", "capabilities": {"authentication_failure_close": True}}
        answer = commands.Connection.StartOk(us, "PLAIN", f"\0{user}\0{password}", "en_US")
        tune = await self.ask(0, answer, commands.Connection.Tune, refused="auth")
        self._send(0, commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
        await self.ask(0, commands.Connection.Open(vhost), commands.Connection.OpenOk)
        return {key: quoted(str(about[key]), 60) for key in ("product", "version") if key in about}

    async def look(self, channel: int, queue: str) -> Any:
        """How long *queue* is."""
        await self.ask(channel, commands.Channel.Open(), commands.Channel.OpenOk)
        return await self.ask(channel, commands.Queue.Declare(queue=queue, passive=True), commands.Queue.DeclareOk)

    async def ask(self, channel: int, method: base.Frame, expected: type[base.Frame], refused: str = "") -> Any:
        """The answer to *method*; raises CheckFailed, as *refused* when access is."""
        self._send(channel, method)
        return await self._answer(expected, refused)

    def _send(self, channel: int, method: base.Frame) -> None:
        self._stream.writer.write(frame.marshal(method, channel))

    async def _answer(self, expected: type[base.Frame], refused: str = "") -> Any:
        while True:
            found = await self._frame()
            match found:
                case commands.Connection.Close() | commands.Channel.Close():
                    raise self._closed(found, refused)
                case heartbeat.Heartbeat():
                    continue
                case _ if isinstance(found, expected):
                    return found
            name = quoted(str(getattr(found, "name", type(found).__name__)), 60)
            raise CheckFailed("reset", f"{self._at} answered with {name}, expected {expected.name}")

    async def _frame(self) -> Any:
        head = await self._stream.reader.readexactly(7)
        if head.startswith(b"AMQP"):
            raise CheckFailed("reset", f"{self._at} speaks another version of AMQP, expected 0-9-1")
        size = int.from_bytes(head[3:], "big")
        if head[0] not in (1, 2, 3, 8) or size > _LARGEST:
            raise CheckFailed("reset", f"{self._at} answered with what is no AMQP 0-9-1")
        return frame.unmarshal(head + await self._stream.reader.readexactly(size + 1))[2]

    def _closed(self, found: Any, refused: str) -> CheckFailed:
        code, said = int(found.reply_code or 0), quoted(str(found.reply_text))
        word = _WORDS.get(code, "server_error")
        if code == 403 and refused:
            word = refused
        elif code == 530 and "not found" in said:
            word = "not_found"
        return CheckFailed(word, f"{self._at} refused with {code}: {said}")

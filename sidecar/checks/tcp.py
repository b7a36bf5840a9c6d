"""Whether a port accepts connections, and who is behind it says what it should."""

import asyncio
from contextlib import suppress
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address, HostPort
from sidecar.checks._http import quoted, reveal
from sidecar.checks._net import Stream, TooMuchError, dial, record_expiry, start_tls, translated
from sidecar.checks._patterns import Pattern, compiled
from sidecar.model.families import PROBE_VALUE
from sidecar.secrets import Secret

_BREAKS: Final = {"crlf": b"\r\n", "lf": b"\n", "none": b""}


class TcpStep(BaseModel):
    """One step of a dialogue: something to send, something to expect, or the beginning of TLS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    send: Secret | None = Field(
        None,
        description="A text to send, with a line break behind it; it is never shown.",
        examples=["EHLO probe.example"],
    )
    expect: Pattern | None = Field(
        None,
        description="A pattern of RE2 that one of the next lines has to match; named groups that are numbers are "
        "exported as `probe_value{name}`.",
        examples=["^250 "],
    )
    starttls: bool = Field(False, description="Whether TLS begins here.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.send is not None) + (self.expect is not None) + self.starttls != 1:
            raise ValueError("expected one of `send`, `expect` and `starttls: true` in each step")
        return self


class TcpCheck(Check):
    """Connects, and holds a dialogue if told to."""

    type: Literal["tcp"] = "tcp"
    address: HostPort = Field(description="The host and the port to connect to.", examples=["gateway:8080"])
    tls: bool = Field(False, description="Whether the connection begins with TLS.")
    dialogue: tuple[TcpStep, ...] = Field(
        (),
        description="What is said, one step after the other.",
        max_length=100,
        examples=[[{"expect": "^220 "}, {"send": "QUIT"}]],
    )
    line_break: Literal["crlf", "lf", "none"] = Field(
        "crlf",
        description="What follows each text that is sent. With none, patterns look at everything that has come since "
        "the last match, instead of at lines.",
    )
    max_bytes: int = Field(64 * 1024, description="The most bytes that the peer may say.", ge=1, le=16 * 1024 * 1024)

    @model_validator(mode="after")
    def _encrypts_once(self) -> Self:
        if sum(step.starttls for step in self.dialogue) + self.tls > 1:
            raise ValueError("TLS begins more than once, expected one `starttls` step, or `tls: true`, or neither")
        return self

    @property
    def target(self) -> str:
        return f"tcp://{self.address}"

    async def probe(self, ctx: ProbeContext) -> None:
        at = Address.parse(self.address)
        sends = [reveal(step.send, "auth") if step.send else "" for step in self.dialogue]
        async with dial(ctx, at, tls=self.tls, most=self.max_bytes) as stream:
            talk = _Talk(ctx, stream, at, whole=self.line_break == "none")
            with translated(str(at), "the dialogue"):
                for number, (step, text) in enumerate(zip(self.dialogue, sends, strict=True), 1):
                    if step.starttls:
                        talk.forget()
                        await start_tls(ctx, stream, at, most=self.max_bytes)
                        record_expiry(ctx, stream)
                    elif step.expect is not None:
                        await talk.expect(number, step.expect)
                    else:
                        stream.writer.write(text.encode() + _BREAKS[self.line_break])
                        await stream.writer.drain()
        for name, value in talk.values.items():
            ctx.record(PROBE_VALUE, value, name=name)


class _Talk:
    """What the peer has said so far, and what of it was expected."""

    def __init__(self, ctx: ProbeContext, stream: Stream, at: Address, *, whole: bool) -> None:
        self._ctx = ctx
        self._stream = stream
        self._at = at
        self._whole = whole  # patterns look at everything that is unread, not at lines
        self._unread = b""
        self._last = ""
        self.values: dict[str, float] = {}  # of named groups

    async def expect(self, number: int, pattern: str) -> None:
        """Read until *pattern* matches; raises CheckFailed with the last that was said."""
        expected = f"expected a match of {pattern!r} in step {number}"
        regex = compiled(pattern)
        self._last = ""
        try:
            said = self._unread.decode("utf-8", "replace") if self._whole else await self._more()
            while said is not None:
                self._last = said or self._last
                if (found := regex.search(said)) and (said or not self._whole):
                    if self._whole:
                        self._unread = said[found.end() :].encode()
                    self._take(found.groupdict())
                    return
                said = await self._more()
        except asyncio.CancelledError:  # the prober's timeout, which knows nothing of steps
            self._ctx.note(step=number, expected=quoted(pattern), said=quoted(self._last))
            raise
        except TooMuchError as exc:
            raise CheckFailed("too_large", f"{self._at} said more than a probe listens to, {expected}") from exc
        if not self._last:
            raise CheckFailed("reset", f"{self._at} hung up without a word, {expected}")
        raise CheckFailed("assertion", f"{self._at} said {quoted(self._last)!r} and hung up, {expected}")

    async def _more(self) -> str | None:
        """The next line, or all that is unread with something new behind it; None after the end."""
        while self._whole or b"\n" not in self._unread:
            came = await self._stream.reader.read(2**16)
            self._unread += came
            if self._whole and came:
                return self._unread.decode("utf-8", "replace")
            if not came:
                rest, self._unread = self._unread, b""
                return rest.decode("utf-8", "replace") if rest and not self._whole else None
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def forget(self) -> None:
        """What was said before TLS could have come from anybody."""
        self._unread = b""

    def _take(self, groups: dict[str, str | None]) -> None:
        for name, text in groups.items():
            with suppress(ValueError):
                self.values[name] = float(text or "")

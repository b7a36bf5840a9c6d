"""Whether Claude streams a message to its end, and how fast."""

import asyncio
from dataclasses import replace
from typing import Final, Literal

from pydantic import Field

from sidecar.checks import CheckFailed, ProbeContext
from sidecar.checks.claude._call import Answer, failed, not_expected, whole
from sidecar.checks.claude._paid import PaidCheck
from sidecar.claude import messages
from sidecar.claude.errors import ErrorType, Fault
from sidecar.claude.sse import Decoder, OversizedEventError
from sidecar.claude.stream import StreamResult, judge
from sidecar.model.durations import Duration, show
from sidecar.model.families import CLAUDE_FIRST_TOKEN, CLAUDE_STREAM_GAP, CLAUDE_TOKENS_PER_SECOND
from sidecar.secrets import redact

_LARGEST: Final = 8 * 1024 * 1024  # bytes of a stream; a thousandfold of what the most tokens need
_BURST: Final = 0.02  # seconds in which many pieces of content come only when something has held them back
_MANY: Final = 4


class ClaudeStreamCheck(PaidCheck):
    """Asks for a streamed message and reads it raw: first token, gaps, speed, errors after the 200, and its end."""

    type: Literal["claude.stream"] = "claude.stream"
    timeout: Duration = Field(30.0, description="A stream that has not ended by then has failed.", gt=0)
    max_tokens: int = Field(32, description="The most tokens to pay for.", ge=1, le=4096)
    stall_after: Duration = Field(20.0, description="A stream without a byte for so long has stalled.", gt=0)
    content_after: Duration | None = Field(
        None,
        description="A stream without content for so long has failed, though it pings; `timeout` without it.",
        gt=0,
        examples=["10s"],
    )

    async def ask(self, ctx: ProbeContext) -> None:
        reading = _Reading(self, ctx)
        try:
            async with self.call(ctx, "POST", self.payload(self.max_tokens, stream=True), stream=True) as answer:
                if answer.response.content_type != "text/event-stream":
                    raise self._no_stream(ctx, answer, await whole(answer))
                await reading.run(answer)
        except CheckFailed as exc:
            if exc.error_type != ErrorType.RESET or not reading.begun:
                raise
        finally:
            reading.record()
        if failure := judge(reading.result):
            raise failed(ctx, failure)
        self.record_end(ctx, reading.result.stop_reason or "other", reading.result.model, reading.seconds)

    def _no_stream(self, ctx: ProbeContext, answer: Answer, body: bytes) -> CheckFailed:
        message = messages.parse(body)
        if message is None:
            return not_expected(ctx, answer.response, body)
        self.record_usage(ctx, message.usage)  # it is paid for
        ctx.note(fault=Fault.GATEWAY, next_step="Have the gateway pass `stream` on, and the answer piece by piece.")
        return CheckFailed(ErrorType.STREAM_ERROR, "got a whole message, expected a stream of events")


class _Reading:
    """One stream while it is read."""

    def __init__(self, check: ClaudeStreamCheck, ctx: ProbeContext) -> None:
        self._check = check
        self._ctx = ctx
        self._sent_at = 0.0
        # Earlier than the check as a whole gives up, since only here it is known what had come by then.
        margin = check.timeout - check.patience
        self._deadline = ctx.clock.monotonic() + check.patience - margin
        self._last_byte_at = 0.0
        self.begun = False
        self.result = StreamResult()

    @property
    def seconds(self) -> float:
        """From the request's leaving to the last event."""
        return (self.result.last_event_at or self._sent_at) - self._sent_at

    async def run(self, answer: Answer) -> None:
        """Read until the stream is over; raises CheckFailed when it dawdles."""
        self.begun = True
        self._sent_at = answer.sent_at
        self._last_byte_at = self._ctx.clock.monotonic()
        decoder, size = Decoder(), 0
        while not self.result.over:
            chunk = await self._next(answer)
            if not chunk:
                return
            at = self._last_byte_at = self._ctx.clock.monotonic()
            size += len(chunk)
            try:
                for event in decoder.feed(chunk):
                    # An error's words are cut to be shown, and half a secret would stay.
                    said = replace(event, data=redact(event.data)) if "error" in event.data else event
                    self.result = self.result.after(said, at)
            except OversizedEventError as exc:
                raise CheckFailed(ErrorType.STREAM_ERROR, f"{exc}, expected the API's") from exc
            if size > _LARGEST:
                raise CheckFailed(ErrorType.STREAM_ERROR, f"the stream is longer than {_LARGEST} bytes")

    async def _next(self, answer: Answer) -> bytes:
        """The next bytes, none at the end; raises CheckFailed once waiting makes no sense."""
        waits = [
            (self._last_byte_at + self._check.stall_after, ErrorType.STALLED),
            (self._deadline, ErrorType.PING_ONLY if self.result.ping_only else ErrorType.TIMEOUT),
        ]
        if self._check.content_after is not None and self.result.stop_reason is None:
            alive = ErrorType.PING_ONLY if self.result.pings else ErrorType.TIMEOUT
            # Gateways ping into a stream that has stalled, also after it had brought something.
            latest = self._sent_at if self.result.last_content_at is None else self.result.last_content_at
            waits.append((latest + self._check.content_after, alive))
        until, word = min(waits)
        try:
            async with asyncio.timeout(max(0.0, until - self._ctx.clock.monotonic())):
                return await answer.response.content.readany()
        except TimeoutError as exc:
            raise CheckFailed(word, self._why(word)) from exc

    def _why(self, word: ErrorType) -> str:
        seen = self.result
        so_far = f"after {seen.events} events ({seen.pings} pings) and {seen.deltas} pieces of content"
        match word:
            case ErrorType.STALLED:
                return f"the stream sent no byte for {show(self._check.stall_after)}, {so_far}"
            case ErrorType.PING_ONLY:
                more, since = ("", self._sent_at) if seen.last_content_at is None else ("more ", seen.last_content_at)
                waited = show(round(self._ctx.clock.monotonic() - since))
                return f"the stream is alive, but brought no {more}content within {waited}: {seen.pings} pings"
            case _ if self._ctx.clock.monotonic() < self._deadline:
                waited = show(round(self._ctx.clock.monotonic() - (seen.last_content_at or self._sent_at)))
                return f"the stream brought no content within {waited}, {so_far}"
            case _:
                return f"the stream had not ended within {show(self._check.timeout)}, {so_far}"

    def record(self) -> None:
        """What was measured, also of a stream that failed: its tokens are paid for."""
        seen, ctx, own = self.result, self._ctx, self._check.own
        if not seen.events:
            return
        silence = 0.0 if seen.over or seen.last_event_at is None else self._ctx.clock.monotonic() - seen.last_event_at
        ctx.record(CLAUDE_STREAM_GAP, max(seen.max_gap, silence), **own)
        if seen.started:
            self._check.record_usage(ctx, seen.usage)
        if seen.first_content_at is not None and seen.last_event_at is not None:
            ctx.record(CLAUDE_FIRST_TOKEN, seen.first_content_at - self._sent_at, **own)
            ctx.phase("first_token", seen.first_content_at - self._sent_at)
            ctx.phase("transfer", seen.last_event_at - seen.first_content_at)
            ctx.note(first_token=round(seen.first_content_at - self._sent_at, 3))
            spread = (seen.last_content_at or 0.0) - seen.first_content_at
            if seen.deltas >= _MANY and spread < _BURST:
                ctx.note(buffered="all content came at once, so something in between holds the stream back")
        if seen.tokens_per_second is not None:
            ctx.record(CLAUDE_TOKENS_PER_SECOND, seen.tokens_per_second, **own)

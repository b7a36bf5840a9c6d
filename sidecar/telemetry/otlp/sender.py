"""One message to a collector: sent until it is there, or until there is no sense in it."""

import asyncio
import gzip
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from sidecar import backoff
from sidecar.clock import Clock
from sidecar.model.families import TELEMETRY_DROPPED, TELEMETRY_FAILURES, TELEMETRY_SENT
from sidecar.model.labels import Labels
from sidecar.model.samples import Update
from sidecar.outbound import Outbound, OutboundError, read_limited, safe_url
from sidecar.secrets import SecretError, redact
from sidecar.telemetry.otlp.settings import Destination, Signal

log = structlog.get_logger(__name__)

AGAIN: Final = frozenset({429, 502, 503, 504})
"""Answers after which OTLP 1.x lets a client try again (opentelemetry.io/docs/specs/otlp, OTLP/HTTP, failures)."""
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_TEXT: Final = 300
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0


class Parse(Protocol):
    """Reads a collector's answer: how many items it refused, and what it says about that."""

    def __call__(self, body: bytes, /) -> tuple[int, str]: ...


@dataclass(frozen=True, slots=True)
class _Answer:
    reason: str
    message: str
    again: bool = False
    retry_after: float | None = None
    rejected: int = 0


class Sender:
    """Sends to one *destination*, counts what becomes of it, and tells the log when that begins to fail or to work.

    *chance* gives random numbers in [0, 1). *parse* reads an answer. The items of a message are its spans or points.
    """

    def __init__(
        self,
        signal: Signal,
        destination: Destination,
        outbound: Outbound,
        clock: Clock,
        *,
        parse: Parse,
        chance: Callable[[], float],
    ) -> None:
        self._signal = signal
        self._destination = destination
        self._outbound = outbound.with_network(destination.network)
        self._clock = clock
        self._parse = parse
        self._chance = chance
        self._failing = False
        self._rejecting = False
        self._sent = 0  # items, since somebody asked; as the next two
        self._dropped: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()  # attempts

    def updates(self) -> tuple[Update, ...]:
        """What became of the items since this was asked last."""
        labels = Labels(signal=self._signal)
        found = (
            Update(TELEMETRY_SENT, self._sent, labels),
            *(Update(TELEMETRY_DROPPED, n, labels.with_(reason=reason)) for reason, n in self._dropped.items()),
            *(Update(TELEMETRY_FAILURES, n, labels.with_(reason=reason)) for reason, n in self._failures.items()),
        )
        self._sent = 0
        self._dropped.clear()
        self._failures.clear()
        return found

    def drop(self, reason: str, items: int) -> None:
        """So many items are not sent."""
        if items:
            self._dropped[reason] += items

    async def send(self, message: Callable[[], bytes], items: int, within: float) -> None:
        """Send what *message* makes, which is called on a thread; try again for *within* seconds at most."""
        reason, rejected = await self._send(message, within)
        self.drop(reason or "rejected", items if reason else rejected)
        self._sent += 0 if reason else items - rejected

    async def _send(self, message: Callable[[], bytes], within: float) -> tuple[str, int]:
        """Why it did not arrive, or how many items the collector took it without."""
        deadline = self._clock.monotonic() + within
        body = await asyncio.to_thread(self._encode, message)
        tried = 0
        while True:
            answer = await self._attempt(body)
            tried += 1
            if not answer.reason:
                self._works(answer)
                return "", answer.rejected
            self._failures[answer.reason] += 1
            self._fails(answer)
            delay = backoff.full_jitter(tried, self._chance(), base=_FIRST_WAIT, cap=_LONGEST_WAIT)
            delay = backoff.asked(delay, answer.retry_after, self._chance())
            if not answer.again or self._clock.monotonic() + delay > deadline:
                return answer.reason, 0
            await asyncio.sleep(delay)

    def _encode(self, message: Callable[[], bytes]) -> bytes:
        body = message()
        return gzip.compress(body, 5) if self._destination.gzip else body

    async def _attempt(self, body: bytes) -> _Answer:
        headers = {"Content-Type": "application/x-protobuf"}
        if self._destination.gzip:
            headers["Content-Encoding"] = "gzip"
        try:
            headers |= {name: secret.reveal() for name, secret in self._destination.headers.items()}
        except SecretError as exc:
            return _Answer("secret", str(exc), again=True)  # a volume may be mounted late
        try:
            async with (
                asyncio.timeout(self._destination.timeout),
                self._outbound.request("POST", self._destination.url, headers=headers, body=body) as response,
            ):
                status, asked = response.status, response.headers.get("Retry-After", "")
                content = await read_limited(response, _LONGEST_ANSWER)
        except TimeoutError:
            return _Answer("timeout", f"no answer within {self._destination.timeout:g} s", again=True)
        except OutboundError as exc:
            return _Answer(exc.error_type, exc.message, again=exc.error_type not in ("bad_request", "too_large"))
        if status in AGAIN:
            return _Answer(
                "busy", f"HTTP {status}", again=True, retry_after=backoff.retry_after(asked, self._clock.time())
            )
        if not 200 <= status < 300:
            said = _shown(content.decode().strip()) if content.isascii() else ""
            return _Answer("refused", f"HTTP {status}, expected 200{said and f': {said}'}")
        rejected, said = self._parse(content)
        return _Answer("", said, rejected=rejected)

    def _fails(self, answer: _Answer) -> None:
        facts = {"signal": self._signal, "url": safe_url(self._destination.url), "error": redact(answer.message)}
        if self._failing:
            log.debug("telemetry.failed", reason=answer.reason, **facts)
            return
        self._failing = True
        log.warning("telemetry.failed", reason=answer.reason, consequence="said once; see /metrics", **facts)

    def _works(self, answer: _Answer) -> None:
        if self._failing:
            self._failing = False
            log.info("telemetry.works", signal=self._signal, url=safe_url(self._destination.url))
        if answer.rejected and not self._rejecting:
            self._rejecting = True
            said = _shown(answer.message)
            log.warning("telemetry.rejected", signal=self._signal, items=answer.rejected, error=said)


def _shown(text: str) -> str:
    """What somebody else said, short; cut when the secrets are out, because half of one would not be recognised."""
    return redact(text)[:_LONGEST_TEXT]

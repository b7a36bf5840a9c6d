"""A thread that sends what others put into a queue."""

import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sidecar.client._batches import Batch, Event, Writer
from sidecar.client._stats import Stats
from sidecar.client._wire import Answer, Wire, WireError

log = logging.getLogger("sidecar.client")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts
_TOO_LARGE = 413
_AGAIN = frozenset({401, 403, 408, 425, 429})  # a token may be changed under us


class Sender:
    """Sends events in batches from a daemon thread, which begins with the first event.

    The queue holds *most* events; beyond that the oldest go: when the sidecar comes back, what happened last is what
    its rules look at.
    """

    def __init__(
        self, wire: Wire, sender: str, *, every: float, size: int, most: int, max_age: float, metas: Mapping[str, Any]
    ) -> None:
        self._wire = wire
        self._sender = sender
        self._every = every
        self._size = size
        self._most = most
        self._max_age = max_age
        self._queue: deque[Event] = deque()
        self._pending: deque[tuple[Batch, float]] = deque()  # made, and not taken by the sidecar yet
        self._writer = Writer(os.urandom(6).hex(), metas)
        self._stats = Stats()
        self._lock = threading.RLock()  # a signal handler may interrupt the thread that holds it, and put, too
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._asked = False  # to send now
        self._closing = False
        self._pause = 0.0  # seconds to the next attempt, after one that failed
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        """Remember *event*, to be sent soon."""
        with self._lock:
            if self._closing:
                self._add(lost=1)
                return
            if len(self._queue) >= self._most:
                self._queue.popleft()
                self._add(dropped=1)
            self._queue.append(event)
            self._idle.clear()
            if self._thread is None:
                self._start()
            full = len(self._queue) == self._size
        if full:
            self._wake.set()

    def refuse(self) -> None:
        """Count what was no event."""
        with self._lock:
            self._add(invalid=1)

    def stats(self) -> Stats:
        """What became of the events so far."""
        with self._lock:
            return replace(self._stats, queued=self._waiting())

    def flush(self, timeout: float) -> bool:
        """Send now, and wait for it; whether all was taken within *timeout* seconds."""
        self._asked = True
        self._wake.set()
        return self._idle.wait(timeout)

    def close(self, timeout: float) -> None:
        """Send what waits, for *timeout* seconds at most; what is put later is lost."""
        with self._lock:
            self._closing = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
        with self._lock:
            lost = self._waiting()
            self._queue.clear()
            self._pending.clear()
            self._add(lost=lost)
        if lost:
            log.warning("closed with %d events that were not sent", lost)

    def _waiting(self) -> int:
        return len(self._queue) + sum(len(batch.lines) for batch, _ in self._pending)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="sidecar-client", daemon=True)
        with suppress(RuntimeError):  # the interpreter ends, or there are too many threads: the next event tries again
            thread.start()
            self._thread = thread

    # In the thread

    def _run(self) -> None:
        while True:
            self._rest()
            last = self._closing
            try:
                self._turn()
            except Exception:
                log.exception("the client goes on after an error of its own")
                self._pause = _LONGEST_PAUSE
            if last:
                self._wire.close()
                return

    def _rest(self) -> None:
        """Wait for the next turn: a while, a full batch, or somebody who asks."""
        until = time.monotonic() + (self._pause or self._every)
        while not (self._closing or self._asked):
            left = until - time.monotonic()
            if left <= 0 or (not self._pause and len(self._queue) >= self._size):
                break
            self._wake.wait(left)
            self._wake.clear()
        self._asked = False

    def _turn(self) -> None:
        """Send all that waits, until the sidecar does not take it."""
        while True:
            if not self._pending:
                self._take()
            with self._lock:
                if not self._pending and not self._queue:
                    self._idle.set()
                    return
            if self._pending and not self._deliver():
                return

    def _take(self) -> None:
        """Make the next batch."""
        now = time.monotonic()
        with self._lock:
            events = [self._queue.popleft() for _ in range(min(self._size, len(self._queue)))]
        young = [event for event in events if now - event.at <= self._max_age]
        batch, invalid = self._writer.batch(young)
        with self._lock:
            self._add(expired=len(events) - len(young), invalid=invalid)
            if batch.lines:
                self._pending.append((batch, now))

    def _deliver(self) -> bool:
        """Send the first batch; whether the next may follow."""
        batch, since = self._pending[0]
        if time.monotonic() - since > self._max_age:
            with self._lock:
                self._pending.popleft()
                self._add(expired=len(batch.lines))
            return True
        try:
            answer = self._wire.post(batch.body, self._sender)
        except WireError as exc:
            return self._failed(str(exc), None)
        if answer.status in _AGAIN or answer.status >= 500:
            return self._failed(_words(answer), answer.retry_after)
        with self._lock:
            if self._pending:  # else the client was closed meanwhile
                self._pending.popleft()
            if answer.status == _TOO_LARGE and len(batch.lines) > 1:
                self._pending.extendleft((half, since) for half in reversed(batch.halves()))
            else:
                self._told(batch, answer)
        return True

    def _told(self, batch: Batch, answer: Answer) -> None:
        """The sidecar has answered; there is nothing to send again."""
        accepted, duplicates = _count(answer, "accepted"), _count(answer, "duplicates")
        rejected = _count(answer, "rejected_total")
        lost = 0 if accepted + duplicates + rejected else len(batch.lines)
        error = _words(answer) if lost or rejected else ""
        if error and error != self._stats.last_error:
            log.warning("the sidecar refuses events: %s", error)
        elif not self._stats.connected:
            log.info("the sidecar takes events")
        self._pause = 0.0
        self._add(sent=len(batch.lines), accepted=accepted, duplicates=duplicates, rejected=rejected, lost=lost)
        self._stats = replace(self._stats, connected=True, last_error=error or self._stats.last_error)

    def _failed(self, why: str, retry_after: float | None) -> bool:
        """Wait longer, and try again; the first failure of a row is logged."""
        with self._lock:
            if self._stats.connected or not self._stats.failures:
                log.warning("the sidecar takes no events: %s", why)
            self._add(failures=1)
            self._stats = replace(self._stats, connected=False, last_error=why)
        longer = max(_FIRST_PAUSE, self._pause * 2.0, retry_after or 0.0)
        self._pause = min(_LONGEST_PAUSE, longer) * random.uniform(0.8, 1.0)  # noqa: S311 -- spread, not a secret
        return False

    def _add(self, **counts: int) -> None:
        self._stats = replace(self._stats, **{name: getattr(self._stats, name) + n for name, n in counts.items()})


def _count(answer: Answer, name: str) -> int:
    found = answer.body.get(name, 0)
    return found if isinstance(found, int) else 0


def _words(answer: Answer) -> str:
    """What the sidecar complains of."""
    rejected = answer.body.get("rejected")
    first = rejected[0] if isinstance(rejected, list) and rejected else {}
    said = answer.body.get("error") or (first.get("message") if isinstance(first, dict) else "")
    return f"got {answer.status}: {said or 'no reason'}"[:300]

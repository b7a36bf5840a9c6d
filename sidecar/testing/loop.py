"""An event loop whose time jumps to the next timer instead of waiting for it."""

import asyncio
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar, TypeVarTuple

import time_machine

START: Final = 1767614400.0
"""The wall clock when a virtual loop is made: Monday, 2026-01-05 12:00:00 UTC."""

_NANO: Final = 1_000_000_000
_BUSY: Final = 1000

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualTimeError(RuntimeError):
    """Something that cannot work in virtual time, or a virtual loop that does not end."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on which an hour of waiting costs nothing.

    `time()` begins at 0. The wall clock of the whole process (`time.time`, `datetime.now`; not `time.monotonic`, which
    hypothesis and pytest read) is START when the loop is made, moves with the loop, and is real again when the loop is
    closed. Executor jobs are waited for in real time before time jumps. Threads of one's own and real sockets are not
    seen: what needs them runs on the ordinary loop.

    `patience` is how many real seconds the loop may live before it raises VirtualTimeError; without it, a loop of
    timers that never ends would swallow the exception by which a signal handler wants to end it.
    """

    def __init__(self, *, patience: float | None = None) -> None:
        self._now = 0.0
        self._wall_offset = 0.0
        self._wall_ns = round(START * _NANO)
        self._jobs = 0
        self._pool: ThreadPoolExecutor | None = None
        self._patience = patience
        self._made_at = time.perf_counter()
        super().__init__(_JumpingSelector(self))
        self._travel = time_machine.travel(START, tick=False)
        self._traveller = self._travel.start()

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    @property
    def busy(self) -> bool:
        """Whether executor jobs are running, for which time stands still."""
        return self._jobs > 0

    def step_wall(self, seconds: float) -> None:
        """Move the wall clock, and it alone, as an operator or a resumed machine does; negative is back."""
        self._wall_offset += seconds
        self._move_wall()

    def endure(self) -> None:
        """Raise VirtualTimeError if the loop has lived too long."""
        lived = time.perf_counter() - self._made_at
        if self._patience is not None and lived > self._patience:
            self._patience = None  # once: the loop is still needed to clean up
            raise VirtualTimeError(f"still running after {lived:.0f} real seconds, at {self._now:.1f} virtual seconds")

    def jump(self) -> None:
        """Move time to the next timer."""
        self.endure()
        # The timer's own instant, not a sum, so that an hour of sleeps of 15 s ends at 3600.0 exactly.
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # asyncio's own heap
        self._now = max(self._now, timers[0].when())
        self._move_wall()

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As the base class; time stands still until the job is done, also when nobody waits for it any more."""
        if executor is None and self._pool is None:
            self._check_closed()  # type: ignore[attr-defined]  # asyncio's own
            self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        pool = executor or self._pool
        assert pool is not None
        submitted = pool.submit(func, *args)
        self._jobs += 1
        future = asyncio.wrap_future(submitted, loop=self)
        # Added after wrap_future's own callback: the result is under way before the job counts as done.
        submitted.add_done_callback(self._job_ended)
        return future

    def set_default_executor(self, executor: ThreadPoolExecutor) -> None:  # type: ignore[override]  # as documented
        """As the base class."""
        self._pool = executor
        super().set_default_executor(executor)

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As the base class; its thread is waited for in real time."""
        self._jobs += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._jobs -= 1

    async def subprocess_exec(self, *args: Any, **_: Any) -> Any:
        """Refused: a process lives in real time."""
        raise VirtualTimeError(f"got a process {args[1:2]}, expected none in virtual time; use the ordinary loop")

    subprocess_shell = subprocess_exec

    def close(self) -> None:
        """Close the loop and give the process its wall clock back."""
        if not self.is_closed():
            super().close()
            self._travel.stop()

    def _job_ended(self, _: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop was closed before the job ended
            self.call_soon_threadsafe(self._count_down)

    def _count_down(self) -> None:
        self._jobs -= 1

    def _move_wall(self) -> None:
        wall_ns = round((START + self._wall_offset) * _NANO) + round(self._now * _NANO)
        self._traveller.shift((wall_ns - self._wall_ns) / _NANO)
        self._wall_ns = wall_ns


class _JumpingSelector(selectors.DefaultSelector):
    """Looks for what is ready; where another selector would wait for a timer, lets the loop jump to it."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop
        self._idle = 0  # how often the loop had work and looked at nothing

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0:
            self._idle += 1
            if self._idle % _BUSY:
                return []  # the loop has work: what came through its pipe can wait until it has none
            self._loop.endure()  # or for a while: the work may be to wait for just that
            return super().select(0)
        if self._loop.busy or timeout is None:
            # A thread's result, or what a thread or signal unknown to us will send, comes through the loop's own pipe.
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self._loop.jump()
        return ready

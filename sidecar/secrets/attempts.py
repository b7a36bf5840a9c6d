"""A second attempt with secrets that have changed since the first."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")

RETRIED = "secret changed"
"""Why there was a second attempt, in words for a person."""


class Changing(Protocol):
    """A secret whose value may be another the next time."""

    def again(self) -> str | None:
        """The value as it stands now where it is kept, however sure we were of it; None when it cannot be had."""


class Attempt:
    """Which values were used in one attempt, and whether the other end refused them."""

    def __init__(self) -> None:
        self.refused = False
        self._used: list[tuple[Changing, str]] = []

    def used(self, secret: Changing, value: str) -> None:
        """*value* was revealed, and may have left."""
        if (secret, value) not in self._used:
            self._used.append((secret, value))

    def is_worth_another(self) -> bool:
        """Whether it was refused with a value that is another by now, wherever it is kept. Reads it there."""
        # All are read, since the second attempt uses all of them.
        present = [(secret.again(), value) for secret, value in self._used] if self.refused else []
        return any(now not in (value, None) for now, value in present)


_current: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def underway() -> bool:
    """Whether this is part of an attempt."""
    return _current.get() is not None


def used(secret: Changing, value: str) -> None:
    """Note, within an attempt, that *value* was revealed."""
    if (attempt := _current.get()) is not None:
        attempt.used(secret, value)


def refused() -> None:
    """Say that the other end did not accept the credentials of what is attempted."""
    if (attempt := _current.get()) is not None:
        attempt.refused = True


@contextmanager
def attempting() -> Iterator[Attempt]:
    """Whatever is revealed or refused in the block, also by its tasks and threads, belongs to one attempt."""
    attempt = Attempt()
    token = _current.set(attempt)
    try:
        yield attempt
    finally:
        _current.reset(token)


async def attempted(act: Callable[[], Awaitable[T]], between: Callable[[], None]) -> T:
    """What *act* returns; one that fails is repeated if it was `refused` with a secret that has changed.

    A rotated secret is seen when its file's time, size or number is another; a file that was written anew in place may
    keep them, and one that changes while a request is on its way was read too early. *between* is called before the
    second attempt, whose failure stands. What did not change is not asked again: a refusal is repeated by nobody.
    """
    with attempting() as first:
        try:
            return await act()
        except Exception:
            if not first.is_worth_another():
                raise
    between()
    return await act()

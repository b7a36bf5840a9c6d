"""`sidecar status --watch`: look again and again, and say honestly when there is no answer."""

import json
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import Final

import click

from sidecar.cli import screen, terminal
from sidecar.cli.client import Client, NoAnswer, Refused
from sidecar.cli.status import checks, page
from sidecar.cli.status.looking import Known, is_fine, look
from sidecar.model.durations import show

_PATIENCE: Final = 5.0
"""Seconds for one answer: who watches wants to know that there is none."""
_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last looks came to."""

    known: Known | None = None
    at: float = 0.0  # monotonic, of the last answer
    error: str = ""  # of the last look; empty if it was answered


def watch(client: Client, window: str, every: float, *, as_json: bool) -> bool:
    """Show it until somebody has seen enough; returns whether all was well in the end."""
    patient = replace(client, timeout=max(_PATIENCE, every), moving=False)
    if as_json or not terminal.is_live(sys.stdout):
        _print(patient, window, every, as_json=as_json)
    looker = _Looker(patient, window, every)
    with _own_screen() as keys, looker.at_work() as news:
        while True:
            _draw(looker.seen, client.url, every)
            ready, _, _ = select.select([news, *keys], [], [], 1.0)
            if news in ready:
                os.read(news, 4096)
            if keys and keys[0] in ready:
                pressed = os.read(keys[0], 64)
                if not pressed or b"q" in pressed.lower():
                    known = looker.seen.known
                    return known is not None and not looker.seen.error and is_fine(known)
                looker.now.set()


def _print(client: Client, window: str, every: float, *, as_json: bool) -> None:
    """One look after the other, for whom it is written to a file."""
    while True:
        try:
            known = look(client, window, checks.probes())
            text = json.dumps(known) if as_json else "\n".join([*page.lines(known, client.url), ""])
        except (NoAnswer, Refused) as exc:
            error = {"type": exc.word, "message": exc.message}
            text = json.dumps({"error": error}) if as_json else f"● {exc.message}\n"
        click.echo(text)
        time.sleep(every)


class _Looker:
    """Looks, on a thread of its own: a daemon that does not answer must not keep the keys from being heard."""

    def __init__(self, client: Client, window: str, every: float) -> None:
        self.seen = Seen()
        self.now = threading.Event()
        self._client, self._window, self._every = client, window, every

    @contextmanager
    def at_work(self) -> Iterator[int]:
        """Look for as long as the block lasts; the descriptor can be read when there is something to draw."""
        news, tell = os.pipe()
        os.set_blocking(tell, False)  # a full pipe is news enough
        before = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        previous = signal.signal(signal.SIGWINCH, _nothing)  # it wakes us up, through the pipe
        threading.Thread(target=self._run, args=(tell,), name="looker", daemon=True).start()
        try:
            yield news
        finally:
            signal.set_wakeup_fd(before)
            signal.signal(signal.SIGWINCH, previous)

    def _run(self, tell: int) -> None:
        while True:
            self.seen = self._look()
            with suppress(BlockingIOError):
                os.write(tell, b".")
            self.now.wait(self._every)
            self.now.clear()

    def _look(self) -> Seen:
        try:
            return Seen(look(self._client, self._window, checks.probes()), time.monotonic())
        except (NoAnswer, Refused) as exc:
            return replace(self.seen, error=exc.message)


def _nothing(_: int, __: FrameType | None) -> None:
    """A signal that is only to wake us up."""


def _draw(seen: Seen, url: str, every: float) -> None:
    room = terminal.rows()
    shown = [*_lost(seen, url), *_body(seen, url, room)][: room - 1]
    foot = f"every {show(every)}   q ends   any other key looks now"
    below = screen.colour(screen.cut(foot, screen.width()), "bright_black")
    lines = [*shown, *[""] * (room - 1 - len(shown)), below]
    if terminal.colours() is False:
        lines = [*map(click.unstyle, lines)]
    sys.stdout.write("\x1b[H" + "\x1b[K\n".join(lines) + "\x1b[K\x1b[J")
    sys.stdout.flush()


def _lost(seen: Seen, url: str) -> list[str]:
    """That there is no answer, and how old what is shown is."""
    if not seen.error:
        return [] if seen.known else [f"asking {url} …"]
    if seen.known is None:
        return [screen.colour(line, "red") for line in screen.wrapped(seen.error)]
    age = screen.lasting(time.monotonic() - seen.at)
    said = f"NO ANSWER for {age}; below is what was known then. {seen.error.partition(';')[0]}"
    return [*(screen.colour(line.strip(), "red") for line in screen.wrapped(said)[:2]), ""]


def _body(seen: Seen, url: str, room: int) -> list[str]:
    if seen.known is None:
        return []
    above = len(_lost(seen, url))
    return list(page.lines(seen.known, url, most=room, room=room - above - 1))


@contextmanager
def _own_screen() -> Iterator[list[int]]:
    """The alternate screen, its cursor hidden and keys heard at once; in the end it is as it was, however it ends."""
    keys = [sys.stdin.fileno()] if terminal.is_live(sys.stdin) else []
    before = [termios.tcgetattr(key) for key in keys]

    def take() -> None:
        for key in keys:
            tty.setcbreak(key)
        sys.stdout.write(_ENTER)

    def give() -> None:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        for key, modes in zip(keys, before, strict=True):
            termios.tcsetattr(key, termios.TCSADRAIN, modes)

    with _signals(take, give):
        take()
        try:
            yield keys
        finally:
            give()


@contextmanager
def _signals(take: Callable[[], None], give: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and a closed terminal end us in order; Ctrl-Z gives the terminal back until we go on."""

    def ended(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def paused(_: int, __: FrameType | None) -> None:
        give()
        os.kill(os.getpid(), signal.SIGSTOP)
        take()

    handlers = {signal.SIGTERM: ended, signal.SIGHUP: ended, signal.SIGTSTP: paused}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""`sidecar status --watch`, as a person sits before it."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.known import INCIDENT

# A terminal of its own is what Ctrl-C and a change of the size come from.
START = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from sidecar.cli import main; main()"
ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
ANSWERS = {
    "/api/v1/summary": INCIDENT["summary"],
    "/api/v1/checks": INCIDENT["checks"],
    "/api/v1/alerts": {"alerts": INCIDENT["alerts"]},
    "/api/v1/silences": {"silences": INCIDENT["silences"]},
    "/api/v1/notifications": {"waiting": []},
}


class Answering(BaseHTTPRequestHandler):
    """A daemon in an incident."""

    def do_GET(self) -> None:
        body = json.dumps({"status": "success", "data": ANSWERS[self.path.partition("?")[0]]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def daemon(port: int = 0) -> Iterator[int]:
    """Something that answers as a daemon does, on the port that it gives."""
    with ThreadingHTTPServer(("127.0.0.1", port), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class Terminal:
    """A terminal with `sidecar` in it."""

    def __init__(self, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.said = ""
        self.resize(24, 80)
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, "status", "--watch", "--every", "100ms", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment | {"TERM": "xterm-256color", "TZ": "UTC"},
            start_new_session=True,
        )

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def until(self, seen: Callable[[list[str]], object]) -> list[str]:
        """Wait until the picture is as *seen* wants it; its lines, without colours."""
        patience = time.monotonic() + 30
        while time.monotonic() < patience:
            if select.select([self._master], [], [], 0.1)[0]:
                self.said += os.read(self._master, 65536).decode()
            pictures = self.said.split("\x1b[H")[1:]
            for picture in pictures[-2:]:  # the last one may not be whole yet
                lines = (
                    re.sub(r"\x1b\[[0-9;]*m", "", picture).replace("\x1b[K", "").partition("\x1b[J")[0].split("\r\n")
                )
                if picture.endswith("\x1b[J") and seen(lines):
                    return lines
        raise AssertionError(f"never seen; the last picture: {self.said.split(chr(27) + '[H')[-1]}")

    def end(self) -> int:
        """The exit code; what was still said is kept, and the terminal is as it was."""
        code = self.process.wait(30)
        while select.select([self._master], [], [], 0)[0]:
            self.said += os.read(self._master, 65536).decode()
        assert termios.tcgetattr(self.slave) == self.before, "keys are shown again"
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self.slave)


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    """Open terminals, and see to it that nothing is left of them."""
    with ExitStack() as stack:

        def opened(*words: str) -> Terminal:
            return stack.enter_context(closing(Terminal(*words)))

        yield opened


@pytest.mark.realtime
def test_a_daemon_is_watched_through_its_restart(open_terminal):
    """The picture follows the size of the terminal, says how old it is without an answer; Ctrl-Z and q give it back."""
    with daemon() as port:
        terminal = open_terminal("--url", f"http://127.0.0.1:{port}")
        lines = terminal.until(lambda lines: lines[0].startswith("● critical"))
        assert len(lines) == 24
        assert max(map(len, lines)) <= 80
        assert lines[-1] == "every 100ms   q ends   any other key looks now"
        terminal.resize(30, 60)
        lines = terminal.until(lambda lines: len(lines) == 30 and max(map(len, lines)) <= 60)
        assert any("✗ claude" in line for line in lines)
    lines = terminal.until(lambda lines: lines[0].startswith("NO ANSWER for "))
    assert "connection refused" in " ".join(lines[:2])
    assert any("✗ claude" in line for line in lines), "what was known stays"
    with daemon(port):
        terminal.until(lambda lines: lines[0].startswith("● critical"))
        terminal.press(b"\x1a")
        os.waitpid(terminal.process.pid, os.WUNTRACED)
        assert termios.tcgetattr(terminal.slave) == terminal.before, "the shell has its terminal back"
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(lambda lines: terminal.said.count(ENTER) == 2 and lines[0].startswith("● critical"))
        terminal.press(b"q")
        assert terminal.end() == 1
    assert terminal.said.startswith(ENTER)
    assert terminal.said.endswith(LEAVE)


@pytest.mark.realtime
@pytest.mark.parametrize(("key", "code"), [pytest.param(b"\x03", 130, id="Ctrl-C"), pytest.param(b"q", 1, id="q")])
def test_nobody_was_ever_there(open_terminal, key, code):
    """Without a daemon the screen says so, and leaves the terminal as it was."""
    terminal = open_terminal("--url", "http://127.0.0.1:1")
    terminal.until(lambda lines: "no daemon at http://127.0.0.1:1: connection refused" in " ".join(lines))
    terminal.press(key)

    assert terminal.end() == code
    assert LEAVE in terminal.said
    assert "Traceback" not in terminal.said


@pytest.fixture
def interrupted(monkeypatch):
    """Let nobody wait, and press Ctrl-C after three looks; the seconds of each wait."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("sidecar.cli.status.watching.time.sleep", sleep)
    return waits


def test_watching_into_a_pipe_goes_on(sidecar, interrupted):
    """Without a terminal each look is printed below the one before, without any control sequence."""
    with daemon() as port:
        said = sidecar("status", "--watch", "--url", f"http://127.0.0.1:{port}")

    assert interrupted == [2.0, 2.0, 2.0]
    assert said.out.count("● critical") == 3
    assert "\x1b" not in said.out
    assert said.code == 130


def test_watching_for_machines_is_one_object_a_line(sidecar, interrupted):
    """--json has an object for each look, and says within one that there is no answer."""
    with daemon() as port:
        said = sidecar("status", "--watch", "--json", "--every", "1m", "--url", f"http://127.0.0.1:{port}")
    assert interrupted == [60.0] * 3
    assert [json.loads(line)["summary"]["health"] for line in said.out.splitlines()] == ["critical"] * 3

    interrupted.clear()
    said = sidecar("status", "--watch", "--json", "--url", "http://127.0.0.1:1")

    assert {json.loads(line)["error"]["type"] for line in said.out.splitlines()} == {"no_answer"}

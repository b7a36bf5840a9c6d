"""What is written depends on what the other end can show."""

import io
import os
import pty
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import pytest

from sidecar.cli import progress, screen, tables, terminal
from sidecar.cli.tables import Column

ROWS = [("first", "up 3d", "35ms", "because"), ("second-with-a-long-name", "down 2m", "", "of what it says")]
COLUMNS = (
    Column("NAME", least=8),
    Column("state"),
    Column("took", keep=20, right=True),
    Column("why", keep=10, least=9),
)


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        pytest.param(
            80,
            [
                "NAME                       state    took  why",
                "  first                    up 3d    35ms  because",
                "  second-with-a-long-name  down 2m        of what it says",
            ],
            id="room for all",
        ),
        pytest.param(
            46,
            [
                "NAME                  state    took  why",
                "  first               up 3d    35ms  because",
                "  second-with-a-lon…  down 2m        of what…",
            ],
            id="what may shrink does, the least important before",
        ),
        pytest.param(
            26,
            ["NAME         state    took", "  first      up 3d    35ms", "  second-w…  down 2m"],
            id="then the least important leaves",
        ),
        pytest.param(18, ["NAME       state", "  first    up 3d", "  second…  down 2m"], id="what stays is cut"),
    ],
)
def test_a_table_fits(room, lines):
    """Nothing is wider than there is room for."""
    shown = tables.fitted(COLUMNS, ROWS, room)

    assert [click.unstyle(line) for line in shown] == lines
    assert max(map(terminal.measure, lines)) <= room


def test_columns_are_those_of_the_terminal():
    """Wide characters take two columns, accents none; what is cut is cut between them."""
    assert terminal.measure("日本") == 4
    assert terminal.measure("e\N{COMBINING ACUTE ACCENT}") == 1
    assert terminal.cut("日本語テキスト", 6) == "日本…"
    assert screen.table([("日本", "x"), ("abcd", "y")], indent=0) == ["日本  x", "abcd  y"]


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        pytest.param({}, None, id="as the stream is"),
        pytest.param({"NO_COLOR": "1"}, False, id="never"),
        pytest.param({"FORCE_COLOR": "1"}, True, id="always"),
        pytest.param({"FORCE_COLOR": "0"}, None, id="not forced"),
        pytest.param({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, id="never wins"),
        pytest.param({"TERM": "dumb"}, False, id="a terminal without them"),
        pytest.param({"TERM": "dumb", "FORCE_COLOR": "1"}, True, id="somebody knows better"),
    ],
)
def test_colours_are_where_they_are_wanted(monkeypatch, variables, wanted):
    """The usual variables are heard."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert terminal.colours() is wanted


def test_colours_may_be_forced_into_a_pipe(sidecar, monkeypatch, tmp_path):
    """FORCE_COLOR reaches every command, and NO_COLOR takes all of it out."""
    (tmp_path / "sidecar.yml").write_text("checks: []\n")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32mOK" in sidecar("diagnose", tmp_path / "sidecar.yml").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in sidecar("diagnose", tmp_path / "sidecar.yml").out


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        pytest.param("ascii", b"* x down > .=@ ~ ? ? ?\n", id="ascii"),
        pytest.param("latin-1", b"* x down > .=@ ~ \xe9 ? ?\n", id="latin-1"),
        pytest.param("utf-8", "● ✗ down → ▁▄█ … é ? 日\n".encode(), id="utf-8"),
    ],
)
def test_what_cannot_be_written_is_spelled(monkeypatch, encoding, said):
    """Signs that an encoding does not have become ASCII of the same width; nothing ends the command."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    terminal.prepare()

    click.echo("● ✗ down → ▁▄█ … é \udcff 日")

    assert raw.getvalue() == said


@contextmanager
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Standard error is a terminal; what is written to it next."""
    ours, theirs = pty.openpty()
    with monkeypatch.context() as patch, os.fdopen(theirs, "w", encoding="utf-8") as stream:
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stderr", stream)
        yield lambda: os.read(ours, 65536).decode("utf-8", "replace")
        patch.undo()
    os.close(ours)


def test_a_line_moves_while_one_waits(monkeypatch, capsys):
    """On a terminal a line says what is done; it makes room for what is printed, and is gone at the end."""
    monkeypatch.setattr(progress, "_TURN", 0.001)
    seen = ""
    with tty(monkeypatch) as said:
        with progress.waiting("probing", patience=0.0) as shown:
            while "probing" not in seen:
                seen += said()
            shown.say("still probing")
            while "still probing" not in seen:
                seen += said()
            shown.echo("a result")
        while not seen.endswith("\r\x1b[K"):
            seen += said()

    assert capsys.readouterr().out == "a result\n"
    assert all(thread.name != "progress" for thread in threading.enumerate())


def test_nothing_moves_in_a_pipe(capsys, monkeypatch):
    """Without a terminal there is no line, and no thread."""
    monkeypatch.setattr(progress, "_TURN", 0.001)
    before = threading.active_count()
    with progress.waiting("probing", patience=0.0) as shown:
        assert threading.active_count() == before
        shown.echo("a result")

    assert capsys.readouterr() == ("a result\n", "")


def test_what_is_quick_shows_nothing(monkeypatch):
    """Who need not wait sees no flicker."""
    with tty(monkeypatch) as said:
        with progress.waiting("probing", patience=60.0):
            pass

        sys.stderr.write("end")
        sys.stderr.flush()
        assert said() == "end"

import errno
import json
import logging
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog

from sidecar.telemetry import logfile, tracing
from sidecar.telemetry.logfile import RETRY, LogFile, LogFileSettings
from sidecar.telemetry.logs import configure
from sidecar.telemetry.otlp.spans import Keep, OtelTracer

SECRET = "sk-ant-planted"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is global: put back what was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if isinstance(handler, LogFile):
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    tracing.install(None)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch) -> Time:
    """The clock of files that are made from now on."""
    time = Time()
    monkeypatch.setattr(logfile.LogFile.__init__, "__kwdefaults__", {"monotonic": time})
    return time


def configured(path: Path, **more: Any) -> StringIO:
    """Standard error, while the log goes to *path*, too."""
    err = StringIO()
    settings = LogFileSettings(path=str(path), **more)
    configure(
        form="console", stream=err, redact=lambda text: text.replace(SECRET, "***"), environment={}, file=settings
    )
    return err


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


log = structlog.get_logger("sidecar")


def test_the_file_has_the_lines_as_json(tmp_path):
    """Each line is in the file as JSON without secrets, and on standard error in its own form; the folder is made."""
    err = configured(tmp_path / "logs" / "sidecar.json")
    log.info("first", fact=SECRET)
    logging.getLogger("library").warning("second %s", SECRET)

    lines = [json.loads(line) for line in (tmp_path / "logs" / "sidecar.json").read_text().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("first", "info"), ("second ***", "warning")]
    assert lines[0]["fact"] == "***"
    assert "first" in err.getvalue()
    assert "{" not in err.getvalue()


def test_lines_name_the_span_that_they_are_in(tmp_path):
    """What is said inside a span carries its ids, in lines of libraries, too; outside of spans there are none."""
    configured(tmp_path / "log")
    keep = Keep(1.0)
    tracing.install(OtelTracer(keep, {}, "1", now=lambda: 1.0, redact=str))
    log.info("outside")
    with tracing.span("probe"):
        log.info("ours")
        logging.getLogger("library").info("theirs")

    (span,) = keep.take()
    outside, *inside = (json.loads(line) for line in (tmp_path / "log").read_text().splitlines())
    assert "trace_id" not in outside
    for line in inside:
        assert (line["trace_id"], line["span_id"]) == (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")


@pytest.mark.parametrize("keep", [pytest.param(0, id="none"), pytest.param(2, id="two")])
def test_the_size_is_bounded(tmp_path, monkeypatch, keep):
    """A full file becomes the first of the older ones, of which so many are kept; no line is cut in two."""
    monkeypatch.setattr(logfile, "MIB", 1000)
    configured(tmp_path / "log", max_mib=1, keep=keep)
    for n in range(100):
        log.info("event", n=n)

    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2"][: keep + 1]
    assert all(file.stat().st_size <= 1000 for file in files)
    told = [json.loads(line)["n"] for file in reversed(files) for line in file.read_text().splitlines()]
    assert told == list(range(100 - len(told), 100))


def test_a_line_longer_than_a_file_is_written(tmp_path, monkeypatch):
    """What alone is larger than a file may be still is a line."""
    monkeypatch.setattr(logfile, "MIB", 1000)
    configured(tmp_path / "log", max_mib=1)
    log.info("x" * 3000)
    log.info("next")

    assert events(tmp_path / "log") == ["next"]
    assert events(tmp_path / "log.1") == ["x" * 3000]


def test_a_file_that_was_moved_is_followed_by_another(tmp_path):
    """After logrotate took the file away, the next line begins a new one; so does it after a deletion."""
    path = tmp_path / "log"
    configured(path)
    log.info("first")
    path.rename(tmp_path / "log.old")
    log.info("second")
    path.unlink()
    log.info("third")

    assert events(tmp_path / "log.old") == ["first"]
    assert events(path) == ["third"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path, time):
    """It is said on standard error, tried again half a minute later, and said when it works."""
    folder = tmp_path / "folder"
    folder.write_text("a file where the folder should be")
    err = configured(folder / "log")
    log.info("first")
    log.info("second")
    time.now += RETRY
    log.info("third")
    assert err.getvalue().count("log.file_unwritable") == 1

    folder.unlink()
    log.info("too early")
    time.now += RETRY
    log.info("fourth")
    assert events(folder / "log") == ["fourth", "log.file_writable"]
    assert all(word in err.getvalue() for word in ("first", "second", "third", "too early", "fourth"))


def test_a_full_disk_leaves_no_line_glued_to_the_next(tmp_path, time, monkeypatch):
    """A line that was cut by a full disk ends where the next begins."""
    err = configured(tmp_path / "log")
    write, room = os.write, [20]

    def short(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken, room[0] = min(room[0], len(data)), room[0] - min(room[0], len(data))
        return write(file, data[:taken])

    monkeypatch.setattr(os, "write", short)
    log.info("first")
    room[0] = 10**6
    time.now += RETRY
    log.info("second")

    assert "No space left" in err.getvalue()
    cut, *whole = (tmp_path / "log").read_text().splitlines()
    assert len(cut) == 20
    assert [json.loads(line)["event"] for line in whole] == ["second", "log.file_writable"]


def test_another_configuration_lets_go_of_the_file(tmp_path):
    """Being configured anew closes what was open before."""
    configured(tmp_path / "log")
    log.info("first")
    (handler,) = [one for one in logging.getLogger().handlers if isinstance(one, LogFile)]
    configured(tmp_path / "other")
    log.info("second")

    assert handler._file is None
    assert (events(tmp_path / "log"), events(tmp_path / "other")) == (["first"], ["second"])

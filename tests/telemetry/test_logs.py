import json
import logging
import re
import warnings
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from sidecar.telemetry.logs import configure

SECRET = 'sk-ant-"planted"\\secret'


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is global: put back what was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("apscheduler", "asyncio", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def redact(text: str) -> str:
    return text.replace(SECRET, "***")


def configured(form: str = "json", stream: StringIO | None = None, **more: Any) -> StringIO:
    """The stream that now takes all logs."""
    out = stream or StringIO()
    configure(form=form, stream=out, redact=redact, environment={}, **more)
    return out


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    key = SECRET
    raise ValueError(f"cannot use {key}")


def test_an_event_is_a_line_of_json():
    """An event stands in one line with when, how bad, what and who first, then its facts."""
    stream = configured()
    structlog.get_logger("sidecar.services.delivery").warning("delivery.failed", id="x", attempt=3)

    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "event", "logger", "id", "attempt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert line == {
        "level": "warning",
        "event": "delivery.failed",
        "logger": "sidecar.services.delivery",
        "id": "x",
        "attempt": 3,
    }


def test_libraries_speak_the_same_way():
    """What libraries log through the standard library has the same form, its extra facts included."""
    stream = configured()
    logging.getLogger("aiohttp.server").error("Error handling %s", "request", extra={"peer": "1.2.3.4"})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    error, warning = lines(stream)
    assert (error["event"], error["logger"], error["peer"]) == ("Error handling request", "aiohttp.server", "1.2.3.4")
    assert (warning["logger"], warning["level"]) == ("py.warnings", "warning")


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level(level, heard):
    """Only what is at least as bad as the level is said, by us and by libraries."""
    stream = configured(level=level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger("sidecar"), name)("ours")
        getattr(logging.getLogger("library"), name)("theirs")

    assert [line["level"] for line in lines(stream)] == [name for name in heard for _ in "12"]


@pytest.mark.parametrize("settings", [{"level": "loud"}, {"form": "xml"}])
def test_an_unknown_setting(settings):
    """A level or form that does not exist is said, with those that do."""
    with pytest.raises(ValueError, match="expected one of debug, info, warning, error; auto, json, console"):
        configure(**settings)


def test_talkative_libraries_are_quiet():
    """What schedulers say about every job is not heard at `info`; what goes wrong is."""
    stream = configured()
    logging.getLogger("apscheduler.scheduler").info("Added job")
    logging.getLogger("apscheduler.scheduler").warning("missed")

    assert [line["event"] for line in lines(stream)] == ["missed"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_is_printed(form):
    """A secret is taken out wherever it stands: event, facts, keys, objects, tracebacks, libraries' words."""

    class Thing:
        def __repr__(self) -> str:
            return f"Thing({SECRET})"

    stream = configured(form)
    log = structlog.get_logger("sidecar")
    event = f"event {SECRET}"
    log.info(event, fact=SECRET, **{SECRET: 1})
    log.info("deep", structure={SECRET: [(SECRET,), {SECRET}]}, thing=Thing(), things=[Thing()])
    logging.getLogger("library").info("%s and %s", SECRET, Thing(), extra={"more": SECRET})
    try:
        fail()
    except ValueError:
        log.exception("crashed")
        logging.getLogger("library").exception("crashed")

    printed = stream.getvalue()
    assert "planted" not in printed
    assert printed.count("***") >= 12


def test_a_traceback_is_a_structure_without_variables():
    """A traceback tells where, and nothing of what the variables held."""
    stream = configured()
    try:
        fail()
    except ValueError:
        structlog.get_logger("sidecar").exception("crashed")

    (line,) = lines(stream)
    (trace,) = line["exception"]
    assert (trace["exc_type"], trace["exc_value"]) == ("ValueError", "cannot use ***")
    assert [frame["name"] for frame in trace["frames"]] == [
        "test_a_traceback_is_a_structure_without_variables",
        "fail",
    ]
    assert not any("locals" in frame and frame["locals"] for frame in trace["frames"])


@pytest.mark.parametrize(
    ("stream", "environment", "console", "colours"),
    [
        pytest.param(StringIO, {}, False, False, id="a file or a pipe"),
        pytest.param(Terminal, {}, True, True, id="a terminal"),
        pytest.param(Terminal, {"NO_COLOR": "1"}, True, False, id="a terminal without colours"),
    ],
)
def test_auto(stream, environment, console, colours):
    """The form follows from where the log goes."""
    out = stream()
    configure(stream=out, environment=environment)
    structlog.get_logger("sidecar").info("started")

    assert out.getvalue().startswith("{") is not console
    assert ("\x1b[" in out.getvalue()) is colours


def test_nobody_writes_on_the_terminal_through_the_log():
    """Control characters and turned reading directions from outside are shown, never obeyed."""
    stream = configured("console")
    hostile = "\x1b[2J\r\nfake: line\u202e\x9b1m"
    structlog.get_logger("sidecar").info("probe.failed", message=hostile)
    logging.getLogger("library").info(hostile)
    try:
        raise ValueError(hostile.replace("\n", ""))
    except ValueError:
        structlog.get_logger("sidecar").exception("crashed")

    printed = stream.getvalue()
    assert not set(printed) & {"\x1b", "\r", "\u202e", "\x9b"}
    assert not any(line.startswith("fake") for line in printed.splitlines())
    assert r"\x1b[2J" in printed


def test_what_cannot_be_printed_does_not_stop_the_log():
    """Values that are no JSON, and circles, are printed as well as can be."""
    stream = configured()
    circle: dict[str, Any] = {}
    circle["self"] = circle
    structlog.get_logger("sidecar").info("odd", circle=circle, data=b"\xff", half="\ud800", when=object)

    (line,) = lines(stream)
    assert line["data"] == r"b'\xff'"
    assert line["when"] == "<class 'object'>"


def test_configuring_again_replaces():
    """A second configuration has the only word, for loggers made before it, too."""
    early = structlog.get_logger("sidecar")
    first = configured()
    early.info("one")
    second = configured("console")
    early.info("two")

    assert [line["event"] for line in lines(first)] == ["one"]
    assert "two" in second.getvalue()

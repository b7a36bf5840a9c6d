"""What the daemon says of itself, on standard error and in a file."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import ExceptionRenderer, JSONRenderer, StackInfoRenderer, TimeStamper
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from sidecar.telemetry import tracing
from sidecar.telemetry.logfile import LogFile, LogFileSettings

Redact = Callable[[str], str]

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_TALKATIVE: Final = ("apscheduler", "asyncio", "aiohttp.access")
"""Libraries that say at INFO what our own events say better."""
_DEPTH: Final = 8
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    ord("\n"): "\\n",
    ord("\t"): "\\t",
    **{code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
_CONTROLS_OF_LINES: Final = {code: shown for code, shown in _CONTROLS.items() if chr(code) not in "\n\t"}


def configure(
    *,
    level: str = "info",
    form: str = "auto",
    redact: Redact = str,
    stream: TextIO | None = None,
    environment: Mapping[str, str] | None = None,
    file: LogFileSettings | None = None,
) -> None:
    """Send every log of ours and of libraries to *stream*, one line each, without what *redact* takes out.

    *level* is debug, info, warning or error; *form* is json, console, or auto, which is the console's on a terminal.
    JSON lines have tracebacks as structures, never with local variables. *file* gets every line, too, as JSON. A line
    that is written inside of a span names it. Being called again replaces all.
    """
    if level not in _LEVELS or form not in ("auto", "json", "console"):
        raise ValueError(
            f"got level {level!r} and form {form!r}, expected one of {', '.join(_LEVELS)}; auto, json, console"
        )
    out = sys.stderr if stream is None else stream
    console = form == "console" or (form == "auto" and out.isatty())
    colours = console and out.isatty() and not (os.environ if environment is None else environment).get("NO_COLOR")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _within,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        TimeStamper(fmt="iso", utc=True),
        StackInfoRenderer(),
    ]
    handlers: list[logging.Handler] = [logging.StreamHandler(out)]
    _forms(handlers[0], shared, redact, _console(redact, colours=colours) if console else _json(redact))
    if file is not None:
        handlers.append(LogFile(file))
        _forms(handlers[1], shared, redact, _json(redact))
    root = logging.getLogger()
    replaced = [handler for handler in root.handlers if isinstance(handler, LogFile)]
    root.handlers[:] = handlers
    for handler in replaced:
        handler.close()
    root.setLevel(_LEVELS[level])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(_LEVELS[level], logging.WARNING))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a logger that was made before must follow, too
    )


def _forms(handler: logging.Handler, shared: list[Processor], redact: Redact, ending: list[Processor]) -> None:
    """Let *handler* write what *ending* makes of an event."""
    formatter = ProcessorFormatter(
        foreign_pre_chain=shared, processors=[ProcessorFormatter.remove_processors_meta, *ending]
    )
    handler.setFormatter(_Redacting(formatter, redact))


def _within(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The span that is under way, under the names that OpenTelemetry has for logs in JSON."""
    if ids := tracing.current():
        event["trace_id"], event["span_id"] = ids
    return event


def _json(redact: Redact) -> list[Processor]:
    # Without local variables: they would hold the secrets that nothing else prints.
    traces = ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=20))
    return [traces, _Without(redact), _in_order, JSONRenderer(default=repr)]


def _console(redact: Redact, *, colours: bool) -> list[Processor]:
    renderer = ConsoleRenderer(
        colors=colours, exception_formatter=plain_traceback, repr_native_str=True, pad_event_to=0
    )
    return [structlog.processors.format_exc_info, _Without(redact), _visible, renderer]


class _Without:
    """A processor that takes secrets out of every text, before quoting and escaping could hide them."""

    def __init__(self, redact: Redact) -> None:
        self._redact = redact

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {self._redact(str(key)): self._clean(value, _DEPTH) for key, value in event.items()}

    def _clean(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._redact(str(value))  # a word of a closed list is shown as the word
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth == 0:
            return "…"
        if isinstance(value, Mapping):
            return {self._redact(str(k)): self._clean(v, depth - 1) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(v, depth - 1) for v in value]
        return self._redact(repr(value))


class _Redacting(logging.Formatter):
    """A formatter's line, once more without secrets, whatever the renderer made of it."""

    def __init__(self, inner: logging.Formatter, redact: Redact) -> None:
        super().__init__()
        self._inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self._inner.format(record))


def _in_order(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """First what every line has."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event", "logger") if key in event}
    return {**first, **event}


def _visible(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The texts that the console does not quote, without what would move the cursor or turn the reading direction."""
    event["event"] = str(event.get("event", "")).translate(_CONTROLS)
    for key in ("exception", "stack"):
        if key in event:
            event[key] = str(event[key]).translate(_CONTROLS_OF_LINES)
    return event

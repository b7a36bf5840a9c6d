"""The page about what the daemon logs, from the calls that do."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import sidecar
from writers.markdown import MADE, code, first_line, heading, table

_LEVELS: Final = {"info": "info", "warning": "warning", "error": "error", "exception": "error"}
_NAMES: Final = ("log", "_log")
_DEBUGGING: Final = ("exc_info", "stack_info")


class Event(NamedTuple):
    """One event: its name, how bad it is, what else it says, and who says it."""

    name: str
    level: str
    fields: tuple[str, ...]
    about: str


def page() -> Iterator[str]:
    """Every event with its level and its fields, and the spans of traces."""
    yield "# Logs and traces"
    yield ""
    yield f"{MADE} Logs go to standard error, as JSON unless that is a terminal, and to `log.file` if there is one:"
    yield "[settings](configuration.md#log). A line is an event and its fields, with `timestamp`, `level` and `logger`,"
    yield "and with `trace_id` and `span_id` while something is traced. Secrets are hidden."
    yield from heading("Events")
    rows: dict[tuple[str, str, str], set[str]] = {}
    for event in events():
        rows.setdefault((event.name, event.level, event.about), set()).update(event.fields)
    yield from table(
        ("event", "level", "fields", "comes from"),
        (
            (code(name), level, ", ".join(map(code, sorted(fields))), about)
            for (name, level, about), fields in sorted(rows.items())
        ),
    )
    yield from heading("Spans")
    yield "With `otlp`, these are sent: a share of the traces, and each one with an error"
    yield "([settings](configuration.md#otlptraces))."
    yield ""
    yield from table(
        ("span", "is"),
        (
            ("`probe TYPE`", "One probe of a check."),
            ("`evaluate rules`", "One turn of a group of rules."),
            ("`deliver TYPE`", "One attempt to send a message."),
        ),
    )


def events() -> Iterator[Event]:
    """Every event that a module of the daemon logs; commands and the simulator are none of it."""
    root = Path(sidecar.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] in ("cli", "simulator", "client", "testing"):
            continue
        text = path.read_text("utf-8")
        if "structlog" not in text:
            continue
        tree = ast.parse(text)
        about = first_line(ast.get_docstring(tree))
        aliases = {
            target.id: levels
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and (levels := _levels(node.value, {}))
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (found := _event(node, aliases, about)) is not None:
                yield found


def _event(call: ast.Call, aliases: Mapping[str, str], about: str) -> Event | None:
    """What *call* logs; None when it does not."""
    levels = _levels(call.func, aliases)
    match call.args:
        case [ast.Constant(value=str(event)), *_] if levels:
            fields = tuple(one.arg for one in call.keywords if one.arg and one.arg not in _DEBUGGING)
            return Event(event, levels, fields, about)
    return None


def _levels(made: ast.expr, aliases: Mapping[str, str]) -> str:
    """How bad it is what a function logs; empty when it is no function that does."""
    match made:
        case ast.Attribute(value=ast.Name(id=name), attr=level) if name in _NAMES:
            return _LEVELS.get(level, "")
        case ast.IfExp(body=one, orelse=other):
            return " or ".join(filter(None, (_levels(one, aliases), _levels(other, aliases))))
        case ast.Name(id=name):
            return aliases.get(name, "")
    return ""

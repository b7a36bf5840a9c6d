"""Reads Prometheus' own notation of query tests: `load`, `eval`, `expect`."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from sidecar.model import durations
from sidecar.model.labels import Labels
from sidecar.model.samples import STALE
from sidecar.promql.lexer import unquote
from tests.promql.memory import NATIVE

_NUMBER: Final = r"(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|[iI][nN][fF]|[nN][aA][nN])"
_ITEM: Final = re.compile(rf"([+-]?{_NUMBER})([+-]{_NUMBER})?(?:x(\d+))?")
_ITEMS: Final = re.compile(r"[+-]?\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x\d+)?|\S+")
_LABEL: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s=,{}"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"))?\s*,?\s*')
_INSTANT: Final = re.compile(r"eval(?:_(fail|warn|info|ordered))?\s+instant\s+at\s+(\S+)\s+(.+)")
_RANGE: Final = re.compile(r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)")
_MATRIX: Final = re.compile(r"expect range vector from (\S+) to (\S+) step (\S+)")
_EXPECT: Final = re.compile(r"expect\s+(fail|warn|info|no_warn|no_info|ordered)(?:\s+(msg|regex):\s*(.*))?")


class NotationError(Exception):
    """A line that the notation does not have."""


@dataclass
class Load:
    line: int
    step_ms: int
    series: dict[Labels, dict[int, float]] = field(default_factory=dict)


@dataclass
class Clear:
    line: int


@dataclass
class Eval:
    line: int
    text: str
    start_ms: int
    end_ms: int
    step_ms: int  # 0: instant
    fail: bool = False
    ordered: bool = False
    messages: dict[str, list[re.Pattern[str]]] = field(default_factory=dict)  # by fail, warn, info, no_warn, no_info
    scalar: float | None = None
    string: str | None = None
    series: list[tuple[Labels, list[float | None]]] = field(default_factory=list)
    matrix: tuple[int, int, int] | None = None  # the times of the points that an instant query answers with


Command = Load | Clear | Eval


def read(text: str) -> Iterator[Command]:
    """The commands of a file."""
    lines = [(n, "" if line.strip().startswith("#") else line.strip()) for n, line in enumerate(text.splitlines(), 1)]
    at = 0
    while at < len(lines):
        number, line = lines[at]
        at += 1
        if not line:
            continue
        block = []
        if not line.startswith("clear"):
            while at < len(lines) and lines[at][1]:
                block.append(lines[at][1])
                at += 1
        try:
            yield _command(number, line, block)
        except (ValueError, NotationError, durations.DurationError) as exc:
            raise NotationError(f"line {number}: {line}: {exc}") from exc


def _command(number: int, line: str, block: list[str]) -> Command:
    word, _, rest = line.partition(" ")
    if word == "clear":
        return Clear(number)
    if word in ("load", "load_with_nhcb"):
        return _load(number, _ms(rest), block, histograms=word == "load_with_nhcb")
    if word.startswith("eval"):
        return _eval(number, line, block)
    raise NotationError("expected load, clear or eval")


def _load(number: int, step_ms: int, block: list[str], *, histograms: bool) -> Load:
    load = Load(number, step_ms)
    for line in block:
        labels, values = _series(line)
        load.series[labels] = {i * step_ms: value for i, value in enumerate(values) if value is not None}
        name = labels.name.removesuffix("_bucket")
        if histograms and name != labels.name:
            native = labels.without("le").with_(__name__=name)
            load.series.setdefault(native, {}).update(dict.fromkeys(load.series[labels], NATIVE))
    return load


def _eval(number: int, line: str, block: list[str]) -> Eval:
    if found := _INSTANT.fullmatch(line):
        old, at, text = found.groups()
        case = Eval(number, text, _ms(at), _ms(at), 0)
    elif found := _RANGE.fullmatch(line):
        old, start, end, step, text = found.groups()
        case = Eval(number, text, _ms(start), _ms(end), _ms(step))
    else:
        raise NotationError("expected eval instant or eval range")
    if old == "ordered":
        case.ordered = True
    elif old:
        _expect(case, old, None, "")
    for definition in block:
        if not _directive(case, definition):
            if _ITEM.fullmatch(definition) and "x" not in definition:
                case.scalar = _float(definition)
                break
            case.series.append(_series(definition))
    return case


def _directive(case: Eval, line: str) -> bool:
    if found := _EXPECT.fullmatch(line):
        if found[1] == "ordered":
            case.ordered = True
        else:
            _expect(case, *found.groups())
    elif found := _MATRIX.fullmatch(line):
        case.matrix = (_ms(found[1]), _ms(found[2]), _ms(found[3]))
    elif line.startswith("expect string"):
        case.string = unquote(line.removeprefix("expect string").strip())
    elif line.startswith("expected_fail_message"):
        _expect(case, "fail", "msg", line.removeprefix("expected_fail_message").strip())
    elif line.startswith("expected_fail_regexp"):
        _expect(case, "fail", "regex", line.removeprefix("expected_fail_regexp").strip())
    else:
        return False
    return True


def _expect(case: Eval, what: str, how: str | None, text: str) -> None:
    case.fail = case.fail or what == "fail"
    pattern = {None: ".*", "msg": re.escape((text or "").strip()), "regex": f".*(?:{text}).*"}[how]
    case.messages.setdefault(what, []).append(re.compile(pattern, re.DOTALL))


def _series(line: str) -> tuple[Labels, list[float | None]]:
    name, rest = re.match(r"([^\s{]*)(.*)", line).groups()  # type: ignore[union-attr]  # it matches anything
    labels = {"__name__": name}
    rest = rest.lstrip()
    if rest.startswith("{") and not rest.startswith("{{"):
        at = 1
        while rest[at] != "}":
            found = _LABEL.match(rest, at)
            if not found:
                raise NotationError(f"expected a label in {rest[at:]!r}")
            label = unquote(found[1]) if found[1].startswith('"') else found[1]
            labels.update({label: unquote(found[2])} if found[2] is not None else {"__name__": label})
            at = found.end()
        rest = rest[at + 1 :]
    return Labels(labels), [value for item in _ITEMS.findall(rest) for value in _values(item)]


def _values(item: str) -> Iterator[float | None]:
    head, _, times = item.rpartition("x") if re.search(r"x\d+$", item) else (item, "", "")
    if "{{" in item:
        yield from [NATIVE] * (int(times or 0) + 1)
    elif head == "_":
        yield from [None] * int(times or 1)
    elif item == "stale":
        yield STALE
    else:
        found = _ITEM.fullmatch(item)
        if not found:
            raise NotationError(f"expected a value, got {item!r}")
        value = _float(found[1])
        for _ in range(int(found[3] or 0) + 1):
            yield value
            value += _float(found[2]) if found[2] else 0.0


def _float(text: str) -> float:
    return float(text)


def _ms(text: str) -> int:
    text = text.strip()
    try:
        return round(durations.parse(text) * 1000)
    except durations.DurationError:
        value = float(text)
        if not math.isfinite(value):
            raise
        return round(value * 1000)

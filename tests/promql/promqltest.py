"""Runs files of query tests: `python -m tests.promql.promqltest FILE…`, or those of PROMQLTEST_DIR."""

import math
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import Final

from sidecar.model.labels import Labels
from sidecar.promql import Kind, Matrix, Query, QueryError, Scalar, String, Unsupported, Value, Vector, compile_
from sidecar.promql import ast as tree
from sidecar.promql.parse import parse
from tests.promql.memory import Memory
from tests.promql.notation import Clear, Eval, Load, NotationError, read

BORROWED: Final = Path(os.environ.get("PROMQLTEST_DIR", "../shared/promqltest"))
"""Prometheus' own files."""
_TIMELY: Final = frozenset(
    {
        "days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year",
        "predict_linear", "time", "timestamp",
    }
)  # fmt: skip
"""Functions whose value moves with the evaluation even if what they read is pinned."""
_SMALLEST: Final = 2.2250738585072014e-308


class Wrong(Exception):  # noqa: N818 -- what an answer is
    """An answer that is not the expected one."""


class Untestable(Exception):  # noqa: N818 -- what a case is
    """A case about native histograms or experimental features."""


@dataclass
class Report:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)

    def __add__(self, other: "Report") -> "Report":
        failed, unsupported = self.failed + other.failed, self.unsupported + other.unsupported
        return Report(self.passed + other.passed, failed, unsupported)

    def __str__(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.unsupported)} unsupported"


def run(text: str, name: str = "") -> Report:
    """What comes of the tests in *text*."""
    report, memory = Report(), Memory()
    for command in read(text):
        if isinstance(command, Clear):
            memory = Memory()
        elif isinstance(command, Load):
            for labels, points in command.series.items():
                memory.put(labels, points)
        else:
            try:
                check(command, memory)
                report.passed += 1
            except Untestable as exc:
                report.unsupported.append(f"{name}:{command.line}: {command.text}: {exc}")
            except (Wrong, QueryError) as exc:
                report.failed.append(f"{name}:{command.line}: {command.text}: {exc}")
    return report


def check(case: Eval, memory: Memory) -> None:
    """Evaluate *case*, and again pinned and as a range, where that must not make a difference."""
    if any(value is not None and _is_native(value) for _, values in case.series for value in values):
        raise Untestable("a native histogram is expected")
    try:
        query = _evaluate(case, memory)
    except Unsupported as exc:
        raise Untestable(str(exc)) from exc
    if query is None or query.kind not in (Kind.VECTOR, Kind.SCALAR) or case.step_ms or case.matrix is not None:
        return
    for pinned, at_ms in [(query, case.start_ms), *_pinned(case)]:
        _check_instant(case, pinned.instant(memory, at_ms))
        if not case.ordered:
            _check_middle(case, pinned.range(memory, at_ms - 60_000, at_ms + 60_000, 60_000), at_ms)


def _evaluate(case: Eval, memory: Memory) -> Query | None:
    """Evaluate *case* and look at the answer; the query, if it is one that answered."""
    memory.touched = False
    try:
        query = compile_(case.text)
        if case.step_ms:
            answer: Value = query.range(memory, case.start_ms, case.end_ms, case.step_ms)
        else:
            answer = query.instant(memory, case.start_ms)
    except Unsupported:
        raise
    except QueryError as exc:
        _refuse_native(memory)
        if not case.fail:
            raise
        _check_messages(case, "fail", [str(exc)])
        return None
    _refuse_native(memory)
    if case.fail:
        raise Wrong(f"got {answer}, expected a failure")
    _check_annotations(case, answer.annotations)
    (_check_range if case.step_ms else _check_instant)(case, answer)
    return query


def _refuse_native(memory: Memory) -> None:
    if memory.touched:
        raise Untestable("reads a native histogram")


def _pinned(case: Eval) -> list[tuple[Query, int]]:
    """The query with every selector fixed at its time, at other times."""
    expr, t = parse(case.text), case.start_ms
    if any(isinstance(node, tree.Call) and node.name in _TIMELY for node in tree.walk(expr)):
        return []
    query = Query(case.text, pin(expr, t), 60_000)
    return [(query, at) for at in ((-10 * t, 0, t // 5, t, 10 * t) if t else (-1000, 0, 1000))]


def pin(expr: tree.Expr, ms: int) -> tree.Expr:
    """*expr* with `@` at *ms* on each outer selector that has none."""
    match expr:
        case tree.Selector(at=None):
            return replace(expr, at=tree.At(tree.Anchor.TIME, ms))
        case tree.Range(selector=selector):
            fixed = pin(selector, ms)
            assert isinstance(fixed, tree.Selector)
            return replace(expr, selector=fixed)
        case tree.Subquery(at=None):
            return replace(expr, at=tree.At(tree.Anchor.TIME, ms))
        case tree.Negation(expr=inner):
            return tree.Negation(pin(inner, ms))
        case tree.Binary(left=left, right=right):
            return replace(expr, left=pin(left, ms), right=pin(right, ms))
        case tree.Aggregate(expr=inner, param=param):
            return replace(expr, expr=pin(inner, ms), param=None if param is None else pin(param, ms))
        case tree.Call(args=args):
            return replace(expr, args=tuple(pin(arg, ms) for arg in args))
    return expr


def _check_annotations(case: Eval, annotations: Sequence[str]) -> None:
    warnings = [text for text in annotations if text.startswith("PromQL warning")]
    infos = [text for text in annotations if text.startswith("PromQL info")]
    _check_messages(case, "warn", warnings)
    _check_messages(case, "info", infos)
    for what, found in (("no_warn", warnings), ("no_info", infos)):
        if what in case.messages and found:
            raise Wrong(f"got {found}, expected {what}")


def _check_messages(case: Eval, what: str, found: list[str]) -> None:
    patterns = case.messages.get(what, [])
    if not patterns:
        return
    for pattern in patterns:
        if not any(pattern.fullmatch(text) for text in found):
            raise Wrong(f"got {found}, expected {what} {pattern.pattern}")
    for text in found:
        if not any(pattern.fullmatch(text) for pattern in patterns):
            raise Wrong(f"got {text!r}, expected {what} {[pattern.pattern for pattern in patterns]}")


def _check_instant(case: Eval, answer: Value) -> None:
    match answer:
        case String(value=text):
            if text != case.string:
                raise Wrong(f"got {text!r}, expected {case.string!r}")
        case Scalar(value=value):
            if case.scalar is None or not almost_equal(value, case.scalar):
                raise Wrong(f"got the scalar {value}, expected {case.scalar}")
        case Vector(elements=elements):
            _check_vector(case, elements)
        case Matrix(series=series):
            start, end, step = case.matrix or (case.start_ms, case.start_ms, 1)
            _check_series({one.labels: dict(one.points) for one in series}, case, range(start, end + 1, step))


def _check_vector(case: Eval, elements: Sequence[tuple[Labels, float]]) -> None:
    if case.scalar is not None:
        raise Wrong(f"got a vector {elements}, expected the scalar {case.scalar}")
    expected = [(labels, values[0]) for labels, values in case.series]
    if case.ordered and [labels for labels, _ in elements] != [labels for labels, _ in expected]:
        raise Wrong(f"got the order {elements}, expected {expected}")
    found, wanted = dict(elements), dict(expected)
    if len(found) < len(elements) or found.keys() != wanted.keys():
        raise Wrong(f"got {elements}, expected {expected}")
    for labels, value in wanted.items():
        if value is None or not almost_equal(found[labels], value):
            raise Wrong(f"got {labels} {found[labels]}, expected {value}")


def _check_range(case: Eval, answer: Value) -> None:
    assert isinstance(answer, Matrix)
    order = [tuple(series.labels.items()) for series in answer.series]
    if order != sorted(order):
        raise Wrong(f"got {order}, expected series in the order of their labels")
    _check_series(
        {series.labels: dict(series.points) for series in answer.series},
        case,
        range(case.start_ms, case.end_ms + 1, case.step_ms),
    )


def _check_series(found: dict[Labels, dict[int, float]], case: Eval, times: Iterable[int]) -> None:
    wanted = {
        labels: {t: value for t, value in zip(times, values, strict=False) if value is not None}
        for labels, values in ([(Labels(), [case.scalar])] if case.scalar is not None else case.series)
    }
    if found.keys() != {labels for labels, points in wanted.items() if points}:
        raise Wrong(f"got {found}, expected {wanted}")
    for labels, points in found.items():
        expected = wanted[labels]
        if points.keys() != expected.keys() or not all(almost_equal(points[t], expected[t]) for t in points):
            raise Wrong(f"got {labels} {points}, expected {expected}")


def _check_middle(case: Eval, answer: Matrix, at_ms: int) -> None:
    found = {s.labels: v for s in answer.series for t, v in s.points if t == at_ms}
    expected = [(Labels(), [case.scalar])] if case.scalar is not None else case.series
    wanted = {labels: values[0] for labels, values in expected}
    if found.keys() != wanted.keys():
        raise Wrong(f"got {found} as a range, expected {wanted}")
    for labels, value in wanted.items():
        if value is None or not almost_equal(found[labels], value):
            raise Wrong(f"got {labels} {found[labels]} as a range, expected {value}")


def almost_equal(a: float, b: float) -> bool:
    """Whether *a* and *b* differ by less than a millionth of their sum, or are both NaN."""
    if a == b or (isnan(a) and isnan(b)):
        return True
    if isnan(a) or isnan(b):
        return False
    size, difference = abs(a) + abs(b), abs(a - b)
    if a == 0 or b == 0 or size < _SMALLEST:
        return difference < 1e-6 * _SMALLEST
    return difference / min(size, sys.float_info.max) < 1e-6


def _is_native(value: float) -> bool:
    return math.isnan(value) and struct.pack("<d", value) == struct.pack("<Q", 0x7FF8000000000DAD)


def main(names: list[str]) -> int:
    paths = [Path(name) for name in names] or sorted(BORROWED.glob("*.test"))
    whole, verbose = Report(), bool(os.environ.get("PROMQLTEST_VERBOSE"))
    for path in paths:
        try:
            report = run(path.read_text(), path.name)
        except NotationError as exc:
            report = Report(failed=[f"{path.name}: {exc}"])
        print(f"{path.name}: {report}")
        for text in [*report.failed, *(report.unsupported if verbose else ())]:
            print(f"  {text[:600]}")
        whole += report
    print(f"total: {whole}")
    return 1 if whole.failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

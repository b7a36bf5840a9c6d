"""Values of queries as Prometheus' API writes them."""

import asyncio
import json
import math
from collections.abc import Iterable
from decimal import Decimal

from sidecar.api.endpoint import dumped
from sidecar.model.labels import Labels
from sidecar.promql import Matrix, Scalar, Series, String, Value, Vector

_MANY = 2000  # points that are written in one go: a millisecond or two


def number(value: float) -> str:
    """*value* as Go writes it there: no exponent between 1e-6 and 1e21."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    return text


def seconds(ms: int) -> str:
    """*ms* as seconds."""
    whole, rest = divmod(ms, 1000)
    return f"{whole}.{rest:03d}" if rest else str(whole)


async def written(value: Value, at_ms: int, limit: int = 0) -> tuple[bytes, bool]:
    """`{"resultType": …, "result": …}`, and whether *limit* cut it; the loop gets its turn every few points."""
    match value:
        case Scalar():
            return _result("scalar", _pair(at_ms, value.value)), False
        case String():
            return _result("string", f"[{seconds(at_ms)},{json.dumps(value.value)}]"), False
        case Vector():
            chosen = value.elements[:limit] if limit else value.elements
            elements = (f'{{"metric":{_metric(labels)},"value":{_pair(at_ms, each)}}}' for labels, each in chosen)
            return _result("vector", await _listed((element, 1) for element in elements)), len(chosen) < len(
                value.elements
            )
        case Matrix():
            series = value.series[:limit] if limit else value.series
            text = await _listed((_series(each), len(each.points)) for each in series)
            return _result("matrix", text), len(series) < len(value.series)


def _series(series: Series) -> str:
    points = ",".join([_pair(at_ms, value) for at_ms, value in series.points])
    return f'{{"metric":{_metric(series.labels)},"values":[{points}]}}'


async def _listed(parts: Iterable[tuple[str, int]]) -> str:
    """*parts*, each with how many points it has, as a list."""
    found: list[str] = []
    since = 0
    for part, n in parts:
        found.append(part)
        since += n
        if since >= _MANY:
            since = 0
            await asyncio.sleep(0)
    return f"[{','.join(found)}]"


def _result(kind: str, result: str) -> bytes:
    return f'{{"resultType":"{kind}","result":{result}}}'.encode("utf-8", "replace")


def _pair(at_ms: int, value: float) -> str:
    return f'[{seconds(at_ms)},"{number(value)}"]'


def _metric(labels: Labels) -> str:
    return dumped(dict(labels))

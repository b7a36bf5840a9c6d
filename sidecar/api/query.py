"""Prometheus' queries: Grafana and promtool take the sidecar for a data source."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal, TypeVar

from aiohttp import web
from pydantic import Field

from sidecar.api import points
from sidecar.api.endpoint import Answer, AskedAsPrometheus, Part, both
from sidecar.api.moments import Moment, Span
from sidecar.api.problems import ApiError, Word
from sidecar.promql import LimitExceeded, Limits, Querier, Query, QueryError, Value, compile_

T = TypeVar("T")

LIMITS: Final = Limits()
"""Of a whole range query, which is evaluated in slices."""
AT_ONCE: Final = Limits(samples=1_000_000)
"""Of an instant query, which is evaluated in one piece: some tenths of a second of the gateway's processor at most."""
PARALLEL: Final = 2
"""Queries that are evaluated side by side; the others wait for their turn."""
_PATIENCE: Final = 20.0  # seconds for one query at most, below what the server allows for an answer
_STATUSES: Final = {400: "Wrong parameters.", 422: "The evaluation failed.", 503: "It took too long."}

Pair = Annotated[tuple[float, str], Field(description="Seconds since the epoch, and the value as text.")]


class InstantQuery(AskedAsPrometheus):
    """An expression at one time."""

    query: str = Field(description="PromQL.", min_length=1)
    time: Moment | None = Field(None, description="When; now if it is left out.")
    timeout: Span = Field(_PATIENCE, description="How long the evaluation may take.")
    limit: int = Field(0, description="How many series are answered; 0 for all.", ge=0)


class RangeQuery(AskedAsPrometheus):
    """An expression at many times."""

    query: str = Field(description="PromQL.", min_length=1)
    start: Moment = Field(description="The first time.")
    end: Moment = Field(description="The last time at most.")
    step: Span = Field(description="From one time to the next.")
    timeout: Span = Field(_PATIENCE, description="How long the evaluation may take.")
    limit: int = Field(0, description="How many series are answered; 0 for all.", ge=0)


class Element(Part):
    """One value."""

    metric: dict[str, str] = Field(description="Labels of the series.")
    value: Pair = Field(description="Time in seconds, and the value as a text.")


class Points(Part):
    """One series."""

    metric: dict[str, str] = Field(description="Labels of the series.")
    values: list[Pair] = Field(description="Times in seconds, and the values as texts.")


class VectorResult(Part):
    """A value for each of some label sets."""

    kind: Literal["vector"] = Field(alias="resultType", description="What the result is.")
    result: list[Element] = Field(description="Its elements.")


class MatrixResult(Part):
    """Series."""

    kind: Literal["matrix"] = Field(alias="resultType", description="What the result is.")
    result: list[Points] = Field(description="Its series.")


class PlainResult(Part):
    """One number or one text."""

    kind: Literal["scalar", "string"] = Field(alias="resultType", description="What the result is.")
    result: Pair = Field(description="Time in seconds, and the value as a text.")


Result = Annotated[VectorResult | MatrixResult | PlainResult, Field(discriminator="kind")]


def routes(querier: Callable[[], Querier], now: Callable[[], float]) -> list[web.RouteDef]:
    """Queries over what *querier* gives, for each query anew."""
    turns = asyncio.Semaphore(PARALLEL)

    async def instant(asked: InstantQuery) -> Answer[Result]:
        at_ms = round((now() if asked.time is None else asked.time) * 1000)

        async def evaluate() -> Value:
            return _evaluated(lambda: _compiled(asked.query).instant(querier(), at_ms, AT_ONCE))

        return await _answered(evaluate, turns, asked.timeout, asked.limit, at_ms)

    async def ranged(asked: RangeQuery) -> Answer[Result]:
        _check(asked)
        start, end, step = (round(each * 1000) for each in (asked.start, asked.end, asked.step))

        async def evaluate() -> Value:
            query = _compiled(asked.query)
            if query.kind not in ("vector", "scalar"):
                name = "range vector" if query.kind == "matrix" else "string"
                raise ApiError(
                    Word.BAD_DATA,
                    f'invalid parameter "query": invalid expression type "{name}" for range query, '
                    "must be Scalar or instant Vector",
                )
            slices = _evaluated(lambda: query.range_in_slices(querier(), start, end, step, LIMITS))
            while (found := _evaluated(lambda: next(slices))) is None:  # noqa: ASYNC110 -- nobody is waited for
                await asyncio.sleep(0)  # others have their turn
            return found

        return await _answered(evaluate, turns, asked.timeout, asked.limit, end)

    return [
        *both("/api/v1/query", instant, "Evaluate an expression at one time.", _STATUSES),
        *both("/api/v1/query_range", ranged, "Evaluate an expression at many times.", _STATUSES),
    ]


async def _answered(
    evaluate: Callable[[], Awaitable[Value]],
    turns: asyncio.Semaphore,
    patience: float,
    limit: int,
    at_ms: int,
) -> Answer[Result]:
    patience = min(patience, _PATIENCE) if patience > 0 else _PATIENCE
    try:
        async with asyncio.timeout(patience), turns:
            value = await evaluate()
            data, cut = await points.written(value, at_ms, limit)
    except TimeoutError:
        raise ApiError(
            Word.TIMEOUT,
            f"query timed out in expression evaluation after {patience:g} s; ask for a longer step or a shorter range",
        ) from None
    notes = value.annotations + (("PromQL warning: results truncated due to limit",) if cut else ())
    return Answer(
        data,
        warnings=tuple(note for note in notes if "warning:" in note),
        infos=tuple(note for note in notes if "info:" in note),
    )


def _check(asked: RangeQuery) -> None:
    problem = ""
    if asked.end < asked.start:
        problem = '"end": end timestamp must not be before start time'
    elif round(asked.step * 1000) <= 0:
        problem = '"step": zero or negative query resolution step widths are not accepted. Try a positive integer'
    elif (asked.end - asked.start) / asked.step > LIMITS.steps:
        problem = (
            f'"step": exceeded maximum resolution of {LIMITS.steps:,} points per timeseries. '
            "Try decreasing the query resolution (?step=XX)"
        )
    if problem:
        raise ApiError(Word.BAD_DATA, f"invalid parameter {problem}")


def _compiled(text: str) -> Query:
    try:
        return compile_(text)
    except QueryError as exc:
        raise ApiError(Word.BAD_DATA, f'invalid parameter "query": {exc}') from exc


def _evaluated(work: Callable[[], T]) -> T:
    """What *work* returns; its failure is one of the evaluation and not of the parameters."""
    try:
        return work()
    except (QueryError, LimitExceeded, OverflowError) as exc:
        raise ApiError(Word.EXECUTION, str(exc)) from exc

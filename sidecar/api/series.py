"""Which series, labels and metrics there are, as Prometheus' API tells."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, Final, TypeVar

from aiohttp import web
from pydantic import Field

from sidecar.api.endpoint import Answer, AskedAsPrometheus, Part, both, get
from sidecar.api.exposition import Live
from sidecar.api.moments import Moment
from sidecar.api.problems import ApiError, Word
from sidecar.model.matchers import Matcher
from sidecar.model.samples import Kind, SeriesData
from sidecar.promql import Querier, QueryError, selector

T = TypeVar("T")

MOST: Final = 10_000
"""How many are answered at most, whatever the limit is: an answer is written in one piece."""
_STATUSES: Final = {400: "Wrong parameters."}
_TYPES: Final = {Kind.UNTYPED: "unknown"}
Matchers = tuple[Matcher, ...]


class Selected(AskedAsPrometheus):
    """Series selectors, and the time in which the series had samples."""

    match: tuple[str, ...] = Field((), alias="match[]", description='Series selectors, such as up{job="x"}.')
    start: Moment | None = Field(None, description="Series without a sample after it are left out.")
    end: Moment | None = Field(None, description="Series without a sample before it are left out.")
    limit: int = Field(0, description="How many are answered; 0 for all.", ge=0)


class SelectedSeries(Selected):
    """At least one selector."""

    match: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        alias="match[]", description='Series selectors, such as up{job="x"}.', min_length=1
    )


class SelectedValues(Selected):
    """A label's name, and selectors."""

    name: str = Field(description="Name of the label.", min_length=1)


class AskedMetadata(AskedAsPrometheus):
    """Which metrics."""

    metric: str = Field("", description="Name of one metric; all when empty.")
    limit: int = Field(0, description="How many metrics are answered; 0 for all.", ge=0)


class Metadata(Part):
    """What a metric is."""

    type: str = Field(description="gauge, counter, histogram, summary or unknown.")
    help: str = Field(description="What it means.")
    unit: str = Field("", description="Empty: the name says it.")


def routes(querier: Callable[[], Querier], live: Callable[[], Live]) -> list[web.RouteDef]:
    """What *querier* remembers and what is *live*."""

    async def series(asked: SelectedSeries) -> Answer[list[dict[str, str]]]:
        return _limited((dict(one.labels) for one in _selected(querier(), asked)), asked.limit)

    async def names(asked: Selected) -> Answer[list[str]]:
        return _limited(sorted({name for one in _selected(querier(), asked) for name in one.labels}), asked.limit)

    async def values(asked: SelectedValues) -> Answer[list[str]]:
        found = {one.labels.text(asked.name) for one in _selected(querier(), asked)}
        return _limited(sorted(found - {""}), asked.limit)

    async def metadata(asked: AskedMetadata) -> dict[str, list[Metadata]]:
        families = (family for family, _ in live() if asked.metric in ("", family.name))
        return {
            family.name: [Metadata(type=_TYPES.get(family.kind, family.kind.value), help=family.help)]
            for family in islice(families, min(asked.limit, MOST) or MOST)
        }

    return [
        *both("/api/v1/series", series, "The series that selectors match.", _STATUSES),
        *both("/api/v1/labels", names, "The names of labels.", _STATUSES),
        get("/api/v1/label/{name}/values", values, "The values of one label.", _STATUSES),
        get("/api/v1/metadata", metadata, "What each metric is.", _STATUSES),
    ]


def _selected(querier: Querier, asked: Selected) -> Iterator[SeriesData]:
    seen = set()
    for matchers in [_matchers(text) for text in asked.match] or [()]:
        for one in querier.select(matchers):
            if one.labels not in seen and _within(one, asked.start, asked.end):
                seen.add(one.labels)
                yield one


def _matchers(text: str) -> Matchers:
    try:
        return selector(text)
    except QueryError as exc:
        raise ApiError(Word.BAD_DATA, f'invalid parameter "match[]": {exc}') from exc


def _within(series: SeriesData, start: float | None, end: float | None) -> bool:
    times = series.times
    return bool(times) and not (
        (start is not None and times[-1] < start * 1000) or (end is not None and times[0] > end * 1000)
    )


def _limited(found: Iterable[T], limit: int) -> Answer[list[T]]:
    most = min(limit, MOST) if limit else MOST
    chosen = list(islice(found, most + 1))
    warnings = ("results truncated due to limit",) if len(chosen) > most else ()
    return Answer(chosen[:most], warnings=warnings)

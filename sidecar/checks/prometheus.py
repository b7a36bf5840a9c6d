"""What a PromQL query yields at a Prometheus, or at whatever answers as one."""

import asyncio
import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlencode

import aiohttp
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._http import Headers, HttpUrl, answer, http_url, quoted, reveal, so_far
from sidecar.checks._promapi import Element, read, refusal
from sidecar.checks._values import Bounds, exported
from sidecar.claude.errors import ErrorType
from sidecar.model.families import PROBE_VALUE
from sidecar.outbound import read_limited, safe_url

_PATH: Final = "/api/v1/query"
_LONGEST_LABEL: Final = 1024
_LARGEST_ERROR: Final = 16 * 1024  # bytes of an answer that is one
_PATIENCE: Final = 1.0  # seconds for the body of an error, whose status is known already
_TOLD: Final = 3  # series that a message names

_REDUCTIONS: Final[dict[str, Callable[[Iterable[float]], float]]] = {"max": max, "min": min, "sum": sum}


def _base(text: str) -> str:
    if "#" in text:
        raise ValueError("the URL has a fragment, which no server sees; expected one such as http://prometheus:9090")
    path, mark, query = text.partition("?")
    return http_url(path.rstrip("/").removesuffix(_PATH).rstrip("/") + mark + query)


LabelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class Expected(Bounds):
    """What the query yields when all is well."""

    equals: float | None = Field(None, description="The only value that is well.", examples=[1])
    series: Bounds = Field(Bounds(), description="How many series are well: {min, max}.")

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        if self.equals is not None and (self.min is not None or self.max is not None):
            raise ValueError("has `equals` beside `min` or `max`, expected one or the other")
        return self

    def complaint(self, name: str, value: float) -> str:
        if math.isnan(value):
            return f"{name} is NaN, expected a number"
        if self.equals is not None and value != self.equals:
            return f"{name} is {value:.15g}, expected {self.equals:.15g}"
        return super().complaint(name, value)

    @property
    def allows_none(self) -> bool:
        """Whether it is said that no series at all may be well."""
        return any(bound is not None and bound <= 0 for bound in (self.series.min, self.series.max))


class PrometheusCheck(Check):
    """Asks a Prometheus-compatible server a PromQL query and judges every value, or one that is made of all.

    Values are exported as `probe_value` by name: `value` is each series with the labels of `by`, or the only one there
    is, or what `reduce` makes of all; of several without such labels, `min` and `max` are. `series` counts them.
    """

    type: Literal["prometheus"] = "prometheus"
    url: Annotated[HttpUrl, AfterValidator(_base)] = Field(
        description=f"The server, with its path prefix and its query if it has them; {_PATH} is added.",
        examples=["http://prometheus:9090"],
    )
    query: str = Field(
        description="What is asked, for the moment of the probe.",
        min_length=1,
        max_length=10_000,
        examples=["sum by (job) (rate(http_requests_total[5m]))"],
    )
    headers: Headers = Field(
        default_factory=dict,
        description="The request's headers, such as X-Scope-OrgID; their values are never shown.",
        examples=[{"X-Scope-OrgID": "platform"}],
    )
    expect: Expected = Field(Expected(), description="What is well; without it, any number is.")
    reduce: Literal["all", "any", "max", "min", "sum"] = Field(
        "all", description="What has to be well: all series, any of them, or the max, min or sum of all."
    )
    empty: Literal["fail", "ok"] | None = Field(
        None,
        description="Whether no series is a failure. Without it: yes, unless `expect.series` allows 0.",
        examples=["ok"],
    )
    by: tuple[LabelName, ...] = Field(
        (), description="Labels of the query's series under which each is exported.", max_length=10, examples=[["job"]]
    )
    max_series: int = Field(20, description="The most series that are exported; all are judged.", ge=1, le=1000)
    max_body: int = Field(1024 * 1024, description="The most bytes that an answer has.", ge=1)

    @model_validator(mode="after")
    def _knows_what_none_means(self) -> Self:
        if self.empty == "fail" and self.expect.allows_none:
            raise ValueError("has `empty: fail`, but `expect.series` allows 0; expected one or the other")
        return self

    @property
    def target(self) -> str:
        return safe_url(self.url)

    @property
    def _endpoint(self) -> str:
        path, mark, query = self.url.partition("?")
        return path + _PATH + mark + query

    async def probe(self, ctx: ProbeContext) -> None:
        # The server need not go on once we have given up; who does not know the parameter ignores it.
        body = urlencode({"query": self.query, "timeout": f"{self.timeout:g}"}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        headers |= {name: reveal(value, ErrorType.AUTH) for name, value in self.headers.items()}
        async with answer(ctx, "POST", self._endpoint, headers=headers, body=body) as response:
            if response.status != 200:
                raise await self._refused(ctx, response)
            with ctx.timed("transfer"):
                content = await read_limited(response, self.max_body)
        ctx.saw(response.headers, content)
        # Away from the loop: a large answer takes longer to read than anybody should wait.
        found = await asyncio.to_thread(read, content)
        ctx.note(series=len(found.elements))
        if found.warnings:
            ctx.note(warnings=found.warnings)
        self._export(ctx, found.elements)
        if complaint := self._complaint(found.elements):
            raise CheckFailed(ErrorType.ASSERTION, complaint)

    async def _refused(self, ctx: ProbeContext, response: aiohttp.ClientResponse) -> CheckFailed:
        if location := response.headers.get("Location"):
            where = quoted(safe_url(location))
            return CheckFailed(ErrorType.ASSERTION, f"got {response.status}, expected 200; it redirects to {where}")
        said = await so_far(response, _LARGEST_ERROR, _PATIENCE)
        ctx.saw(response.headers, said)
        return refusal(response.status, said)

    def _reduced(self, elements: tuple[Element, ...]) -> float | None:
        """What `reduce` makes of all; None when each counts by itself."""
        function = _REDUCTIONS.get(self.reduce)
        return None if function is None or not elements else _over(function, elements)

    def _export(self, ctx: ProbeContext, elements: tuple[Element, ...]) -> None:
        ctx.record(PROBE_VALUE, len(elements), name="series")
        reduced = self._reduced(elements)
        if reduced is not None:
            ctx.record(PROBE_VALUE, reduced, name="value")
        elif self.by:
            self._export_each(ctx, elements)
        elif len(elements) == 1:
            ctx.record(PROBE_VALUE, elements[0].value, name="value")
        elif elements:
            for name in ("max", "min"):
                ctx.record(PROBE_VALUE, _over(_REDUCTIONS[name], elements), name=name)

    def _export_each(self, ctx: ProbeContext, elements: tuple[Element, ...]) -> None:
        seen: set[tuple[str, ...]] = set()
        left_out = 0
        for element in elements:
            own = tuple(element.labels.get(label, "") for label in self.by)
            # Two of the same labels would be one series; and what is beyond bounds would grow without end.
            if own in seen or len(seen) == self.max_series or any(len(text) > _LONGEST_LABEL for text in own):
                left_out += 1
                continue
            seen.add(own)
            labels = {_label(label): text for label, text in zip(self.by, own, strict=True)}
            ctx.record(PROBE_VALUE, element.value, **{"name": "value"} | labels)
        if left_out:
            ctx.note(left_out=left_out)

    def _complaint(self, elements: tuple[Element, ...]) -> str:
        """What is wrong with what came, or nothing."""
        many = len(elements)
        if not many and (self.empty == "fail" or (self.empty is None and not self.expect.allows_none)):
            return "the query yields no series, expected at least one; `empty: ok` if that is well"
        if wrong_number := self.expect.series.complaint("the number of series", many):
            return f"{wrong_number}: {_listed(map(str, elements), many)}" if many else wrong_number
        if not many:
            return ""
        reduced = self._reduced(elements)
        if reduced is not None:
            return self.expect.complaint(
                f"the {self.reduce} of {many} series" if many > 1 else str(elements[0]), reduced
            )
        complaints = [said for one in elements if (said := self.expect.complaint(str(one), one.value))]
        if not complaints or (self.reduce == "any" and len(complaints) < many):
            return ""
        said = _listed(complaints, len(complaints))
        return said if many == 1 else f"{len(complaints)} of {many} series are not well: {said}"


def _over(function: Callable[[Iterable[float]], float], elements: tuple[Element, ...]) -> float:
    """*function* of all values; NaN when one is, which comparing would hide or not by their order."""
    values = [element.value for element in elements]
    return math.nan if any(map(math.isnan, values)) else function(values)


def _label(name: str) -> str:
    return "exported_name" if name == "name" else exported(name)


def _listed(texts: Iterable[str], many: int) -> str:
    first = [quoted(text) for text in islice(texts, _TOLD)]
    return "; ".join(first) + (f"; and {many - _TOLD} more" if many > _TOLD else "")

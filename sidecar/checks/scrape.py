"""What a gateway, or anything else, says at its /metrics."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Final, Literal, NamedTuple

import aiohttp
from pydantic import AfterValidator, Field

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._http import Headers, HttpUrl, answer, beginning, quoted, reveal
from sidecar.checks._patterns import Pattern, compiled
from sidecar.checks._values import exported
from sidecar.model.families import SCRAPE_SAMPLES
from sidecar.model.samples import Family, Kind
from sidecar.outbound import read_limited, safe_url

_ACCEPT: Final = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.7,*/*;q=0.1"
_OURS: Final = ("sidecar_", "probe_", "claude_", "process_", "ALERTS", "heartbeat_")
_LONGEST_LABEL: Final = 1024


class _Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


def _prefix(text: str) -> str:
    if text and not (text.isascii() and text.replace("_", "a").isalnum() and not text[0].isdigit()):
        raise ValueError("expected letters, digits and underscores, such as gateway_")
    return text


class ScrapeCheck(Check):
    """Reads the metrics of a Prometheus endpoint into the store, where rules find them under their own names.

    The check fails when the endpoint cannot be read, and its series end, as in Prometheus. Counters keep the values of
    their source, resets included. Names that the daemon uses itself (`process_…`) are left out, unless there is a
    `prefix`. Native histograms are left out.
    """

    type: Literal["scrape"] = "scrape"
    url: HttpUrl = Field(description="What to read.", examples=["http://127.0.0.1:4000/metrics"])
    headers: Headers = Field(
        default_factory=dict,
        description="The request's headers; their values are never shown.",
        examples=[{"Authorization": {"file": "/run/secrets/metrics"}}],
    )
    keep: tuple[Pattern, ...] = Field(
        (), description="Names of samples to take, as RE2 of the whole name.", examples=[["litellm_.*"]]
    )
    drop: tuple[Pattern, ...] = Field(
        (), description="Names of samples to leave out, as RE2 of the whole name.", examples=[[".*_created"]]
    )
    prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "", description="What every name gets in front.", examples=["gateway_"]
    )
    max_samples: int = Field(2000, description="The most samples that are taken; more are a failure.", ge=1, le=10_000)
    max_body: int = Field(8 * 1024 * 1024, description="The most bytes that an answer has.", ge=1)

    @property
    def target(self) -> str:
        return safe_url(self.url)

    async def probe(self, ctx: ProbeContext) -> None:
        headers = {"Accept": _ACCEPT} | {name: reveal(value, "bad_request") for name, value in self.headers.items()}
        async with answer(ctx, "GET", self.url, headers=headers, redirects=3) as response:
            if response.status != 200:
                said = await beginning(response)
                raise CheckFailed("assertion", f"got {response.status}, expected 200" + (f": {said}" if said else ""))
            with ctx.timed("transfer"):
                content = await read_limited(response, self.max_body)
        # Away from the loop: a large text takes longer to read than anybody should wait.
        taken, refused = await asyncio.to_thread(self._samples, content, _is_openmetrics(response))
        for sample in taken:
            family = Family(sample.name, Kind.UNTYPED, "Scraped.")
            ctx.record(family, sample.value, **sample.labels)
        ctx.record(SCRAPE_SAMPLES, len(taken))
        ctx.note(samples=len(taken), left_out=refused)

    def _samples(self, content: bytes, openmetrics: bool) -> tuple[list[_Sample], int]:
        """What is taken, and how many samples are left out because they are not for us."""
        taken: list[_Sample] = []
        refused = 0
        keep, drop = [compiled(one) for one in self.keep], [compiled(one) for one in self.drop]
        for name, labels, value in _parsed(content, openmetrics):
            if (keep and not any(one.fullmatch(name) for one in keep)) or any(one.fullmatch(name) for one in drop):
                continue
            final = f"{self.prefix}{name}"
            if final.startswith(_OURS) or any(len(text) > _LONGEST_LABEL for text in labels.values()):
                refused += 1
                continue
            if len(taken) == self.max_samples:
                advice = "use `keep` or `drop`, or raise `max_samples`"
                raise CheckFailed("too_large", f"has more than {self.max_samples} samples; {advice}")
            taken.append(_Sample(final, {exported(key): text for key, text in labels.items()}, value))
        return taken, refused


def _parsed(content: bytes, openmetrics: bool) -> Iterator[_Sample]:
    """Every sample of a text; raises CheckFailed for what is none."""
    from prometheus_client.openmetrics import parser as of_openmetrics
    from prometheus_client.parser import text_string_to_metric_families

    try:
        text = content.decode()
        read = of_openmetrics.text_string_to_metric_families if openmetrics else text_string_to_metric_families
        for family in read(text):
            for sample in family.samples:
                value = getattr(sample, "value", None)
                if isinstance(value, float | int) and not sample.name.endswith("_created"):
                    yield _Sample(sample.name, dict(sample.labels), float(value))
    except CheckFailed:
        raise
    except Exception as exc:
        # The parser raises whatever its slices and splits raise.
        problem = quoted(str(exc)) or type(exc).__name__
        raise CheckFailed("assertion", f"the answer is no text of metrics: {problem}; is this the right path?") from exc


def _is_openmetrics(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == "application/openmetrics-text"

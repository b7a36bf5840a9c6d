"""Whether an HTTP endpoint answers as it should, or several, one after the other."""

import asyncio
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_serializer, model_validator

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._http import Trip
from sidecar.checks._steps import Exchange
from sidecar.outbound import safe_url
from sidecar.secrets import MASK, borrowed, redact


class Step(Exchange):
    """One request of several, and what has to be answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        "", description="What a failure calls the step; without it, its number.", max_length=60, examples=["login"]
    )

    @field_serializer("body", "json_body")
    def _hidden(self, body: Any) -> Any:
        return MASK if body else body  # may hold a secret, although it is none

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.url:
            raise ValueError("has no `url`, expected one such as http://gateway:8080/health")
        return self


class HttpCheck(Exchange, Check):
    r"""Asks a URL and judges its answer, or does so in several `steps`; each request has a connection of its own.

    All that is wrong with an answer is told at once, but an answer with another status is not looked into. Phases are
    those of all steps in sum, status and evidence those of the last. A step hands on what it saves and nothing else,
    no cookies either: `{{ token }}` stands for it in later URLs, headers and bodies, and `\{{ token }}` for itself.
    """

    type: Literal["http"] = "http"
    steps: tuple[Step, ...] = Field(
        (),
        description="Several requests in place of one, made in turn until one fails: each has a `name` and, as above, "
        "`url` and the rest of a request, and what a good answer is.",
        max_length=20,
        examples=[[{"name": "ready", "url": "http://gateway:8080/ready"}]],
    )

    @model_validator(mode="after")
    def _asks_once_or_in_steps(self) -> Self:
        if not self.steps and not self.url:
            raise ValueError("has neither `url` nor `steps`, expected one of them")
        fields = Exchange.model_fields
        beside = [
            field.alias or name
            for name, field in fields.items()
            if getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        if self.steps and beside:
            raise ValueError(
                f"has {', '.join(f'`{name}`' for name in beside)} beside `steps`; expected that in the steps"
            )
        return self

    @model_validator(mode="after")
    def _uses_what_was_saved(self) -> Self:
        saved: set[str] = set()
        for place, step in self._exchanges():
            for setting, name in step.uses():
                if name not in saved:
                    known = ", ".join(sorted(saved)) or "nothing"
                    raise ValueError(f"{place}{setting} uses {name!r}, which no step before saves; saved is: {known}")
            saved |= step.save.keys()
        return self

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        for kind, found in (
            ("step is named", [step.name for step in self.steps if step.name]),
            ("value is called", [name for _, step in self._exchanges() for name in step.values]),
        ):
            if twice := sorted({name for name in found if found.count(name) > 1}):
                raise ValueError(f"more than one {kind} {twice[0]!r}; expected names of their own")
        return self

    def _exchanges(self) -> list[tuple[str, Exchange]]:
        """The steps, and where each stands in the check; without any, the check is its only step."""
        return [(f"steps[{index}].", step) for index, step in enumerate(self.steps)] or [("", self)]

    @property
    def target(self) -> str:
        return safe_url(self._exchanges()[0][1].url)

    async def probe(self, ctx: ProbeContext) -> None:
        trip = Trip()
        saved: dict[str, str] = {}
        try:
            with borrowed() as keep:
                for number, (_, step) in enumerate(self._exchanges(), 1):
                    name = (step.name or str(number)) if isinstance(step, Step) else ""
                    try:
                        saved |= await step.run(ctx, trip, saved, keep)
                    except CheckFailed as exc:
                        if not name:
                            raise
                        ctx.note(step=name)
                        raise CheckFailed(exc.error_type, f"step {name!r}: {redact(exc.message)}") from exc.__cause__
                    except asyncio.CancelledError:
                        if name:
                            ctx.note(step=name)  # the one that took too long
                        raise
        finally:
            trip.tell(ctx)

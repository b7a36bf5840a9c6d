"""Whether a job calls in when it should."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from sidecar.checks import Check, CheckFailed, CheckUnknown, ProbeContext
from sidecar.checks._http import quoted
from sidecar.model import durations
from sidecar.model.checks import WAITING
from sidecar.model.durations import Duration
from sidecar.model.families import HEARTBEAT_DURATION, HEARTBEAT_SUCCESS
from sidecar.model.heartbeats import Expected, Heard
from sidecar.model.schedules import Cron, Zone

_EVERY = 15.0


class HeartbeatCheck(Check):
    """Waits for a job's calls at `/api/v1/heartbeats/NAME`, instead of asking anybody."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"period": "1h"}]})

    crosses_network: ClassVar[bool] = False

    type: Literal["heartbeat"] = "heartbeat"
    period: Duration | None = Field(
        None, description="The longest from one success to the next; or else `schedule`.", ge=1.0, examples=["1h"]
    )
    schedule: Cron | None = Field(
        None,
        description="When the job should call, as a cron expression in `timezone`, instead of `period`; `cron` is "
        "something else: when we look.",
        examples=["0 3 * * *"],
    )
    timezone: Zone | None = Field(
        None,
        description="Zone of `schedule`, UTC without it; of `cron` and `hours`, too, if they are used.",
        examples=["Europe/Berlin"],
    )
    grace: Duration = Field(300.0, description="How much later than due a call may come.", ge=0)
    max_runtime: Duration | None = Field(
        None,
        description="The longest from the call `start` to the end. Until then a job that has started is not late.",
        gt=0,
        examples=["2h"],
    )
    failure_threshold: int = Field(
        1,
        description="Failures in a row that make the check down; looking twice at what was heard tells no more.",
        ge=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _looks_often_enough(cls, data: Any) -> Any:
        """Without `every`, a short period is looked at as often."""
        if not isinstance(data, Mapping) or {"every", "cron"} & set(data) or "period" not in data:
            return data
        try:
            period = durations.parse(data["period"]) if isinstance(data["period"], str) else float(data["period"])
        except (TypeError, ValueError):
            return data  # said by the field itself
        return {**data, "every": period} if 0.1 <= period < _EVERY else data

    @model_validator(mode="after")
    def _has_one_expectation(self) -> Self:
        if (self.period is None) is (self.schedule is None):
            found = "both" if self.period is not None else "none"
            raise ValueError(
                f"got {found} of `period` and `schedule`, expected one, such as `period: 1h` or `schedule: '0 3 * * *'`"
            )
        return self

    @property
    def target(self) -> str:
        return f"heartbeat://{self.name}"

    @property
    def expected(self) -> Expected:
        """When calls should come; whoever takes them reads it."""
        return Expected(self.period, self.schedule or "", self.timezone or "", self.grace, self.max_runtime)

    async def probe(self, ctx: ProbeContext) -> None:
        heard, now = ctx.heard, ctx.clock.time()
        if not heard.since:
            raise CheckUnknown(WAITING, "calls are heard by a running daemon alone, and this is none")
        if heard.succeeded is not None:
            ctx.record(HEARTBEAT_SUCCESS, heard.succeeded)
        if heard.duration is not None:
            ctx.record(HEARTBEAT_DURATION, heard.duration)
        self._note(ctx, heard)
        if heard.failed is not None:
            raise _failure(heard, heard.failed)
        overrun = self.expected.overrun(heard)
        if overrun is not None and now >= overrun and heard.started is not None:
            longest = durations.show(self.max_runtime or 0.0)
            raise CheckFailed("timeout", f"the job began at {_utc(heard.started)}, expected its end within {longest}")
        if now >= self.expected.late(heard):
            raise CheckFailed("missed", self._missed(heard))
        if heard.waits:
            raise CheckUnknown(WAITING, self._waiting(heard))

    def _note(self, ctx: ProbeContext, heard: Heard) -> None:
        ctx.note(due=_utc(self.expected.due(heard)))
        if heard.succeeded is not None:
            ctx.note(last_success=_utc(heard.succeeded))
        if heard.started is not None:
            ctx.note(running_since=_utc(heard.started))
        if heard.message:
            ctx.note(said=quoted(heard.message))

    def _missed(self, heard: Heard) -> str:
        last = "no success yet" if heard.succeeded is None else f"the last success was at {_utc(heard.succeeded)}"
        due = _utc(self.expected.due(heard))
        return f"{last}, expected one at {due} or within {durations.show(self.grace)} after it{_but_deaf(heard)}"

    def _waiting(self, heard: Heard) -> str:
        due, late = _utc(self.expected.due(heard)), _utc(self.expected.late(heard))
        if heard.succeeded is None:
            return f"no call came since {_utc(heard.since)}{_but_deaf(heard)}; due at {due}, and late at {late}"
        return f"a call was due while we could not hear it{_but_deaf(heard)}; the next is due at {due}"


def _failure(heard: Heard, failed: float) -> CheckFailed:
    said = f": {quoted(heard.message)}" if heard.message else ""
    if heard.exit_code is not None:
        return CheckFailed(
            "exit_code", f"the job ended with the exit code {heard.exit_code} at {_utc(failed)}, expected 0{said}"
        )
    return CheckFailed("assertion", f"the job said at {_utc(failed)} that it failed{said}")


def _but_deaf(heard: Heard) -> str:
    if heard.deaf is None or (heard.succeeded is not None and heard.deaf[1] < heard.succeeded):
        return ""
    begin, end = heard.deaf
    return f" (we were away from {_utc(begin)} to {_utc(end)})"


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

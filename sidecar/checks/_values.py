"""Numbers that a check reads from its peer: exported, and judged by bounds."""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from sidecar.checks import CheckFailed, ProbeContext
from sidecar.model.families import PROBE_VALUE

ValueName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.\-]*$", max_length=60)]
"""The label `name` of `probe_value`."""

_TAKEN: Final = frozenset({"check", "type", "target", "critical", "pod", "instance", "job"})
"""Labels that say whose series it is."""


def exported(label: str) -> str:
    """*label* of a foreign series as ours carries it: `exported_…` where it would say whose ours is, as Prometheus."""
    return f"exported_{label}" if label in _TAKEN else label


class Bounds(BaseModel):
    """Within what a number is well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: float | None = Field(None, description="The least that is well.", examples=[1])
    max: float | None = Field(None, description="The most that is well.", examples=[5000])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"got min {self.min:g} above max {self.max:g}, expected min <= max")
        return self

    def complaint(self, name: str, value: float) -> str:
        """What is wrong with *value*, or nothing."""
        if self.min is not None and not value >= self.min:
            return f"{name} is {value:.15g}, expected at least {self.min:.15g}"
        if self.max is not None and not value <= self.max:
            return f"{name} is {value:.15g}, expected at most {self.max:.15g}"
        return ""


def report(ctx: ProbeContext, read: Mapping[str, tuple[Bounds, float]]) -> None:
    """Export what was *read*, all of it, then fail if something is out of its bounds."""
    for name, (_, value) in read.items():
        ctx.record(PROBE_VALUE, value, name=name)
    complaints = [said for name, (bounds, value) in read.items() if (said := bounds.complaint(name, value))]
    if complaints:
        raise CheckFailed("assertion", "; ".join(complaints))

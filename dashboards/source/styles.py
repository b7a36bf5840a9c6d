"""Colours, and words for values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import common as build
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common, dashboard

from dashboards.source.limits import Limit

GOOD, BAD, UNKNOWN = "green", "red", "text"


@dataclass(frozen=True, slots=True)
class State:
    """What a value means, in a word and a colour."""

    value: float
    text: str
    color: str


UP_OR_DOWN: Final = (State(1, "up", GOOD), State(0, "down", BAD))
YES_OR_NO: Final = (State(1, "yes", GOOD), State(0, "no", BAD))
HEALTH: Final = (State(1, "healthy", GOOD), State(0.5, "degraded", "orange"), State(0, "critical", BAD))


def mappings(states: Sequence[State]) -> list[dashboard.ValueMapping]:
    """The words and colours of some values."""
    if not states:
        return []
    return [
        dashboard.ValueMap(
            {
                f"{state.value:g}": dashboard.ValueMappingResult(text=state.text, color=state.color, index=place)
                for place, state in enumerate(states)
            }
        )
    ]


def thresholds(limits: Sequence[Limit], fine: str) -> builders.ThresholdsConfig:
    """Colours by value, from *fine* where nothing is wrong."""
    higher = sorted((limit for limit in limits if limit.above), key=lambda limit: limit.value)
    lower = sorted((limit for limit in limits if not limit.above), key=lambda limit: limit.value)
    # A colour holds from its value up to the next one, so what is too little has the colour of the step before it.
    colors = [*(limit.color for limit in lower), fine, *(limit.color for limit in higher)]
    values = [None, *(limit.value for limit in (*lower, *higher))]
    steps = [dashboard.Threshold(value=value, color=color) for value, color in zip(values, colors, strict=True)]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def by_threshold() -> builders.FieldColor:
    """A value's colour is that of its state or of the limit that it has passed."""
    return builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)


def by_name() -> builders.FieldColor:
    """The same thing has the same colour in every panel."""
    return builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def legend() -> build.VizLegendOptions:
    """Below, in one line if it fits."""
    return (
        build.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )

"""Sums and percentiles of the last minutes."""

import pytest

from sidecar.api.health import Health, Status
from sidecar.api.summary import grown, summarize
from sidecar.model.labels import Labels
from sidecar.model.samples import STALE
from sidecar.store.series import Series
from tests.promql.memory import Memory

HEALTH = Health(Status.HEALTHY, (), (), 600.0)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([(0, 5), (100, 7)], 2, id="it grew"),
        pytest.param([(0, 5), (40, 7), (100, 8)], 1, id="what came before the window is where it began"),
        pytest.param([(60, 1), (100, 4)], 3, id="born within the window"),
        pytest.param([(0, 5), (60, 7), (80, 1), (100, 2)], 4, id="reset"),
        pytest.param([(0, 5), (60, STALE)], 0, id="ended"),
        pytest.param([], 0, id="never seen"),
    ],
)
def test_a_counter_grows(points, expected):
    """Growth is exact: from the last value before the window to the last one, resets counted."""
    series = Series(Labels(__name__="x"))
    for at, value in points:
        series.write(at, float(value))

    assert grown(series, 50) == expected


def test_percentiles_by_model():
    """Each model has its quantiles of the window, with how many observations stand behind them."""
    name = "claude_request_duration_seconds"
    memory = Memory()
    for window in ("5m", "1h"):
        for quantile, value in (("0.5", 1.0), ("0.95", 4.0)):
            labels = Labels(
                __name__=f"{name}_quantile", model="haiku", source="probe", window=window, quantile=quantile
            )
            memory.put(labels, {590_000: value})
        memory.put(
            Labels(__name__=f"{name}_window_count", model="haiku", source="probe", window=window), {590_000: 412.0}
        )

    [found] = summarize(memory, HEALTH, (), "5m", 600.0).percentiles

    assert found.metric == name
    assert found.labels == {"model": "haiku", "source": "probe"}
    assert (found.samples, found.quantiles) == (412.0, {"0.5": 1.0, "0.95": 4.0})


def test_costs_and_requests_by_model():
    """Counters are summed over what is not asked for, such as the target."""
    memory = Memory()
    for target in ("a", "b"):
        memory.put(
            Labels(__name__="claude_cost_dollars_total", model="haiku", source="probe", target=target),
            {0: 0.0, 590_000: 0.5},
        )

    [cost] = summarize(memory, HEALTH, (), "1h", 600.0).cost_dollars

    assert (cost.labels, cost.count) == ({"model": "haiku", "source": "probe"}, 1.0)

"""Which firing an acknowledgement is of."""

from dataclasses import replace

import pytest

from sidecar.alerts.quieting import Ack, Quieting
from tests.alerts.examples import NOON, firing


@pytest.mark.parametrize(
    ("steps", "began", "covered"),
    [
        pytest.param([], 0.0, True, id="as it was"),
        pytest.param([], 60.0, False, id="another firing"),
        pytest.param([-3600.0], 0.0, True, id="stepped, before the turn that moves the alert"),
        pytest.param([-3600.0], -3600.0, True, id="stepped, after it"),
        pytest.param([-3600.0, -60.0], 0.0, True, id="stepped twice, before any turn"),
        pytest.param([-3600.0, -60.0], -3660.0, True, id="stepped twice, after it"),
        pytest.param([-3600.0], -1800.0, False, id="another firing after a step"),
    ],
)
def test_an_acknowledgement_is_of_one_firing(steps: list[float], began: float, covered: bool) -> None:
    """However often the clock is set back: it is of the firing that was seen, and of no other."""
    alert = firing()
    assert alert.fired_at is not None
    quieting = Quieting((), [Ack(alert.fingerprint, NOON + 5, "anna", "", (alert.fired_at,))])
    for seconds in steps:
        quieting.step(seconds)

    assert quieting.acked(replace(alert, fired_at=alert.fired_at + began)) is covered

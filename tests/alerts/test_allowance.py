"""A channel gets so many messages in a minute; what is beyond is told together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.alerts.allowance import WINDOW, Allowance


@pytest.mark.parametrize(
    ("cap", "put", "now", "single", "held_until"),
    [
        pytest.param(0, [0.0] * 1000, 1.0, None, None, id="no cap"),
        pytest.param(20, [], 0.0, 14, None, id="nothing yet"),
        pytest.param(20, [0.0] * 13, 1.0, 1, None, id="one left"),
        pytest.param(20, [0.0] * 14, 1.0, 0, 10.0, id="the rest goes together, every ten seconds"),
        pytest.param(20, [0.0] * 14, 10.0, 0, None, id="ten seconds later"),
        pytest.param(20, [0.0] * 20, 30.0, 0, 60.0, id="all used"),
        pytest.param(20, [*range(20)], 30.0, 0, 60.0, id="until the oldest is a minute old"),
        pytest.param(20, [0.0] * 20, 60.0, 14, None, id="a minute later"),
        pytest.param(1, [], 0.0, 0, None, id="one a minute"),
        pytest.param(1, [0.0], 1.0, 0, 60.0, id="one a minute, used"),
    ],
)
def test_what_is_left(cap: int, put: list[float], now: float, single: int | None, held_until: float | None) -> None:
    """Most of a minute's messages go by themselves, the last ones carry many alerts each."""
    allowance = Allowance()
    for at in put:
        allowance.put(["hook"], at)

    assert (allowance.single("hook", cap, now), allowance.held_until("hook", cap, now)) == (single, held_until)
    assert allowance.held_until("other", cap, now) is None


@given(st.integers(1, 30), st.lists(st.tuples(st.floats(0, 30), st.integers(0, 50)), max_size=60))
def test_no_minute_has_more_than_its_cap(cap: int, turns: list[tuple[float, int]]) -> None:
    """Whatever comes when: what can wait is never more than the cap in any minute."""
    allowance, now, put = Allowance(), 0.0, list[float]()
    waiting = 0
    for pause, fresh in turns:
        now += pause
        waiting += fresh
        if not waiting or allowance.held_until("hook", cap, now) is not None:
            continue
        single = allowance.single("hook", cap, now)
        assert single is not None
        messages = waiting if waiting <= single else single + 1
        waiting = 0
        allowance.put(["hook"] * messages, now)
        put += [now] * messages
        assert sum(at > now - WINDOW for at in put) <= cap

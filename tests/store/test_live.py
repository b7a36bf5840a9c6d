import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.utils import floatToGoString

from sidecar.model.families import DURATIONS, FIRST_TOKEN
from sidecar.store.live import le


def client_le(bound: float) -> str:
    """What Prometheus' own client writes."""
    return str(floatToGoString(bound))


@pytest.mark.parametrize(
    ("bound", "text"), [(0.1, "0.1"), (10, "10.0"), (1e6, "1e+06"), (1234567.0, "1.234567e+06"), (math.inf, "+Inf")]
)
def test_le_is_written_as_clients_write_it(bound, text):
    """A bucket's bound has the text that Prometheus' own client gives it."""
    assert le(bound) == text == client_le(bound)


@given(st.sampled_from([*DURATIONS, *FIRST_TOKEN]) | st.floats(allow_nan=False, min_value=-1e300))
def test_every_le_agrees_with_the_client(bound):
    """No bound is written differently from the client library."""
    assert le(bound) == client_le(bound)

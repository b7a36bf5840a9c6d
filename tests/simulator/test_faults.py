"""Faults as data."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.simulator import CATALOGUE, Fault, FaultError, FaultKind, Timeline, errors
from sidecar.simulator.faults import MEANINGS


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("overloaded", Fault(FaultKind.OVERLOADED), id="always, for all"),
        pytest.param("overloaded@10s-40s", Fault(FaultKind.OVERLOADED, 10, 40), id="from when to when"),
        pytest.param("hang@1m30s", Fault(FaultKind.HANG, 90, math.inf), id="from when on"),
        pytest.param("stall:claude-opus-*", Fault(FaultKind.STALL, model="claude-opus-*"), id="for some models"),
        pytest.param(
            "throttled@0s-5s:claude-haiku-5-5,probability=0.5,retry_after=7",
            Fault(FaultKind.THROTTLED, 0, 5, "claude-haiku-5-5", 0.5, retry_after=7),
            id="with everything",
        ),
        pytest.param("ping_only,every=2s,after=1", Fault(FaultKind.PING_ONLY, every=2, after=1), id="parameters alone"),
    ],
)
def test_a_fault_is_read_from_a_line_of_text(text, fault):
    """The command line's notation names kind, times, models and parameters."""
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("explode", ["got the fault 'kind=explode'", "overloaded"], id="an unknown kind"),
        pytest.param("overloaded@soon", ["start: got 'soon', expected a duration", "30s"], id="a time that is none"),
        pytest.param("overloaded@1s-", ["overloaded@1s-", "KIND[@START"], id="half a range"),
        pytest.param("overloaded,probability", ["probability", "NAME=VALUE"], id="a parameter without a value"),
        pytest.param("overloaded,probability=2", ["probability", "less than or equal to 1"], id="too probable"),
        pytest.param("overloaded,colour=red", ["colour"], id="an unknown parameter"),
        pytest.param({"start": 3}, ["kind"], id="a mapping without a kind"),
        pytest.param(7, ["7"], id="a number"),
        pytest.param("", ["''"], id="nothing"),
    ],
)
def test_a_wrong_fault_says_what_was_found_and_expected(value, words):
    """The error names the text, the field and what it may be."""
    with pytest.raises(FaultError) as caught:
        Fault.of(value)

    for word in words:
        assert word in str(caught.value)


@given(
    st.builds(
        Fault,
        st.sampled_from(FaultKind),
        st.integers(0, 10**6),
        st.integers(0, 10**6) | st.just(math.inf),
        st.sampled_from([None, "claude-*", "claude-opus-5-5"]),
        st.sampled_from([0.0, 0.25, 1.0]),
        path=st.sampled_from([None, "/v1/*"]),
        after=st.none() | st.integers(0, 9),
        every=st.sampled_from([0.25, 5.0, 90.0]),
        factor=st.sampled_from([0.5, 10.0]),
        retry_after=st.none() | st.integers(0, 99),
        error_type=st.sampled_from(["overloaded_error", "api_error"]),
        error_code=st.sampled_from([None, "contract_spend_limit_reached"]),
    )
)
def test_a_fault_is_written_as_it_is_read(fault):
    """Reading what was written gives the same fault."""
    assert Fault.parse(str(fault)) == fault


def test_a_fault_is_on_from_its_start_and_off_at_its_end():
    """The start belongs to the fault, the end does not; several may be on at once."""
    early, late = Fault(FaultKind.SLOW, 0, 20), Fault(FaultKind.STALL, 10, 30)
    timeline = Timeline((early, late))

    assert timeline.at(0) == (early,)
    assert timeline.at(10) == (early, late)
    assert timeline.at(20) == (late,)
    assert timeline.at(30) == ()
    assert timeline.changes() == [0, 10, 20, 30]


@pytest.mark.parametrize(
    ("kind", "method", "path", "model", "strikes"),
    [
        pytest.param("overloaded", "POST", "/v1/messages", "claude-haiku-5-5", True, id="an overload: messages"),
        pytest.param(
            "overloaded", "POST", "/v1/messages/count_tokens", "m", False, id="an overload: not the tokenizer"
        ),
        pytest.param("overloaded", "GET", "/v1/models", None, False, id="an overload: not the catalogue"),
        pytest.param("auth", "GET", "/v1/models", None, True, id="a revoked key: the catalogue, too"),
        pytest.param("auth", "GET", "/api/hello", None, False, id="a revoked key: not what needs none"),
        pytest.param("hang", "GET", "/api/hello", None, True, id="a hang: everything"),
        pytest.param("not_found", "GET", "/v1/models", None, False, id="a missing model: not the list"),
        pytest.param("not_found", "GET", "/v1/models/m", "m", True, id="a missing model: itself"),
        pytest.param("too_large", "GET", "/v1/models", None, False, id="a size: only what has a body"),
        pytest.param("stall:claude-opus-*", "POST", "/v1/messages", "claude-opus-5-5", True, id="its model"),
        pytest.param("stall:claude-opus-*", "POST", "/v1/messages", "claude-haiku-5-5", False, id="another model"),
        pytest.param("hang:claude-opus-*", "GET", "/api/hello", None, False, id="no model at all"),
        pytest.param("overloaded,path=/v1/models*", "GET", "/v1/models", None, True, id="where a path says so"),
        pytest.param("hang,path=/v1/models*", "POST", "/v1/messages", "m", False, id="only where a path says so"),
    ],
)
def test_what_a_fault_strikes_follows_from_what_it_is(kind, method, path, model, strikes):
    """An overload strikes inference, a revoked key what needs one, the network everything."""
    assert Fault.parse(kind).strikes(method, path, model) is strikes


def test_every_kind_has_a_meaning():
    """The help of the command line says something about each kind."""
    assert set(MEANINGS) == set(FaultKind)


def test_the_end_of_a_spend_cap_is_the_first_of_the_next_month():
    """In December that is in January."""
    december = 1797238800.0  # 2026-12-14

    error = errors.of(Fault(FaultKind.SPEND_CAP), december)

    assert error is not None
    assert "2027-01-01 at 00:00 UTC" in error.message
    assert error.retry_after is None


def test_the_catalogue_has_the_models_that_the_sdk_names():
    """Whatever the SDK's list has and is not retired, the simulator answers for."""
    from anthropic.types import model

    literal = get_args(model.Model)[0]
    names = {name for known in CATALOGUE for name in (known.id, *known.aliases)}

    assert set(get_args(literal)) - {"claude-mythos-preview"} <= names

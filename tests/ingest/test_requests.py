from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.claude.errors import ErrorType
from sidecar.ingest.effects import Effects
from sidecar.ingest.events import Decoder
from sidecar.model.samples import Kind
from sidecar.store import Reason

NOW = 1_800_000_000.0
OK = {"type": "request", "model": "claude-opus-5", "target": "https://api.anthropic.com", "status": 200}


def decode(*events: Any, sender: str = "") -> Effects:
    return Decoder().decode(events, 0, NOW, sender)


def changes(found: Effects) -> dict[str, float]:
    """What changes, by the text of the series; observations of one series are added."""
    sums: dict[str, float] = {}
    for effect in (*found.counted, *found.measured):
        name = str(effect.update.labels.with_(__name__=effect.update.family.name))
        sums[name] = sums.get(name, 0.0) + effect.update.value
    return sums


ON = 'model="claude-opus-5"'
AT = 'target="https://api.anthropic.com"'
TO = f'source="traffic", {AT}'


def test_a_request_becomes_the_words_of_probes():
    """One event of a request is counted under every name that a probe of Claude has."""
    found = decode(
        OK
        | {
            "duration": 3.0,
            "time_to_first_token": 1.0,
            "input_tokens": 1000,
            "output_tokens": 100,
            "cache_read_tokens": 10,
            "cache_write_tokens": 0,
            "stop_reason": "end_turn",
            "retries": 2,
            "stream": True,
            "something": "of a newer sender",
        }
    )

    assert found.rejected == []
    assert changes(found) == pytest.approx(
        {
            f'claude_requests_total{{{ON}, outcome="ok", {TO}}}': 1,
            f"claude_request_duration_seconds{{{ON}, {TO}}}": 3.0,
            f"claude_time_to_first_token_seconds{{{ON}, {TO}}}": 1.0,
            f"claude_output_tokens_per_second{{{ON}, {TO}}}": 50.0,
            f'claude_tokens_total{{{ON}, {TO}, token_type="input"}}': 1000,
            f'claude_tokens_total{{{ON}, {TO}, token_type="output"}}': 100,
            f'claude_tokens_total{{{ON}, {TO}, token_type="cache_read"}}': 10,
            f"claude_cost_dollars_total{{{ON}, {TO}}}": 0.007505,
            f'claude_stop_reasons_total{{{ON}, source="traffic", stop_reason="end_turn", {AT}}}': 1,
            f"claude_retries_total{{{ON}, {TO}}}": 2,
        }
    )


def test_requests_with_the_same_labels_are_one_change():
    """Many requests of one kind change a counter once, and all of them stand behind it."""
    found = decode(*[OK | {"input_tokens": 10}] * 3, OK | {"status": 529, "error_type": "overloaded_error"})
    counts = {effect.update.labels.text("outcome"): effect for effect in found.counted if effect.events}

    assert counts["ok"].update.value == 3
    assert counts["ok"].events == [0, 1, 2]
    assert counts["failed"].events == [3]
    assert counts["failed"].update.labels["error_type"] == "overloaded"
    assert sum(effect.update.family.name == "claude_tokens_total" for effect in found.counted) == 1


LIMIT = "You have reached your specified API usage limits."


@pytest.mark.parametrize(
    ("event", "word", "outcome"),
    [
        pytest.param({}, "", "ok", id="a good answer"),
        pytest.param({"status": None}, "", "ok", id="no status and no error"),
        pytest.param({"status": 529, "error_type": "overloaded_error"}, "overloaded", "failed", id="the API's type"),
        pytest.param({"status": 500, "error_type": "overloaded_error"}, "overloaded", "failed", id="type over status"),
        pytest.param({"status": 529, "error_type": "rate_limit_error"}, "throttled", "refused", id="a limit over 529"),
        pytest.param(
            {"status": 429, "error_type": "rate_limit_error", "retry_after": 7}, "throttled", "refused", id="a limit"
        ),
        pytest.param(
            {"status": 429, "error_type": "rate_limit_error"},
            "throttled",
            "refused",
            id="a limit, nobody knows how long",
        ),
        pytest.param(
            {"status": 429, "error_type": "rate_limit_error", "retry_after": None},
            "spend_cap",
            "refused",
            id="a spent budget: the API gave no retry-after",
        ),
        pytest.param(
            {"status": 429, "error_type": "rate_limit_error", "error_code": "enforced_spend_limit_reached"},
            "spend_cap",
            "refused",
            id="a code over its type",
        ),
        pytest.param(
            {"status": 400, "error": {"type": "invalid_request_error", "message": LIMIT}},
            "spend_cap",
            "refused",
            id="a limit of one's own, in the API's object",
        ),
        pytest.param(
            {"status": 400, "error_type": "invalid_request_error", "error": "prompt is too long: 3 > 2"},
            "context_exceeded",
            "refused",
            id="a prompt that does not fit",
        ),
        pytest.param(
            {"status": 200, "error_type": "overloaded_error", "stream": True}, "overloaded", "failed", id="in a stream"
        ),
        pytest.param(
            {"status": 200, "error_type": "no_such_error"}, "stream_error", "failed", id="unknown, in a stream"
        ),
        pytest.param({"status": None, "error_type": "timeout"}, "timeout", "failed", id="a word of ours"),
        pytest.param({"status": None, "error_type": "stalled"}, "stalled", "failed", id="a stream without bytes"),
        pytest.param(
            {"status": None, "error_type": "anthropic.APITimeoutError"}, "timeout", "failed", id="a class of an SDK"
        ),
        pytest.param({"status": None, "error_type": "connection_error"}, "connect", "failed", id="a span of an SDK"),
        pytest.param({"status": 503}, "server_error", "failed", id="a status alone"),
        pytest.param({"status": "429"}, "throttled", "refused", id="a status as text"),
        pytest.param({"status": 401}, "auth", "refused", id="a key"),
    ],
)
def test_failures_are_told_apart(event, word, outcome):
    """The API's type and code decide, its status only where they say nothing; what failed has no duration."""
    found = decode(OK | {"duration": 9.0} | event)
    (request,) = [effect for effect in found.counted if effect.events]

    assert request.update.labels.text("error_type") == word
    assert request.update.labels["outcome"] == outcome
    durations = [effect for effect in found.counted if effect.update.family.kind is Kind.HISTOGRAM]
    assert bool(durations) == (outcome == "ok")


@pytest.mark.parametrize(
    ("model", "label"),
    [
        pytest.param("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5", id="Bedrock's"),
        pytest.param("claude-haiku-4-5@20251001", "claude-haiku-4-5", id="Vertex'"),
        pytest.param("anthropic/claude-haiku-4-5", "claude-haiku-4-5", id="a gateway's"),
        pytest.param("gpt-x", "gpt-x", id="another's"),
    ],
)
def test_models_have_one_name(model, label):
    """A model is counted under one name, however it is spelt."""
    (request,) = decode(OK | {"model": model}).counted

    assert request.update.labels["model"] == label


@pytest.mark.parametrize(
    ("target", "label"),
    [
        pytest.param(None, "claude", id="none"),
        pytest.param("https://user:secret@api/v1?key=secret#x", "https://api/v1", id="an address with secrets"),
        pytest.param("user:secret@api:443", "api:443", id="a user without a scheme"),
        pytest.param("https://[secret@", "other", id="no address"),
        pytest.param("gateway-a", "gateway-a", id="a name"),
    ],
)
def test_targets_hold_no_secret(target, label):
    """Of a target, scheme, host, port and path are told, never a user or a query."""
    (request,) = decode(OK | {"target": target}).counted

    assert request.update.labels["target"] == label


def test_names_that_users_make_up_do_not_fill_the_memory():
    """Beyond the first thirty, models without a price are `other`; those with one always have their name."""
    found = decode(*(OK | {"model": f"made-up-{n}"} for n in range(40)), OK)
    counts = {effect.update.labels["model"]: effect.update.value for effect in found.counted}

    assert len(counts) == 32
    assert counts["claude-opus-5"] == 1
    assert {effect.update.value for effect in found.counted} == {1}
    assert sum(effect.update.labels["model"] == "other" for effect in found.counted) == 10


@pytest.mark.parametrize(
    ("event", "name", "value"),
    [
        pytest.param({"duration_ms": 1500}, "claude_request_duration_seconds", 1.5, id="milliseconds"),
        pytest.param({"ttft_ms": 250}, "claude_time_to_first_token_seconds", 0.25, id="Claude Code's first token"),
        pytest.param({"cost_usd": 0.5}, "claude_cost_dollars_total", 0.5, id="Claude Code's cost"),
        pytest.param({"cost": 0.25, "cost_usd": 9}, "claude_cost_dollars_total", 0.25, id="ours wins"),
        pytest.param(
            {"usage": {"input_tokens": 5, "cache_creation_input_tokens": 2}, "cost": 0},
            "claude_tokens_total",
            7,
            id="the API's usage",
        ),
    ],
)
def test_others_words_are_understood(event, name, value):
    """Fields that others name otherwise are read as ours."""
    found = decode(OK | event)

    assert sum(effect.update.value for effect in found.counted if effect.update.family.name == name) == value


def test_labels_of_the_sender_are_kept():
    """What an event says in `labels` is on everything that it counts."""
    found = decode(OK | {"duration": 1.0, "labels": {"team": "red", "tier": 2, "beta": True}})

    for effect in found.counted:
        assert dict(effect.update.labels.only("team", "tier", "beta")) == {"team": "red", "tier": "2", "beta": "true"}


def test_a_sender_s_gauges_are_its_own():
    """What a named sender measures carries its name; what it counts does not."""
    event = OK | {"duration": 3.0, "time_to_first_token": 1.0, "output_tokens": 10}
    found = decode(event, sender="worker-1")

    assert [effect.update.labels.text("sender") for effect in found.measured] == ["worker-1"]
    assert {effect.update.labels.text("sender") for effect in found.counted} == {""}


@pytest.mark.parametrize(
    ("event", "reason", "said"),
    [
        pytest.param({"model": None}, Reason.MALFORMED, "got model = null, expected the model's name", id="no model"),
        pytest.param({"model": ["x"]}, Reason.MALFORMED, "got model = a list, expected a text", id="a list of models"),
        pytest.param({"model": "x" * 201}, Reason.LABELS, "of 201 characters", id="a long model"),
        pytest.param({"status": "good"}, Reason.MALFORMED, "got status = 'good'", id="no status"),
        pytest.param({"status": True}, Reason.MALFORMED, "got status = True", id="a truth for a status"),
        pytest.param({"duration": "3"}, Reason.VALUE, "got duration = '3'", id="a text for a number"),
        pytest.param({"duration": -1}, Reason.NEGATIVE, "got duration = -1", id="a negative time"),
        pytest.param({"duration": float("nan")}, Reason.VALUE, "got duration = nan", id="no number"),
        pytest.param({"duration": 10**400}, Reason.VALUE, "got duration", id="a number beyond all floats"),
        pytest.param({"duration": float("inf")}, Reason.VALUE, "got duration = inf", id="infinity"),
        pytest.param({"input_tokens": 1.5}, Reason.VALUE, "expected a count of tokens", id="half a token"),
        pytest.param({"input_tokens": -5}, Reason.NEGATIVE, "got input_tokens = -5", id="negative tokens"),
        pytest.param({"usage": 3}, Reason.MALFORMED, "got usage = 3, expected the API's object", id="no usage"),
        pytest.param({"labels": "x"}, Reason.MALFORMED, "got labels = 'x'", id="no labels"),
        pytest.param(
            {"labels": {"a": "b" * 201}}, Reason.LABELS, "201 characters for the label 'a'", id="a long label"
        ),
        pytest.param({"labels": {"a-b": "c"}}, Reason.NAME, "got the label 'a-b'", id="no label's name"),
        pytest.param({"labels": {"pod": "c"}}, Reason.RESERVED, "the label 'pod' is the daemon's own", id="our label"),
        pytest.param({"labels": {"__x": "c"}}, Reason.RESERVED, "the label '__x'", id="Prometheus' label"),
        pytest.param(
            {"labels": {"model": "c"}}, Reason.RESERVED, "is set from the event itself", id="the event's label"
        ),
        pytest.param({"labels": {"a": None}}, Reason.LABELS, "got null for the label 'a'", id="a label of nothing"),
        pytest.param({"labels": {f"l{n}": "" for n in range(17)}}, Reason.LABELS, "got 17 labels", id="many labels"),
        pytest.param({"stop_reason": 3}, Reason.MALFORMED, "got stop_reason = 3", id="no stop reason"),
    ],
)
def test_what_cannot_be_counted_is_rejected_whole(event, reason, said):
    """An event with one mistake is rejected with what was found, and nothing of it counts."""
    found = decode(OK | {"duration": 1.0, "input_tokens": 5} | event)

    (rejection,) = found.rejected
    assert rejection.reason is reason
    assert said in rejection.message
    assert found.counted == []
    assert found.measured == []


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_fields = st.sampled_from(
    [
        *("type", "model", "target", "status", "error_type", "error_code", "error", "duration", "time_to_first_token"),
        *("input_tokens", "usage", "cost", "stop_reason", "retries", "labels", "id", "timestamp", "retry_after"),
        *("duration_ms", "name", "value", "buckets", "help", "state", "speed", "gen_ai.request.model"),
    ]
)
_types = st.sampled_from(["request", "counter", "gauge", "histogram", "circuit_breaker"])


@given(st.lists(st.tuples(_types, st.dictionaries(_fields, _values, max_size=6)), max_size=4))
def test_no_event_breaks_the_decoder(events):
    """Whatever stands in whichever field: an event is counted, or rejected with a reason and words."""
    decoder = Decoder()
    sent = [{"type": kind, "model": "m", "name": "n"} | fields for kind, fields in events]

    found = decoder.decode(sent, 0, NOW)

    stand = {index for effect in (*found.counted, *found.measured) for index in effect.events}
    assert stand.isdisjoint(rejection.index for rejection in found.rejected)
    assert all(rejection.message and len(rejection.message) < 500 for rejection in found.rejected)
    for effect in (*found.counted, *found.measured):
        assert effect.update.labels.text("error_type") in ["", *ErrorType]

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.ingest import names
from sidecar.ingest.effects import Effects
from sidecar.ingest.events import Decoder, is_sender
from sidecar.model.families import DURATIONS
from sidecar.model.labels import Labels
from sidecar.model.samples import Update
from sidecar.store import Reason

NOW = 1_800_000_000.0
COUNTER = {"type": "counter", "name": "jobs_total"}


def decode(*events: Any, sender: str = "", recorded: Any = ()) -> Effects:
    return Decoder(lambda: recorded).decode(events, 0, NOW, sender)


def updates(found: Effects) -> list[Update]:
    assert found.rejected == []
    return [effect.update for effect in (*found.counted, *found.measured)]


class TestSamples:
    def test_a_counter_grows(self):
        """A counter grows by its value, by 1 when there is none."""
        found = updates(decode(COUNTER | {"value": 3, "labels": {"queue": "a"}}, COUNTER))

        assert [(str(u.labels), u.value, u.family.kind) for u in found] == [
            ('{queue="a"}', 3.0, "counter"),
            ("{}", 1.0, "counter"),
        ]

    def test_a_gauge_is_its_sender_s(self):
        """A gauge may be anything finite, and carries the name of its sender if that has one."""
        event = {"type": "gauge", "name": "depth", "value": -2.5}

        assert updates(decode(event))[0].labels == Labels()
        assert updates(decode(event, sender="w:1"))[0].labels == Labels(sender="w:1")
        assert updates(decode(event))[0].value == -2.5

    @pytest.mark.parametrize(
        ("event", "buckets"),
        [
            pytest.param({"name": "wait_seconds"}, DURATIONS, id="a time"),
            pytest.param({"name": "prompt_tokens"}, tuple(4.0**n for n in range(14)), id="no time"),
            pytest.param({"name": "wait_seconds", "buckets": [1, 2.5]}, (1.0, 2.5), id="buckets of its own"),
        ],
    )
    def test_a_histogram_has_buckets_and_percentiles(self, event, buckets):
        """A histogram has the buckets that its first event names, or usual ones, and percentiles."""
        (found,) = updates(decode({"type": "histogram", "value": 0.5} | event))

        assert found.family.buckets == buckets
        assert found.family.percentiles

    def test_later_events_need_not_name_the_buckets_again(self):
        """The first event of a histogram decides; others may repeat it or leave it out."""
        event = {"type": "histogram", "name": "wait_seconds", "value": 0.5}
        found = updates(decode(event | {"buckets": [1, 2]}, event, event | {"buckets": [1.0, 2.0]}))

        assert {update.family.buckets for update in found} == {(1.0, 2.0)}

    def test_metrics_of_ours_that_a_gateway_may_report(self):
        """What a gateway reports under our names is traffic's, in our family."""
        event = {"type": "gauge", "name": "claude_active_requests", "value": 7, "labels": {"model": "m"}}
        (found,) = updates(decode(event))

        assert found.family is names.REPORTED["claude_active_requests"]
        assert found.labels == Labels(model="m", source="traffic")

    @pytest.mark.parametrize(("state", "value"), [("closed", 0.0), ("half_open", 0.5), ("open", 1.0)])
    def test_a_circuit_breaker_has_a_state(self, state, value):
        """The state of a circuit breaker is a gauge by its name."""
        (found,) = updates(decode({"type": "circuit_breaker", "name": "claude", "state": state}))

        assert (found.family.name, found.value) == ("claude_circuit_breaker_state", value)
        assert found.labels == Labels(name="claude", source="traffic")

    @pytest.mark.parametrize(
        ("event", "reason", "said"),
        [
            pytest.param({"name": None}, Reason.MALFORMED, "got name = null", id="no name"),
            pytest.param({"name": "a.b"}, Reason.NAME, "such as 'a_b'", id="dots"),
            pytest.param({"name": "job:x:rate5m"}, Reason.NAME, "underscores", id="a colon is for rules"),
            pytest.param({"name": "1a"}, Reason.NAME, "got the name '1a'", id="a digit first"),
            pytest.param({"name": "x" * 201}, Reason.NAME, "a name of 201 characters", id="too long"),
            pytest.param({"name": "sidecar_check_up"}, Reason.RESERVED, "the daemon's own", id="our series"),
            pytest.param({"name": "sidecar_new"}, Reason.RESERVED, "the daemon's own", id="our prefix"),
            pytest.param({"name": "probe_success"}, Reason.RESERVED, "the daemon's own", id="a probe's"),
            pytest.param({"name": "ALERTS"}, Reason.RESERVED, "the daemon's own", id="the alerts"),
            pytest.param({"name": "process_cpu_seconds_total"}, Reason.RESERVED, "the daemon's own", id="our process"),
            pytest.param({"name": "recorded"}, Reason.RESERVED, "or a rule's", id="what a rule records"),
            pytest.param({"name": "x_quantile"}, Reason.RESERVED, "the daemon's own", id="a percentile"),
            pytest.param({"name": "x_window_count"}, Reason.RESERVED, "the daemon's own", id="a percentile's count"),
            pytest.param({"name": "claude_x_total"}, Reason.RESERVED, "you may report", id="of Claude, unknown"),
            pytest.param({"name": "claude_model_active"}, Reason.RESERVED, "you may report", id="for probes alone"),
            pytest.param({"name": "claude_active_requests"}, Reason.KIND, "expected a gauge", id="another kind"),
            pytest.param(
                {"name": "claude_retries_total", "labels": {"source": "probe"}},
                Reason.RESERVED,
                "'source' is set",
                id="traffic that says it is a probe",
            ),
            pytest.param({"labels": {"le": "1"}}, Reason.RESERVED, "the label 'le'", id="a bucket"),
            pytest.param({"labels": {"quantile": "1"}}, Reason.RESERVED, "the label 'quantile'", id="a quantile"),
            pytest.param({"labels": {"check": "x"}}, Reason.RESERVED, "the label 'check'", id="a check"),
            pytest.param({"labels": {"sender": "x"}}, Reason.RESERVED, "the label 'sender'", id="another sender"),
            pytest.param({"value": -1}, Reason.NEGATIVE, "not negative", id="a counter that shrinks"),
            pytest.param({"value": "1"}, Reason.VALUE, "got value = '1'", id="a text"),
            pytest.param({"value": True}, Reason.VALUE, "got value = True", id="a truth"),
            pytest.param({"type": "gauge"}, Reason.MALFORMED, "got no value", id="a gauge of nothing"),
            pytest.param({"type": "gauge", "value": float("nan")}, Reason.VALUE, "finite", id="a gauge of NaN"),
            pytest.param({"type": "gauge", "value": 10**400}, Reason.VALUE, "finite", id="beyond all floats"),
            pytest.param({"type": "histogram"}, Reason.MALFORMED, "got no value", id="nothing observed"),
            pytest.param(
                {"type": "histogram", "value": 1, "buckets": [2, 1]}, Reason.VALUE, "ascending", id="falling buckets"
            ),
            pytest.param(
                {"type": "histogram", "value": 1, "buckets": list(range(41))}, Reason.VALUE, "1 to 40", id="41 buckets"
            ),
            pytest.param(
                {"type": "histogram", "value": 1, "buckets": [10**400]}, Reason.VALUE, "upper bounds", id="a huge bound"
            ),
            pytest.param({"type": "histogram", "value": 1, "buckets": 3}, Reason.VALUE, "a list", id="no buckets"),
            pytest.param({"type": "circuit_breaker"}, Reason.VALUE, "expected one of closed", id="a breaker's state"),
            pytest.param({"type": "circuit_breaker", "name": ""}, Reason.MALFORMED, "got name = ''", id="no breaker"),
            pytest.param({"type": "summary"}, Reason.MALFORMED, "got type = 'summary'", id="an unknown type"),
            pytest.param({"type": {}}, Reason.MALFORMED, "got type = an object", id="an odd type"),
            pytest.param({"timestamp": NOW - 301}, Reason.TIME, "301 s behind", id="too old"),
            pytest.param({"timestamp": NOW + 301}, Reason.TIME, "301 s ahead", id="too new"),
            pytest.param({"timestamp": NOW * 1000}, Reason.TIME, "is it in milliseconds?", id="milliseconds"),
            pytest.param({"timestamp": "now"}, Reason.TIME, "got timestamp = 'now'", id="no time"),
            pytest.param({"timestamp": "2027-01-15T08:00:00"}, Reason.TIME, "RFC 3339", id="a time without zone"),
            pytest.param({"id": ""}, Reason.MALFORMED, "got id = ''", id="an empty id"),
            pytest.param({"id": "x" * 201}, Reason.MALFORMED, "1 to 200 characters", id="a long id"),
            pytest.param({"id": {}}, Reason.MALFORMED, "got id = an object", id="an odd id"),
        ],
    )
    def test_what_cannot_be_counted_is_rejected(self, event, reason, said):
        """A sample with a mistake is rejected with what was found and what was expected."""
        found = decode(COUNTER | event, recorded={"recorded"})

        (rejection,) = found.rejected
        assert rejection.reason is reason
        assert said in rejection.message
        assert (found.counted, found.measured) == ([], [])

    def test_a_name_means_one_kind(self):
        """What was a counter is no gauge, and buckets do not change."""
        wait = {"type": "histogram", "name": "wait", "value": 1}
        found = decode(COUNTER, COUNTER | {"type": "gauge", "value": 1}, wait, wait | {"buckets": [1]})

        assert [(r.index, r.reason) for r in found.rejected] == [(1, Reason.KIND), (3, Reason.KIND)]

    def test_names_are_bounded(self):
        """Nobody fills the memory with names."""
        found = decode(*(COUNTER | {"name": f"n{n}"} for n in range(2001)))

        assert [(r.index, r.reason) for r in found.rejected] == [(2000, Reason.LIMIT)]


@pytest.mark.parametrize("event", [3, "x", None, [], True], ids=repr)
def test_only_objects_are_events(event):
    """Whatever is no object is rejected."""
    (rejection,) = decode(event).rejected

    assert "expected a JSON object with a type" in rejection.message


@pytest.mark.parametrize(
    "timestamp",
    [
        pytest.param(NOW - 299, id="seconds"),
        pytest.param(int(NOW), id="whole seconds"),
        pytest.param(None, id="none"),
        pytest.param((datetime.fromtimestamp(NOW, UTC) + timedelta(minutes=4)).isoformat(), id="RFC 3339"),
    ],
)
def test_times_near_ours_are_taken(timestamp):
    """An event up to five minutes off counts, now."""
    assert len(updates(decode(COUNTER | {"timestamp": timestamp}))) == 1


class TestIds:
    def test_an_event_counts_once_in_ten_minutes(self):
        """An id that was seen in the last ten minutes is not counted again; later it is."""
        decoder = Decoder()

        def again(at: float) -> tuple[int, int]:
            found = decoder.decode([COUNTER | {"id": "a"}], 0, at)
            return len(found.counted), found.duplicates

        assert [again(NOW), again(NOW + 599), again(NOW + 601)] == [(1, 0), (0, 1), (1, 0)]

    def test_an_event_twice_in_one_request_counts_once(self):
        """Ids are looked at within a request as well."""
        found = decode(COUNTER | {"id": 7}, COUNTER | {"id": "7"}, COUNTER)

        assert (len(found.counted), found.duplicates) == (2, 1)

    def test_what_was_rejected_may_be_sent_again(self):
        """The id of a rejected event is free for the corrected one."""
        found = decode(COUNTER | {"id": "a", "value": -1}, COUNTER | {"id": "a"})

        assert (len(found.counted), len(found.rejected), found.duplicates) == (1, 1, 0)

    def test_memory_of_ids_is_bounded(self):
        """When too many ids come, the oldest are forgotten."""
        decoder = Decoder()
        for n in range(0, 102_000, 1000):
            decoder.decode([COUNTER | {"id": i} for i in range(n, n + 1000)], 0, NOW)
        decoder.decode([], 0, NOW)

        assert len(decoder._ids) == 100_000
        assert decoder.decode([COUNTER | {"id": 101_999}], 0, NOW).duplicates == 1
        assert decoder.decode([COUNTER | {"id": 0}], 0, NOW).duplicates == 0

    def test_a_clock_set_back_forgets_ids(self):
        """Ids from a future that is not yet are forgotten."""
        decoder = Decoder()
        decoder.decode([COUNTER | {"id": "a"}], 0, NOW)

        assert decoder.decode([COUNTER | {"id": "a"}], 0, NOW - 3600).duplicates == 0


def test_names_that_rules_record_may_change():
    """After a reload other names are reserved, those that were known before, too."""
    recorded: set[str] = set()
    decoder = Decoder(lambda: recorded)
    assert decoder.decode([COUNTER], 0, NOW).rejected == []
    recorded.add("jobs_total")
    decoder.replaced()

    assert [r.reason for r in decoder.decode([COUNTER], 0, NOW).rejected] == [Reason.RESERVED]


@pytest.mark.parametrize(
    ("name", "good"),
    [("", True), ("worker-1", True), ("gw/7:9", True), ("a b", False), ("ü", False), ('a"', False), ("x" * 61, False)],
)
def test_senders_have_plain_names(name, good):
    """A sender's name becomes a label, so it is short and plain."""
    assert is_sender(name) is good

import asyncio
import gzip
import io
import json
from typing import Any

import pytest

from tests.api.conftest import Asking, Reply
from tests.scenarios.world import World

PATH = "/api/v1/events"
LINES = {"Content-Type": "application/x-ndjson"}
REQUEST = {"type": "request", "model": "claude-opus-5", "status": 200, "duration": 1.0}
COUNTER = {"type": "counter", "name": "jobs_total"}


def lines(*events: Any) -> bytes:
    return b"\n".join(json.dumps(event).encode() for event in events)


async def send(api: Asking, *events: Any) -> Reply:
    return await api.ask("POST", PATH, data=lines(*events), headers=LINES)


async def value(api: Asking, query: str) -> list[float]:
    """The values of an instant query, in order."""
    found = (await api.get("/api/v1/query", {"query": query})).data["result"]
    return sorted(float(one["value"][1]) for one in found)


class TestAnswers:
    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            pytest.param(json.dumps(COUNTER), "application/json", id="one event"),
            pytest.param(json.dumps([COUNTER]), "application/json; charset=utf-8", id="an array"),
            pytest.param(lines(COUNTER), "application/x-ndjson", id="lines"),
            pytest.param(gzip.compress(lines(COUNTER)), "application/x-ndjson", id="gzip"),
        ],
    )
    async def test_events_come_in_every_form(self, world: World, api, body, content_type):
        """One event, an array and lines are counted, compressed as well."""
        await world.start()
        headers = {"Content-Type": content_type} | ({"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {})

        reply = await api.ask("POST", PATH, data=body, headers=headers)

        assert (reply.status, reply.body) == (
            200,
            {"accepted": 1, "duplicates": 0, "rejected": [], "rejected_total": 0},
        )
        assert "jobs_total 1.0" in (await api.get("/metrics")).body

    async def test_what_is_good_counts_and_what_is_not_is_named(self, world: World, api):
        """One bad event leaves the others alone, and is told with its place and what to do."""
        await world.start()
        reply = await send(api, COUNTER, {"type": "counter", "name": "sidecar_x"}, COUNTER | {"id": "a"})
        again = await send(api, COUNTER | {"id": "a"})

        assert (reply.status, reply.body["accepted"], reply.body["rejected_total"]) == (200, 2, 1)
        (rejected,) = reply.body["rejected"]
        assert (rejected["index"], rejected["reason"]) == (1, "reserved")
        assert "send it under another name" in rejected["message"]
        assert (again.status, again.body["accepted"], again.body["duplicates"]) == (200, 0, 1)

    async def test_when_nothing_is_accepted_that_is_an_error(self, world: World, api):
        """A request in vain is answered 400 in the shape of all errors, with the list beside; the list is bounded."""
        await world.start()
        reply = await send(api, *[{"type": "nothing"}] * 150)

        assert reply.error[:2] == (400, "bad_data")
        assert reply.error[2].startswith("none of 150 events was accepted; event 0: got type = 'nothing'")
        assert (reply.body["accepted"], reply.body["rejected_total"], len(reply.body["rejected"])) == (0, 150, 100)

    @pytest.mark.parametrize(
        ("body", "headers", "status", "said"),
        [
            pytest.param(b"", LINES, 400, "got an empty body", id="empty"),
            pytest.param(b"[]", {"Content-Type": "application/json"}, 400, "got no event", id="no event"),
            pytest.param(b"{", {"Content-Type": "application/json"}, 400, "no JSON", id="no JSON"),
            pytest.param(b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "x-ndjson", id="a form"),
            pytest.param(b"0\n" * 20_001, LINES, 413, "expected at most 20000", id="too many"),
            pytest.param(b" " * (1 << 20) + b"1", LINES, 413, "too large", id="too large"),
            pytest.param(
                gzip.compress(b" " * (50 << 20)), LINES | {"Content-Encoding": "gzip"}, 413, "too large", id="a bomb"
            ),
            pytest.param(b"no gzip", LINES | {"Content-Encoding": "gzip"}, 400, "", id="no gzip"),
        ],
    )
    async def test_what_cannot_be_read_is_refused(self, world: World, api, body, headers, *, status, said):
        """Whatever is no events at all, or too much, is refused as a whole, and the daemon lives on."""
        await world.start()
        reply = await api.ask("POST", PATH, data=io.BytesIO(body), headers=headers)

        assert reply.status == status
        assert said in str(reply.body)
        assert (await send(api, COUNTER)).status == 200

    async def test_a_sender_that_is_too_fast_has_to_wait(self, world: World, api):
        """Beyond its rate a sender gets 429 and the time to wait; another one is not concerned."""
        await world.start(world.settings(events={"rate": 10}))
        first = await send(api, *[COUNTER] * 30)
        second = await send(api, COUNTER)
        other = await api.ask("POST", f"{PATH}?sender=b", data=lines(COUNTER), headers=LINES)
        await asyncio.sleep(int(second.headers["Retry-After"]))
        third = await send(api, COUNTER)

        assert [reply.status for reply in (first, second, other, third)] == [200, 429, 200, 200]
        assert "raise `events.rate`" in second.error[2]

    async def test_events_can_be_switched_off(self, world: World, api):
        """Without events there is nobody to take them; a reload switches them on again."""
        await world.start(world.settings(events={"enabled": False}))
        refused = await send(api, COUNTER)
        await world.reload(world.settings())

        assert refused.error[:2] == (403, "forbidden")
        assert (await send(api, COUNTER)).status == 200

    async def test_senders_are_bounded(self, world: World, api):
        """Nobody fills the memory with senders' names, and odd names are refused."""
        await world.start()
        found = [
            (await api.ask("POST", f"{PATH}?sender={n}", data=lines(COUNTER), headers=LINES)).status for n in range(33)
        ]
        odd = await api.ask("POST", f"{PATH}?sender=a%20b", data=lines(COUNTER), headers=LINES)

        assert found == [200] * 32 + [429]
        assert odd.status == 400


class TestSeries:
    async def test_workers_add_to_the_same_counters(self, world: World, api):
        """Counters of several senders are one; their gauges are each one's own, and end when it is quiet."""
        await world.start()
        gauge = {"type": "gauge", "name": "claude_active_requests", "value": 3}
        for sender in ("a", "b"):
            await api.ask("POST", f"{PATH}?sender={sender}", data=lines(COUNTER, gauge), headers=LINES)
        await asyncio.sleep(16)

        assert await value(api, "jobs_total") == [2.0]
        assert await value(api, "sum by (source) (claude_active_requests)") == [6.0]
        assert await value(api, "sidecar_event_senders") == [2.0]
        await asyncio.sleep(200)
        await api.ask("POST", f"{PATH}?sender=b", data=lines(gauge), headers=LINES)
        await asyncio.sleep(130)
        assert await value(api, "claude_active_requests") == [3.0]
        assert await value(api, "jobs_total") == [2.0]
        assert await value(api, "sidecar_event_senders") == [1.0]

    async def test_refusals_are_counted_by_reason(self, world: World, api):
        """What was refused is told in the metrics, under one name for all senders."""
        await world.start(world.settings(events={"series_per_metric": 2}))
        sent = [COUNTER | {"labels": {"n": n}} for n in range(3)] + [{"type": "gauge", "name": "ALERTS", "value": 1}]
        reply = await api.ask("POST", f"{PATH}?sender=a", data=lines(*sent), headers=LINES)
        await asyncio.sleep(16)

        assert [(r["index"], r["reason"]) for r in reply.body["rejected"]] == [(2, "limit"), (3, "reserved")]
        assert await value(api, 'sidecar_samples_refused_total{source="events", reason="limit"}') == [1.0]
        assert await value(api, 'sidecar_samples_refused_total{source="events", reason="reserved"}') == [1.0]
        assert await value(api, 'sidecar_events_total{result="accepted"}') == [2.0]

    async def test_what_rules_record_is_theirs(self, world: World, api):
        """A name that a rule writes is reserved from the reload on that brings the rule; the event's series ends."""
        rule = "groups: [{name: g, rules: [{record: jobs, expr: vector(7)}]}]"
        event = {"type": "gauge", "name": "jobs", "value": 1}
        await world.start()
        assert (await send(api, event)).status == 200
        await asyncio.sleep(16)
        assert await value(api, "jobs") == [1.0]

        await world.reload(world.settings(rule))
        assert (await send(api, event)).status == 400
        await asyncio.sleep(61)
        assert await value(api, "jobs") == [7.0]

    async def test_a_first_error_is_an_increase(self, world: World, api):
        """A counter that is born with an event began at 0, so that `increase` sees it."""
        await world.start()
        await asyncio.sleep(60)
        await send(api, REQUEST | {"status": 529, "error_type": "overloaded_error"})
        await asyncio.sleep(31)

        (found,) = await value(api, 'increase(claude_requests_total{error_type="overloaded"}[2m])')
        assert found >= 1.0

"""Messages get the details of what they tell in full, and go out without when there are none."""

import asyncio
from collections.abc import Callable

import structlog

from sidecar.alerts.decisions import Turn
from sidecar.model.alerts import Alert, AlertState, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import Blame, Notification, NotifyKind, Told
from sidecar.model.samples import Batch, Family, Kind, Update
from sidecar.rules.compiled import RuleSet
from sidecar.rules.engine import Engine
from sidecar.services import details as service
from sidecar.services.details import Details
from sidecar.store import Store
from tests.rules.helpers import rules

AT = 5000.0
X = Family("x", Kind.GAUGE, "A value.")


def details(found: RuleSet, series: int = 1, blame_of: Callable[[Alert], Blame | None] = lambda _: None) -> Details:
    """Over a store in which each series of x rose for half an hour."""
    store = Store()
    for tick in range(120):
        at = AT - (119 - tick) * 15
        store.append(Batch("check:x", at, tuple(Update(X, float(tick), Labels(i=str(i))) for i in range(series))))
        store.tick(at)
    return Details(Engine(found, AT - 1800), store, blame_of)


def turn(*alerts: Alert) -> Turn:
    """A turn that tells of *alerts* in one message."""
    told = tuple(Told(alert, AT, 0) for alert in alerts)
    return Turn(AT, notifications=(Notification("id", "hook", NotifyKind.OPENING, "key", told, AT),))


def alert(name: str = "A", i: int = 0, severity: str = "warning") -> Alert:
    labels = Labels(alertname=name, i=str(i), severity=severity)
    return Alert(RuleKey("g", name), labels, AlertState.FIRING, AT - 60, 119.0)


def rule(name: str = "A", expr: str = "x > 3", severity: str = "warning") -> dict[str, object]:
    return {"alert": name, "expr": expr, "labels": {"severity": severity}}


async def test_a_message_gets_the_trend_of_its_alert():
    """What was decided stays as it is, with the trend beside it."""
    before = turn(alert())

    after = await details(rules(rule())).added(before)

    (told,) = after.notifications[0].alerts
    assert told.trend is not None
    assert told.trend.values[-1] == 119.0
    assert after.notifications[0].id == "id"


async def test_only_what_is_told_in_full_has_one():
    """Of a storm of four hundred alerts ten have a trend, the worst."""
    alerts = [alert("A", i) for i in range(399)] + [alert("Worse", 0, "critical")]

    after = await details(rules(rule(), rule("Worse", severity="critical")), 400).added(turn(*alerts))

    shown = [told.alert.name for told in after.notifications[0].alerts if told.trend is not None]
    assert sorted(shown) == ["A"] * 9 + ["Worse"]


async def test_a_turn_asks_for_so_many_rules_at_most(monkeypatch):
    """Each message of a flood of different rules is told; the worst have a trend."""
    names = [f"R{i}" for i in range(30)]
    messages = [turn(alert(name, severity="critical" if name == "R29" else "info")).notifications[0] for name in names]
    found = rules(*(rule(name, severity="critical" if name == "R29" else "info") for name in names))
    monkeypatch.setattr(service, "MOST_RULES", 5)

    after = await details(found).added(Turn(AT, notifications=tuple(messages)))

    shown = [told.alert.name for each in after.notifications for told in each.alerts if told.trend is not None]
    assert len(shown) == 5
    assert "R29" in shown


async def test_a_value_that_cannot_be_looked_up_holds_nothing_back():
    """A rule that went, or one whose evaluation fails, leaves its message as it is, and others theirs."""
    found = rules(rule(), rule("Broken", "x * on () x > 3"))
    alerts = [alert(), alert("Broken"), alert("Gone")]

    with structlog.testing.capture_logs() as events:
        after = await details(found, 2).added(turn(*alerts))

    assert [told.trend is not None for told in after.notifications[0].alerts] == [True, False, False]
    assert [(event["event"], event["rule"]) for event in events] == [("trend.failed", "Broken")]


async def test_whose_fault_it_is_is_told():
    """What is known of the culprit stands in the message; nobody looks for the culprits of alerts that are counted."""
    asked: list[str] = []

    def blame_of(alert: Alert) -> Blame | None:
        asked.append(alert.labels["i"])
        if alert.labels["i"] == "1":
            raise ZeroDivisionError("nobody thought of this")
        return Blame("provider", "Anthropic", "overloaded") if alert.labels["i"] == "0" else None

    found = details(rules(rule()), blame_of=blame_of)
    with structlog.testing.capture_logs() as events:
        after = await found.added(turn(*(alert("A", i) for i in range(2))))
    assert [told.blame and told.blame.who for told in after.notifications[0].alerts] == ["Anthropic", None]
    assert [event["event"] for event in events] == ["blame.failed"]

    asked.clear()
    await found.added(turn(*(alert("A", i) for i in range(2, 400))))
    assert len(asked) == 10


async def test_others_have_their_turn_meanwhile():
    """Looking at many series takes several turns of the loop."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await details(rules(rule(expr="avg_over_time(x[5m]) > 3")), 100).added(turn(alert()))
    counting.cancel()

    assert turns >= 3


async def test_a_message_is_not_late_for_a_picture(monkeypatch):
    """When looking takes too long, what was found until then is told, and it is said what is missing."""
    monkeypatch.setattr(service, "PATIENCE", -1.0)
    found = details(rules(rule(), rule("B")), blame_of=lambda _: Blame("provider", "Anthropic", "overloaded"))

    with structlog.testing.capture_logs() as events:
        after = await found.added(turn(alert(), alert("B")))

    assert [(told.trend, told.blame) for told in after.notifications[0].alerts] == [(None, None)] * 2
    assert [event["event"] for event in events] == ["trend.given_up"]


async def test_nothing_to_tell_costs_nothing():
    """A turn without messages is the same turn."""
    before = Turn(AT)

    assert await details(rules(rule())).added(before) is before

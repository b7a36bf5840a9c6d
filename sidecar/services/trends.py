"""Shows what is told of an alert how its value got there."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import structlog

from sidecar.alerts.decisions import Turn
from sidecar.model.alerts import Alert, RuleKey, severity_rank
from sidecar.model.notifications import Notification, Told, Trend
from sidecar.rules.engine import Engine
from sidecar.rules.trend import trends
from sidecar.store import Store
from sidecar.templating.messages import MOST_ALERTS, ranked

log = structlog.get_logger(__name__)

MOST_RULES: Final = 20
"""Rules whose values are looked up in one turn, those of the worst alerts first: a storm has better things to do."""


class Trends:
    """Adds them to the messages of a turn; where there are none, messages go without."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store

    async def added(self, turn: Turn) -> Turn:
        """*turn*, in whose messages the alerts that are told in full have their trend."""
        shown = [told.alert for each in turn.notifications for told in ranked(each)[:MOST_ALERTS]]
        if not shown:
            return turn
        found = await self._of(shown, turn.at)
        return replace(turn, notifications=tuple(_with(each, found) for each in turn.notifications))

    async def _of(self, alerts: Iterable[Alert], at: float) -> Mapping[str, Trend]:
        by_rule: defaultdict[RuleKey, dict[str, Alert]] = defaultdict(dict)
        for alert in sorted(alerts, key=lambda alert: severity_rank(alert.severity)):
            by_rule[alert.rule][alert.fingerprint] = alert
        since = max(at - self._store.retention, at if self._engine.started is None else self._engine.started)
        rules = {rule.key: rule for rule in self._engine.rules.alerting}
        found: dict[str, Trend] = {}
        for key in [key for key in by_rule if key in rules][:MOST_RULES]:
            try:
                for part in trends(rules[key], self._store, tuple(by_rule[key].values()), at, since):
                    found |= part or {}
                    await asyncio.sleep(0)  # the loop is not ours alone
            except Exception as exc:  # noqa: BLE001 -- no alert is held back because its past could not be drawn
                log.warning("trend.failed", group=key.group, rule=key.name, error=f"{type(exc).__name__}: {exc}")
        return found


def _with(notification: Notification, found: Mapping[str, Trend]) -> Notification:
    alerts: tuple[Told, ...] = tuple(
        replace(told, trend=found.get(told.alert.fingerprint)) for told in notification.alerts
    )
    return replace(notification, alerts=alerts)

"""Adds to messages what nobody decides by: how an alert's value got there, and whose fault it is."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import structlog

from sidecar.alerts.decisions import Turn
from sidecar.model.alerts import Alert, RuleKey, severity_rank
from sidecar.model.notifications import Blame, Notification, Trend
from sidecar.rules.engine import Engine
from sidecar.rules.trend import trends
from sidecar.store import Store
from sidecar.templating.messages import MOST_ALERTS, ranked

log = structlog.get_logger(__name__)

MOST_RULES: Final = 20
"""Rules whose values are looked up in one turn, those of the worst alerts first: a storm has better things to do."""

PATIENCE: Final = 1.0
"""Seconds after which a turn goes without what has not been looked up yet: an alert is not late for a picture."""


class Details:
    """Only of what is told in full, and letting others have their turn; where it fails, messages go without.

    *blame_of* says whose fault an alert is, if that is known.
    """

    def __init__(self, engine: Engine, store: Store, blame_of: Callable[[Alert], Blame | None]) -> None:
        self._engine = engine
        self._store = store
        self._blame_of = blame_of

    async def added(self, turn: Turn) -> Turn:
        """*turn*, in whose messages the alerts that are told in full have their details."""
        shown = {
            told.alert.fingerprint: told.alert for each in turn.notifications for told in ranked(each)[:MOST_ALERTS]
        }
        if not shown:
            return turn
        until = asyncio.get_running_loop().time() + PATIENCE
        blames = await self._blames(shown.values(), until)
        trends = await self._trends(shown.values(), turn.at, until)
        return replace(turn, notifications=tuple(_with(each, trends, blames) for each in turn.notifications))

    async def _blames(self, alerts: Iterable[Alert], until: float) -> Mapping[str, Blame]:
        found: dict[str, Blame] = {}
        for alert in alerts:
            if _is_late(until):
                break
            try:
                blame = self._blame_of(alert)
            except Exception as exc:  # noqa: BLE001 -- as below
                log.warning("blame.failed", alert=str(alert.labels), error=f"{type(exc).__name__}: {exc}")
                continue
            found |= {alert.fingerprint: blame} if blame else {}
            await asyncio.sleep(0)
        return found

    async def _trends(self, alerts: Iterable[Alert], at: float, until: float) -> Mapping[str, Trend]:
        by_rule: defaultdict[RuleKey, dict[str, Alert]] = defaultdict(dict)
        for alert in sorted(alerts, key=lambda alert: severity_rank(alert.severity)):
            by_rule[alert.rule][alert.fingerprint] = alert
        since = max(at - self._store.retention, at if self._engine.started is None else self._engine.started)
        rules = self._engine.rules.by_key
        found: dict[str, Trend] = {}
        for key in [key for key in by_rule if key in rules][:MOST_RULES]:
            try:
                for part in trends(rules[key], self._store, tuple(by_rule[key].values()), at, since):
                    found |= part or {}
                    await asyncio.sleep(0)  # the loop is not ours alone
                    if _is_late(until):
                        log.warning("trend.given_up", group=key.group, rule=key.name, seconds=PATIENCE)
                        return found
            except Exception as exc:  # noqa: BLE001 -- no alert is held back because its past could not be drawn
                log.warning("trend.failed", group=key.group, rule=key.name, error=f"{type(exc).__name__}: {exc}")
        return found


def _is_late(until: float) -> bool:
    return asyncio.get_running_loop().time() > until


def _with(notification: Notification, trends: Mapping[str, Trend], blames: Mapping[str, Blame]) -> Notification:
    alerts = [(told, told.alert.fingerprint) for told in notification.alerts]
    told = tuple(replace(told, trend=trends.get(name), blame=blames.get(name)) for told, name in alerts)
    return replace(notification, alerts=told)

"""Alerts as Prometheus' API has them, and beside that what each channel was told and what comes next."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from aiohttp import web
from pydantic import Field

from sidecar.alerts.book import AlertBook
from sidecar.api import wording
from sidecar.api.endpoint import AskedAsPrometheus, Part, get
from sidecar.api.moments import Stamp, iso
from sidecar.api.paced import paced
from sidecar.api.points import number
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.checks import ProbeResult
from sidecar.model.notifications import Blame
from sidecar.rules.compiled import Alerting


class Telling(Protocol):
    """Who knows about alerts."""

    @property
    def book(self) -> AlertBook: ...
    @property
    def rules(self) -> Mapping[RuleKey, Alerting]: ...

    def evidence_of(self, alert: Alert, /) -> str:
        """What speaks for the alert: one line, safe to show to anybody."""
        ...

    def failure_of(self, alert: Alert, /) -> ProbeResult | None:
        """The failed probe that speaks for it, if one does."""
        ...

    def blame_of(self, alert: Alert, /) -> Blame | None:
        """Whose it is to mend, where that is known: what messages say, too."""
        ...


class AskedAlerts(AskedAsPrometheus):
    """Which alerts."""

    ended: bool = Field(False, description="Whether those that ended in the last minutes are answered, too.")


class NextStep(Part):
    """What comes next if nothing changes."""

    at: Stamp | None = Field(description="When; null if it comes when the facts change.")
    channel: str = Field(description="For whom; empty if for nobody in particular.")
    what: str = Field(description="What happens then.")


class ToldChannel(Part):
    """What one channel knows of an alert."""

    channel: str = Field(description="The channel's name.")
    open: bool = Field(
        description="Whether it was told that the alert fires, or is about to be, and not yet that it ended."
    )
    opened_at: Stamp | None = Field(description="When it was told last that the alert fires.")
    told_at: Stamp | None = Field(description="When the last opening or reminder was put.")
    reason: str = Field(description="Why it is told nothing now, or was told last.")
    due: Stamp | None = Field(description="When the decision is looked at again.")


class ShownAlert(Part):
    """One alert: Prometheus' fields, then ours."""

    labels: dict[str, str] = Field(description="The alert's labels, `alertname` among them.")
    annotations: dict[str, str] = Field(description="Its texts.")
    state: AlertState = Field(description="pending, firing or ended.")
    active_at: Stamp = Field(alias="activeAt", description="When the condition began to hold.")
    keep_firing_since: Stamp | None = Field(
        alias="keepFiringSince", description="Since when only `keep_firing_for` keeps it."
    )
    value: str = Field(description="The last value, as Prometheus writes numbers.")
    fingerprint: str = Field(description="Of its labels: the same in every daemon.")
    rule: str = Field(description="The rule's name.")
    group: str = Field(description="The rule's group.")
    severity: str = Field(description="Its severity; empty when it has none.")
    text: str = Field(description="The state in words.")
    fired_at: Stamp | None = Field(description="When it began to fire.")
    ended_at: Stamp | None = Field(description="When it ended.")
    end_reason: EndReason | None = Field(description="Why it ended.")
    condition: str = Field(description="The rule's comparison in words.")
    samples: float | None = Field(description="Observations behind the value.")
    evidence: str = Field(description="What the failed probe said.")
    verdict: str = Field(
        description="Whose it is to mend, where the checks know it together: our_request, our_key, our_account, "
        "gateway, network or provider; else empty."
    )
    blame: str = Field(description="The same in words, and how it is known; as messages say it.")
    next_step: str = Field(description="What to do about it, as the rule or the failed probe says.")
    runbook: str = Field(description="Address of its runbook; empty without one.")
    channels: list[ToldChannel] = Field(description="What each channel knows.")
    next: list[NextStep] = Field(description="What comes next, the earliest first.")


class Alerts(Part):
    """Alerts."""

    alerts: list[ShownAlert] = Field(description="The alerts.")


def shown(alert: Alert, telling: Telling, now: float) -> ShownAlert:
    """*alert* with what was told about it."""
    records = telling.book.records(alert.fingerprint)
    over = alert.state is AlertState.ENDED  # what its check finds since then is of another story
    dues, failure, blame = telling.book.dues(), None if over else telling.failure_of(alert), telling.blame_of(alert)
    advice = str(failure.notes.get("next_step", "")) if failure else ""
    return ShownAlert(
        labels=dict(alert.labels),
        annotations=dict(alert.annotations),
        state=alert.state,
        active_at=iso(alert.active_at) or "",
        keep_firing_since=iso(alert.keep_firing_since),
        value=number(alert.value),
        fingerprint=alert.fingerprint,
        rule=alert.rule.name,
        group=alert.rule.group,
        severity=alert.severity,
        text=wording.state(alert, now),
        fired_at=iso(alert.fired_at),
        ended_at=iso(alert.ended_at),
        end_reason=alert.end_reason,
        condition=alert.condition,
        samples=alert.samples,
        evidence="" if over else telling.evidence_of(alert),
        verdict=blame.fault if blame else "",
        blame=str(blame or ""),
        next_step=alert.annotations.text("next_step") or advice,
        runbook=alert.annotations.text("runbook_url"),
        channels=[
            ToldChannel(
                channel=record.channel,
                open=record.open,
                opened_at=iso(record.opened_at),
                told_at=iso(record.told_at),
                reason=record.reason,
                due=iso(dues.get(record.key)),
            )
            for record in sorted(records, key=lambda record: record.channel)
        ],
        next=next_steps(alert, telling),
    )


def next_steps(alert: Alert, telling: Telling) -> list[NextStep]:
    """What comes next for *alert*, the earliest first."""
    rule = telling.rules.get(alert.rule)
    records = telling.book.records(alert.fingerprint)
    found = wording.dues(alert, records, telling.book.dues(), rule.spec.for_ if rule else None)
    return [NextStep(at=iso(due.at), channel=due.channel, what=due.what) for due in found]


def active(alerts: Iterable[Alert], *, ended: bool = False) -> list[Alert]:
    """Pending and firing alerts, the oldest first; those that *ended* behind them."""
    chosen = [alert for alert in alerts if ended or alert.state is not AlertState.ENDED]
    return sorted(chosen, key=lambda alert: (alert.state is AlertState.ENDED, alert.active_at, alert.fingerprint))


def routes(telling: Telling, now: Callable[[], float]) -> list[web.RouteDef]:
    """Alerts as *telling* knows them."""

    async def alerts(asked: AskedAlerts) -> Alerts:
        found = active(telling.book.alerts(), ended=asked.ended)
        return Alerts(alerts=[shown(alert, telling, now()) async for alert in paced(found)])

    wrong = {400: "Wrong parameters."}
    return [get("/api/v1/alerts", alerts, "Pending and firing alerts, as Prometheus has them.", wrong)]

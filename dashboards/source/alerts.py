"""Who is told what: alerts, the rules that make them, and the delivery of messages."""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source import variables
from dashboards.source.boards import Row, board
from dashboards.source.limits import above, any_
from dashboards.source.panels import Query, graph, linked, listing, number, timeline
from dashboards.source.queries import else_zero, events, increase, of, quantile, rate
from dashboards.source.styles import State
from sidecar.model import families

_NAME: Final = 'alertname=~"$alertname"'
_CHANNEL: Final = 'channel=~"$channel"'
_STATES: Final = (State(2, "firing", "red"), State(1, "pending", "orange"))


def made() -> dashboard.Dashboard:
    """What fires, and whether people hear of it."""
    return board(
        "alerts",
        "Alerts and delivery",
        "What fires and what is about to, whether the messages arrive, and whether the rules are evaluated at all.",
        [_now(), _alerts(), _delivery(), _rules()],
        [
            variables.label("alertname", "Alert", families.SIDECAR_ALERTS),
            variables.label("channel", "Channel", families.OUTBOX_DEPTH),
        ],
    )


def _active(state: str, *matchers: str) -> str:
    """Each alert once, however many pods have it."""
    alerts = of(families.SIDECAR_ALERTS, f'state="{state}"', _NAME, *matchers)
    return f"max by (alertname, severity) ({alerts})"


def _now() -> Row:
    critical, others = _active("firing", 'severity="critical"'), _active("firing", 'severity!="critical"')
    lost = increase(families.NOTIFICATIONS, 'result="lost"', _CHANNEL)
    return Row(
        "",
        [
            number(
                "Critical alerts",
                "They fire and page. Their texts and next steps are at the status page.",
                else_zero(f"sum({critical})"),
                limits=[any_()],
            ),
            number(
                "Other alerts",
                "They fire and do not page.",
                else_zero(f"sum({others})"),
                limits=[any_("orange")],
            ),
            number(
                "Pending",
                "Their condition holds, for less time than their rule waits.",
                else_zero(f"sum({_active('pending')})"),
            ),
            number(
                "Messages waiting",
                "For all channels. Many and young: a storm. Few and old: a channel that does not answer.",
                else_zero(f"sum({of(families.OUTBOX_DEPTH, _CHANNEL)})"),
                limits=[above("SidecarOutboxDeep", "messages")],
            ),
            number(
                "Oldest message",
                "How long it has waited. Run `sidecar notify test` with its channel: it says what the channel answers.",
                else_zero(f"max({of(families.OUTBOX_AGE, _CHANNEL)})"),
                unit=units.Seconds,
                limits=[above("SidecarOutboxStuck", "seconds")],
            ),
            number(
                "Messages lost",
                "Resolves that were given up in the chosen time: somebody still believes in an alert that is over.",
                else_zero(f"sum({lost})"),
                limits=[any_()],
                alerts=["SidecarMessagesLost"],
            ),
        ],
    )


def _alerts() -> Row:
    firing = of(families.SIDECAR_ALERTS, 'state="firing"', _NAME)
    pending = of(families.SIDECAR_ALERTS, 'state="pending"', _NAME)
    active = of(families.SIDECAR_ALERTS, 'state=~"firing|pending"', _NAME)
    return Row(
        "Alerts",
        [
            timeline(
                "Alerts over time",
                "Pending and firing, each alert once for all pods. What each one means is in its runbook.",
                Query(
                    f"2 * (max by (alertname) ({firing}) > bool 0) or (max by (alertname) ({pending}) > bool 0)",
                    "{{alertname}}",
                ),
                _STATES,
                width=16,
                height=10,
            ),
            linked(
                listing(
                    "Active now",
                    "How many alerts there are of each name, at the pod that has most of them.",
                    [f"max by (alertname, severity, state) ({active})"],
                    {"alertname": "Alert", "severity": "Severity", "state": "State", "Value": "Alerts"},
                    width=8,
                    height=10,
                ),
                "Alerts at the sidecar",
                "/",
            ),
        ],
    )


def _delivery() -> Row:
    latency = families.NOTIFICATION_LATENCY
    return Row(
        "Delivery",
        [
            graph(
                "Messages by what became of them",
                "delivered: taken by the channel. failed: an opening or a reminder was given up. lost: a resolve was. "
                "unserved: too old for a channel that had left the configuration.",
                Query(
                    f"sum by (channel, result) ({events(families.NOTIFICATIONS, _CHANNEL)})", "{{channel}}: {{result}}"
                ),
                bars=True,
                alerts=["SidecarMessagesLost", "SidecarMessagesGivenUp"],
                width=8,
            ),
            graph(
                "Failed attempts",
                "By reason. They are repeated; a reason that stays needs somebody: `sidecar notify test`.",
                Query(
                    f"sum by (channel, reason) ({events(families.NOTIFICATION_FAILURES, _CHANNEL)})",
                    "{{channel}}: {{reason}}",
                ),
                bars=True,
                alerts=["SidecarDeliveriesFailing"],
                width=8,
            ),
            graph(
                "From putting to delivery",
                "How long the messages of the last hour took until a channel had them.",
                Query(quantile(0.5, latency, _CHANNEL, window="1h"), "p50"),
                Query(quantile(0.95, latency, _CHANNEL, window="1h"), "p95"),
                unit=units.Seconds,
                width=8,
            ),
            graph(
                "Messages waiting",
                "Per channel, at the pod that has most of them.",
                Query(f"max by (channel) ({of(families.OUTBOX_DEPTH, _CHANNEL)})", "{{channel}}"),
                limits=[above("SidecarOutboxDeep", "messages")],
                width=8,
            ),
            graph(
                "Oldest message",
                "Per channel. A straight line upwards: nothing gets through.",
                Query(f"max by (channel) ({of(families.OUTBOX_AGE, _CHANNEL)})", "{{channel}}"),
                unit=units.Seconds,
                limits=[above("SidecarOutboxStuck", "seconds")],
                width=8,
            ),
            graph(
                "For channels that are gone",
                "Messages for a channel that left the configuration. They go when it returns within a day.",
                Query(else_zero(f"sum({of(families.OUTBOX_UNSERVED)})"), "messages"),
                width=8,
            ),
        ],
    )


def _rules() -> Row:
    return Row(
        "Rules",
        [
            graph(
                "Evaluations",
                "A group that stops is not judged any more.",
                Query(f"sum by (group) ({rate(families.RULE_EVALUATIONS)})", "{{group}}"),
                unit=units.OpsPerSecond,
                stacked=True,
            ),
            graph(
                "Failed evaluations and texts",
                "Alerts of a rule that cannot be evaluated stay as they were; a text that cannot be made says why. "
                "`sidecar rules check` finds most mistakes.",
                Query(f"sum by (rule) ({events(families.RULE_FAILURES)})", "{{rule}}: evaluation"),
                Query(f"sum by (rule) ({events(families.TEMPLATE_FAILURES)})", "{{rule}}: text"),
                bars=True,
                alerts=["SidecarRuleFailing", "SidecarTemplateFailing"],
            ),
            graph(
                "How long a group takes",
                "The last turn of each rule group, at the slowest pod.",
                Query(f"max by (group) ({of(families.RULE_DURATION)})", "{{group}}"),
                unit=units.Seconds,
            ),
            graph(
                "Turns that were missed",
                "A group was due again before its last turn was over: too many rules, too many series, too little CPU.",
                Query(else_zero(f"sum({events(families.RULE_MISSED)})"), "missed"),
                bars=True,
                alerts=["SidecarTurnsMissed"],
            ),
        ],
    )

"""Is it fine? The fleet, its checks and what they depend on."""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source import claude, dependencies, variables
from dashboards.source.boards import Row, board
from dashboards.source.limits import above, any_, below
from dashboards.source.panels import Query, graph, linked, listing, number, ranking, timeline
from dashboards.source.queries import else_zero, events, of, percentile, rate, share
from dashboards.source.styles import HEALTH, UP_OR_DOWN
from sidecar.model import families

_CHECK: Final = 'check=~"$check"'
_PROBED: Final = 'type!="heartbeat"'
_WINDOWS: Final = {"24 h": 'window="24h"', "7 d": 'window="7d"', "30 d": 'window="30d"'}
_ALERTS: Final = ("Alerts at the sidecar", "/")
_CELL: Final = ("This check at the sidecar", "/checks/${__data.fields.Check}")
_PAGE: Final = ("This check at the sidecar", "/checks/${__field.labels.check}")
_DOWN: Final = (*claude.DOWN, "GatewayDown", "DependencyDown", "CheckDown")


def made() -> dashboard.Dashboard:
    """The first one to open."""
    return board(
        "overview",
        "Overview",
        "Whether Claude, the gateway and what both depend on are fine, as the sidecars beside the gateway see it.",
        [_now(), _checks(), _claude(), _fleet(), *dependencies.rows()],
        [variables.label("check", "Check", families.CHECK_UP)],
    )


def _now() -> Row:
    alerts = "max by (alertname, severity) ({})"
    critical = alerts.format(of(families.SIDECAR_ALERTS, 'state="firing"', 'severity="critical"'))
    others = alerts.format(of(families.SIDECAR_ALERTS, 'state="firing"', 'severity!="critical"'))
    failed = rate(families.CLAUDE_REQUESTS, 'source="traffic"', 'outcome="failed"')
    asked = rate(families.CLAUDE_REQUESTS, 'source="traffic"')
    first = percentile(families.CLAUDE_FIRST_TOKEN, 'source="traffic"', 'quantile="0.95"', 'window="5m"')
    return Row(
        "",
        [
            number(
                "Health",
                "The worst of the chosen pods: critical when a critical check is down, degraded when another one is. "
                "The row Checks says which.",
                f"min({of(families.HEALTH_STATUS)})",
                states=HEALTH,
                none="unknown",
                width=3,
            ),
            number(
                "Checks down",
                "Checks that at least one pod sees down. What and why is in the table below.",
                else_zero(f"count(min by (check) ({of(families.CHECK_UP, _CHECK)}) == 0)"),
                limits=[any_()],
                alerts=_DOWN,
                width=3,
            ),
            linked(
                number(
                    "Critical alerts",
                    "Alerts that fire and page. Their texts and next steps are at the status page.",
                    else_zero(f"sum({critical})"),
                    limits=[any_()],
                    width=3,
                ),
                *_ALERTS,
            ),
            linked(
                number(
                    "Other alerts",
                    "Alerts that fire and do not page.",
                    else_zero(f"sum({others})"),
                    limits=[any_("orange")],
                    width=3,
                ),
                *_ALERTS,
            ),
            number(
                "Users' failures",
                "Share of the users' requests that failed, as the gateway reports them: look at the dashboard Gateway "
                "traffic for which. Refusals for what a request is are not in it.",
                share(f"sum({failed})", f"sum({asked})"),
                unit=units.PercentUnit,
                limits=[above("ClaudeErrorRateHigh", "ratio")],
                none="no traffic",
                width=3,
            ),
            number(
                "Users' first token",
                "How long 95 % of the users' streams of the last 5 minutes waited at most for content, at the worst "
                "pod and model. Compare with the probes at the dashboard Claude API.",
                f"max({first})",
                unit=units.Seconds,
                limits=[above("ClaudeFirstTokenSlow", "p95")],
                none="no traffic",
                width=3,
            ),
            number(
                "Oldest message",
                "How long a message has waited for its channel. Somebody may not know yet: see the dashboard Alerts "
                "and delivery.",
                else_zero(f"max({of(families.OUTBOX_AGE)})"),
                unit=units.Seconds,
                limits=[above("SidecarOutboxStuck", "seconds")],
                width=3,
            ),
            number(
                "Pods",
                "Sidecars that were scraped just now. Fewer than there are gateway pods: look at the targets of "
                "Prometheus, nobody watches there.",
                f"count({of(families.BUILD_INFO)})",
                width=3,
            ),
        ],
    )


def _checks() -> Row:
    reason = of(families.CHECK_DOWN_REASON, _CHECK)
    return Row(
        "Checks",
        [
            linked(
                timeline(
                    "State of each check",
                    "Down when any of the chosen pods sees it down; nothing while it is unknown: not asked yet, out of "
                    "its hours, or this side was cut off.",
                    Query(f"min by (check) ({of(families.CHECK_UP, _CHECK)})", "{{check}}"),
                    UP_OR_DOWN,
                    alerts=_DOWN,
                    width=16,
                    height=9,
                ),
                *_PAGE,
            ),
            linked(
                listing(
                    "Down, and why",
                    "The latest failure of each check that is down, and how many pods see it. All: the other end or "
                    "the network; one: that pod.",
                    [f"count by (check, type, error_type) ({reason} == 1)"],
                    {"check": "Check", "type": "Type", "error_type": "Why", "Value": "Pods"},
                    alerts=_DOWN,
                    width=8,
                    height=9,
                ),
                *_CELL,
            ),
            linked(
                graph(
                    "How long probes take",
                    "The slowest of the chosen pods. A line that ends: the check is not asked. For what takes the time "
                    "see the phases at the check's page.",
                    Query(f"max by (check) ({of(families.PROBE_DURATION, _CHECK, _PROBED)})", "{{check}}"),
                    unit=units.Seconds,
                ),
                *_PAGE,
            ),
            graph(
                "Failed probes",
                "Failures by kind, also those that were too few to bring a check down.",
                Query(
                    f"sum by (check, error_type) ({events(families.PROBE_FAILURES, _CHECK)})",
                    "{{check}}: {{error_type}}",
                ),
                bars=True,
                alerts=["DependencyUnsteady", "ClaudeOverloaded", "ClaudeThrottled", "ClaudeServerErrors"],
            ),
            linked(
                ranking(
                    "Up in the chosen time",
                    "Share of the samples in which each check was up, of those in which it was known.",
                    Query(f"avg by (check) (avg_over_time({of(families.CHECK_UP, _CHECK)}[$__range]))", "{{check}}"),
                    unit=units.PercentUnit,
                    highest=1,
                    width=8,
                ),
                *_PAGE,
            ),
            linked(
                listing(
                    "Uptime",
                    "As the sidecars remember it themselves, also over restarts and for longer than Prometheus keeps "
                    "samples; the worst of the chosen pods.",
                    [f"min by (check) ({of(families.CHECK_UPTIME, _CHECK, window)})" for window in _WINDOWS.values()],
                    {"check": "Check"} | dict(zip(("Value #A", "Value #B", "Value #C"), _WINDOWS, strict=True)),
                    unit=units.PercentUnit,
                    width=8,
                ),
                *_CELL,
            ),
            graph(
                "Probes without a verdict",
                "Neither up nor down: offline is our own network, waiting a job that has not called in yet. A check "
                "without a verdict sees nothing.",
                Query(f"sum by (check, reason) ({events(families.CHECK_UNDECIDED, _CHECK)})", "{{check}}: {{reason}}"),
                bars=True,
                alerts=["ClaudeProbesHeldBack"],
                width=8,
            ),
        ],
    )


def _claude() -> Row:
    first = percentile(families.CLAUDE_FIRST_TOKEN, 'quantile="0.95"', 'window="5m"')
    left = f"{of(families.CLAUDE_RATELIMIT_REMAINING)} / ({of(families.CLAUDE_RATELIMIT_LIMIT)} > 0)"
    return Row(
        "Claude",
        [
            graph(
                "Requests by outcome",
                "Of probes and of users (traffic). Failed: Claude or the way to it. Refused: a key, a limit.",
                Query(f"sum by (source, outcome) ({rate(families.CLAUDE_REQUESTS)})", "{{source}}: {{outcome}}"),
                unit=units.RequestsPerSecond,
                stacked=True,
                width=8,
            ),
            graph(
                "First token, p95",
                "Of 5 minutes, at the slowest pod and model. Only users wait: the gateway, or long prompts.",
                Query(f"max by (source) ({first})", "{{source}}"),
                unit=units.Seconds,
                limits=[above("ClaudeFirstTokenSlow", "p95")],
                width=8,
            ),
            graph(
                "Left of the rate limits",
                "The least that any check was told. At nothing everybody who shares the limit is refused.",
                Query(f"min by (family) ({left})", "{{family}}"),
                unit=units.PercentUnit,
                share=True,
                limits=[below("ClaudeRateLimitLow", "ratio")],
                width=8,
            ),
        ],
    )


def _fleet() -> Row:
    info = of(families.BUILD_INFO)
    return Row(
        "Pods",
        [
            timeline(
                "Health of each pod",
                "One pod alone is not fine: look at that pod, its node and its network. All at once: look at Claude "
                "and at what they share.",
                Query(f"min by ($by) ({of(families.HEALTH_STATUS)})", "{{$by}}"),
                HEALTH,
                width=16,
            ),
            listing(
                "Versions",
                "What runs where. Several versions for longer than a rollout: it hangs.",
                [f"count by ($by, version, python) ({info})"],
                {"pod": "Pod", "instance": "Instance", "version": "Version", "python": "Python"},
                width=8,
            ),
        ],
    )

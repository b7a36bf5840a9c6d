"""Is it fine? The fleet, its checks and what they depend on."""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source import claude, variables
from dashboards.source.boards import Row, board
from dashboards.source.limits import above, any_, below
from dashboards.source.panels import (
    HEALTH,
    UP_OR_DOWN,
    YES_OR_NO,
    Query,
    graph,
    linked,
    listing,
    number,
    ranking,
    timeline,
)
from dashboards.source.queries import else_zero, events, of, percentile, rate, share
from sidecar.model import families
from sidecar.model.samples import Family

_CHECK: Final = 'check=~"$check"'
_PROBED: Final = 'type!="heartbeat"'
_WINDOWS: Final = {"24 h": 'window="24h"', "7 d": 'window="7d"', "30 d": 'window="30d"'}
_PAGE: Final = ("This check at the sidecar", "/checks/${__field.labels.check}")
_DOWN: Final = (*claude.DOWN, "GatewayDown", "DependencyDown", "CheckDown")


def made() -> dashboard.Dashboard:
    """The first one to open."""
    return board(
        "overview",
        "Overview",
        "Whether Claude, the gateway and what both depend on are fine, as the sidecars beside the gateway see it.",
        [_now(), _checks(), _claude(), _fleet(), _dependencies(), _machine(), _jobs()],
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
            number(
                "Critical alerts",
                "Alerts that fire and page. Their texts and next steps are at the status page.",
                else_zero(f"sum({critical})"),
                limits=[any_()],
                width=3,
            ),
            number(
                "Other alerts",
                "Alerts that fire and do not page.",
                else_zero(f"sum({others})"),
                limits=[any_("orange")],
                width=3,
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
            listing(
                "Down, and why",
                "The latest failure of each check that is down, and how many pods see it. All pods: the other end or "
                "the network; one pod: that pod.",
                [f"count by (check, type, error_type) ({reason} == 1)"],
                {"check": "Check", "type": "Type", "error_type": "Why", "Value": "Pods"},
                alerts=_DOWN,
                width=8,
                height=9,
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
            ranking(
                "Up in the chosen time",
                "Share of the samples in which each check was up, of those in which it was known.",
                Query(f"avg by (check) (avg_over_time({of(families.CHECK_UP, _CHECK)}[$__range]))", "{{check}}"),
                unit=units.PercentUnit,
                highest=1,
                width=8,
            ),
            listing(
                "Uptime",
                "As the sidecars remember it themselves, also over restarts and for longer than Prometheus keeps "
                "samples; the worst of the chosen pods.",
                [f"min by (check) ({of(families.CHECK_UPTIME, _CHECK, window)})" for window in _WINDOWS.values()],
                {"check": "Check"} | dict(zip(("Value #A", "Value #B", "Value #C"), _WINDOWS, strict=True)),
                unit=units.PercentUnit,
                width=8,
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


def _dependencies() -> Row:
    days = f"(min by (check) ({of(families.PROBE_CERT_EXPIRY, _CHECK)}) - time()) / 86400"
    ways = of(families.PROBE_PHASE, _CHECK, 'phase=~"resolve|connect|tls"')
    used, most = of(families.REDIS_MEMORY_USED, _CHECK), of(families.REDIS_MEMORY_MAX, _CHECK)
    return Row(
        "Dependencies",
        [
            ranking(
                "Certificates: days left",
                "Until the first of the chain expires. Renew it, or find out why its renewal has not run.",
                Query(days, "{{check}}"),
                unit=units.Days,
                limits=[below("CertificateExpiresSoon", "days"), below("CertificateInLastDays", "days")],
                lowest=None,
                width=8,
            ),
            graph(
                "Phases of probes",
                "Resolve, connect and TLS, at the slowest pod: DNS, the network, a proxy.",
                Query(
                    f"max by (check, phase) ({ways})",
                    "{{check}}: {{phase}}",
                ),
                unit=units.Seconds,
                limits=[above("ConnectionSlow", "seconds")],
                width=8,
            ),
            graph(
                "What checks read",
                "Lengths of queues, results of queries and whatever else a check reads from its peer. Consumers at 0 "
                "while the queue grows: nobody works on it.",
                Query(f"max by (check, name) ({of(families.PROBE_VALUE, _CHECK)})", "{{check}}: {{name}}"),
                limits=[above("QueueDeep", "messages")],
                alerts=["QueueWithoutConsumers"],
                width=8,
            ),
            graph(
                "Memory of Redis",
                "Share of Redis' own limit that its data take. Full: writes fail, or keys are evicted.",
                Query(f"max by (check) ({used} / ({most} > 0))", "{{check}}"),
                unit=units.PercentUnit,
                share=True,
                limits=[above("RedisMemoryNearlyFull", "ratio")],
                width=8,
            ),
            timeline(
                "Replicas of Redis",
                "Whether each replica is connected to its primary. Cut off, it answers with old data.",
                Query(f"min by (check) ({of(families.REDIS_MASTER_LINK_UP, _CHECK)})", "{{check}}"),
                YES_OR_NO,
                alerts=["RedisReplicaCutOff"],
                width=8,
            ),
            graph(
                "Samples of scrapes",
                "How many samples each scrape of a gateway's metrics took. Far fewer than before: it changed.",
                Query(f"min by (check) ({of(families.SCRAPE_SAMPLES, _CHECK)})", "{{check}}"),
                width=8,
            ),
        ],
        closed=True,
    )


def _machine() -> Row:
    used = f"1 - {_own(families.SYSTEM_MEMORY_AVAILABLE)} / {_own(families.SYSTEM_MEMORY_TOTAL)}"
    full = f"1 - {_own(families.SYSTEM_DISK_FREE)} / {_own(families.SYSTEM_DISK_TOTAL)}"
    pids = f"{_own(families.SYSTEM_PIDS)} / ({_own(families.SYSTEM_PIDS_MAX)} > 0)"
    waits = _own(families.SYSTEM_PRESSURE, 'kind="some"')
    return Row(
        "Machines and containers (checks of type system)",
        [
            _ratio(
                "Processor",
                "Share of the processor, or of the container's limit, that is in use.",
                Query(f"max by ($by, of) ({_own(families.SYSTEM_CPU_USAGE)})", "{{$by}} {{of}}"),
            ),
            _ratio(
                "Throttled",
                "Share of the scheduler's periods in which the container had to wait: raise its limit of CPU.",
                Query(f"max by ($by) ({_own(families.SYSTEM_CPU_THROTTLED)})", "{{$by}}"),
            ),
            _ratio(
                "Waiting",
                "Share of the time in which some process waited for the processor, memory or disk.",
                Query(f"max by ($by, of, resource) ({waits})", "{{$by}} {{of}}: {{resource}}"),
            ),
            _ratio(
                "Memory",
                "Share of the memory, or of the container's limit, that cannot be had without swapping.",
                Query(f"max by ($by, of) ({used})", "{{$by}} {{of}}"),
            ),
            _ratio(
                "Disks",
                "Share of each path's file system that is used.",
                Query(f"max by ($by, path) ({full})", "{{$by}} {{path}}"),
            ),
            _ratio(
                "Processes",
                "Share of the processes and threads that the container may have. At its end nothing can be started.",
                Query(f"max by ($by) ({pids})", "{{$by}}"),
            ),
        ],
        closed=True,
    )


def _own(family: Family, *matchers: str) -> str:
    return of(family, _CHECK, *matchers)


def _ratio(title: str, text: str, query: Query) -> dashboard.Panel:
    return graph(title, text, query, unit=units.PercentUnit, share=True, width=8)


def _jobs() -> Row:
    took = f"max by (check) ({of(families.HEARTBEAT_DURATION, _CHECK)})"
    return Row(
        "Jobs that call in",
        [
            graph(
                "Since the last success",
                "Falls to zero with each call. One that only grows: did the job run, did its call leave?",
                Query(f"time() - max by (check) ({of(families.HEARTBEAT_SUCCESS, _CHECK)})", "{{check}}"),
                unit=units.Seconds,
                alerts=["HeartbeatMissed", "HeartbeatFailed", "HeartbeatRunsTooLong"],
            ),
            graph(
                "How long runs take",
                "The last run of each job, from start to end.",
                Query(took, "{{check}}"),
                unit=units.Seconds,
                alerts=["HeartbeatSlow"],
            ),
        ],
        closed=True,
    )

"""What the gateway depends on, beside Claude: servers, machines, jobs. Closed until somebody opens it."""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source.boards import Row
from dashboards.source.limits import above, below
from dashboards.source.panels import Query, graph, ranking, timeline
from dashboards.source.queries import of
from dashboards.source.styles import YES_OR_NO
from sidecar.model import families
from sidecar.model.samples import Family

CHECK: Final = 'check=~"$check"'


def rows() -> list[Row]:
    """All of it."""
    return [_dependencies(), _machine(), _jobs()]


def _dependencies() -> Row:
    days = f"(min by (check) ({of(families.PROBE_CERT_EXPIRY, CHECK)}) - time()) / 86400"
    ways = of(families.PROBE_PHASE, CHECK, 'phase=~"resolve|connect|tls"')
    used, most = of(families.REDIS_MEMORY_USED, CHECK), of(families.REDIS_MEMORY_MAX, CHECK)
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
                Query(f"max by (check, name) ({of(families.PROBE_VALUE, CHECK)})", "{{check}}: {{name}}"),
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
                Query(f"min by (check) ({of(families.REDIS_MASTER_LINK_UP, CHECK)})", "{{check}}"),
                YES_OR_NO,
                alerts=["RedisReplicaCutOff"],
                width=8,
            ),
            graph(
                "Samples of scrapes",
                "How many samples each scrape of a gateway's metrics took. Far fewer than before: it changed.",
                Query(f"min by (check) ({of(families.SCRAPE_SAMPLES, CHECK)})", "{{check}}"),
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
    return of(family, CHECK, *matchers)


def _ratio(title: str, text: str, query: Query) -> dashboard.Panel:
    return graph(title, text, query, unit=units.PercentUnit, share=True, width=8)


def _jobs() -> Row:
    took = f"max by (check) ({of(families.HEARTBEAT_DURATION, CHECK)})"
    return Row(
        "Jobs that call in",
        [
            graph(
                "Since the last success",
                "Falls to zero with each call. One that only grows: did the job run, did its call leave?",
                Query(f"time() - max by (check) ({of(families.HEARTBEAT_SUCCESS, CHECK)})", "{{check}}"),
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

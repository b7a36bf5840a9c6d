"""The watchman himself: what keeps a daemon from seeing, deciding or telling."""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source.boards import Row, board
from dashboards.source.limits import above, any_
from dashboards.source.panels import Query, graph, listing, number, timeline
from dashboards.source.queries import else_zero, events, of, quantile, rate, share
from dashboards.source.styles import YES_OR_NO, State
from sidecar.model import families

_TAKEN: Final = (
    State(1, "as the files say", "green"),
    State(0, "a reload failed", "orange"),
    State(-1, "the last good one", "red"),
)


def made() -> dashboard.Dashboard:
    """Whether the sidecar can be believed."""
    return board(
        "sidecar",
        "The sidecar itself",
        "Whether the sidecars themselves are fine: their memory and time, their probes, their disk and configuration.",
        [_now(), _work(), _process(), _store(), _settings()],
    )


def _now() -> Row:
    return Row(
        "",
        [
            number("Pods", "Sidecars that were scraped just now.", f"count({of(families.BUILD_INFO)})", width=3),
            number(
                "Since the last restart",
                "Of the pod that began last. It falls again and again: see why the container ends (memory, liveness).",
                f"min(time() - {of(families.PROCESS_START)})",
                unit=units.Seconds,
                width=3,
            ),
            number(
                "Configuration",
                "Whether each pod runs what its files say. No: the files have a mistake, and the last good ones run; "
                "`sidecar config check` names it.",
                f"min({of(families.CONFIG_RELOAD_SUCCESS)})",
                states=YES_OR_NO,
                alerts=["SidecarConfigReloadFailed", "SidecarLastGoodConfig"],
                width=3,
            ),
            number(
                "Remembers",
                "Whether each pod's database can be written. No: alerts still go out, and a restart forgets them; look "
                "at the volume.",
                f"min({of(families.DATABASE_WRITABLE)})",
                states=YES_OR_NO,
                alerts=["SidecarDatabaseNotWritable"],
                width=3,
            ),
            number(
                "Sees the network",
                "Whether each pod reaches any of the independent addresses of `connectivity`. No: its checks say "
                "nothing, rather than blame others.",
                f"min({of(families.CONNECTIVITY_UP)})",
                states=YES_OR_NO,
                alerts=["SidecarOffline"],
                none="not asked",
                width=3,
            ),
            number(
                "Event loop late by",
                "At the worst pod. Everything is late by as much: too little CPU, or too much to do.",
                f"max({of(families.LOOP_LAG)})",
                unit=units.Seconds,
                limits=[above("SidecarSlow", "seconds")],
                width=3,
            ),
            number(
                "Memory",
                "Resident, at the largest pod. It is the gateway's: see the series and the checks for what takes it.",
                f"max({of(families.PROCESS_RESIDENT)})",
                unit=units.BytesIEC,
                limits=[above("SidecarMemoryHigh", "bytes")],
                width=3,
            ),
            number(
                "Probes missed",
                "In the chosen time: probes that could not start in time, for want of a slot or of CPU. Too much to "
                "do.",
                else_zero(f"sum({events(families.PROBES_MISSED, window='$__range')})"),
                limits=[any_("orange")],
                alerts=["SidecarProbesMissed"],
                width=3,
            ),
        ],
    )


def _process() -> Row:
    files = f"{of(families.PROCESS_OPEN_FDS)} / {of(families.PROCESS_MAX_FDS)}"
    return Row(
        "Process",
        [
            graph(
                "Memory",
                "Resident, by pod. A slope that does not end: raise the limit for now, and count the series.",
                Query(f"max by ($by) ({of(families.PROCESS_RESIDENT)})", "{{$by}}"),
                unit=units.BytesIEC,
                limits=[above("SidecarMemoryHigh", "bytes")],
                width=8,
            ),
            graph(
                "Processor",
                "Cores in use, by pod.",
                Query(f"sum by ($by) ({rate(families.PROCESS_CPU)})", "{{$by}}"),
                width=8,
            ),
            graph(
                "Files and sockets",
                "Share of those that the process may have. At its end no probe and no delivery connects.",
                Query(f"max by ($by) ({files})", "{{$by}}"),
                unit=units.PercentUnit,
                share=True,
                limits=[above("SidecarFilesRunningOut", "ratio")],
                width=8,
            ),
            graph(
                "Lateness of the event loop",
                "The longest since the tick before, by pod; with the longest garbage collection.",
                Query(f"max by ($by) ({of(families.LOOP_LAG)})", "{{$by}}"),
                Query(f"max by ($by) ({of(families.GC_PAUSE)})", "{{$by}}: garbage collection"),
                unit=units.Seconds,
                limits=[above("SidecarSlow", "seconds")],
                width=8,
            ),
            graph(
                "Time in garbage collections",
                "Share of the time.",
                Query(f"sum by ($by) ({rate(families.GC_SECONDS)})", "{{$by}}"),
                unit=units.PercentUnit,
                width=8,
            ),
            graph(
                "Connections",
                "To the daemon's listeners, and those refused for being too many: who asks so often?",
                Query(f"sum by ($by) ({of(families.HTTP_CONNECTIONS)})", "{{$by}}"),
                Query(f"sum by ($by) ({rate(families.HTTP_REFUSED)})", "{{$by}}: refused per second"),
                width=8,
            ),
        ],
    )


def _work() -> Row:
    slots = f"max by ($by) ({of(families.PROBES_RUNNING)} / {of(families.PROBE_SLOTS)})"
    return Row(
        "Probes and turns",
        [
            graph(
                "Slots in use",
                "Share of the probes that may be under way at once. All in use: probes wait, then are missed.",
                Query(slots, "{{$by}}"),
                unit=units.PercentUnit,
                share=True,
                width=8,
            ),
            graph(
                "Probes that were late",
                "The longest that one was late or waited for a slot, by pod.",
                Query(f"max by ($by) ({of(families.PROBE_DELAY)})", "{{$by}}"),
                unit=units.Seconds,
                alerts=["SidecarProbesMissed"],
                width=8,
            ),
            graph(
                "Turns of the evaluator, p99",
                "Tick, rules and decisions, by pod. Slow: fewer series, cheaper rules, or more CPU.",
                Query(quantile(0.99, families.EVALUATOR_TURN, by="$by", window="10m"), "{{$by}}"),
                unit=units.Seconds,
                limits=[above("SidecarTurnsSlow", "p99")],
                width=8,
            ),
            graph(
                "Transactions of the database, p99",
                "From asking for one to its end. Slow: the disk, or its limit of writes.",
                Query(quantile(0.99, families.DATABASE_WAIT, by="$by", window="10m"), "{{$by}}"),
                unit=units.Seconds,
                width=8,
            ),
            graph(
                "Steps of the clock",
                "Each is treated as a restart in place: samples begin anew. More than one: look at the machine's time.",
                Query(else_zero(f"sum({events(families.CLOCK_STEPS)})"), "steps"),
                bars=True,
                alerts=["SidecarClockStepped"],
                width=8,
            ),
            timeline(
                "Sees the network",
                "By pod, where `connectivity` is configured.",
                Query(f"min by ($by) ({of(families.CONNECTIVITY_UP)})", "{{$by}}"),
                (State(1, "connected", "green"), State(0, "cut off", "red")),
                alerts=["SidecarOffline"],
                width=8,
            ),
        ],
    )


def _store() -> Row:
    sent, dropped = families.TELEMETRY_SENT, families.TELEMETRY_DROPPED
    folded, clamped = events(families.PERCENTILES_FOLDED), events(families.PERCENTILES_CLAMPED)
    return Row(
        "Samples and telemetry",
        [
            graph(
                "Series",
                "Live series in the store, by pod. Each is memory; a jump: somebody sends labels without bounds.",
                Query(f"max by ($by) ({of(families.SERIES)})", "{{$by}}"),
                width=8,
            ),
            graph(
                "Samples refused",
                "By source and reason. What is refused is seen by no rule.",
                Query(f"sum by (source, reason) ({events(families.SAMPLES_REFUSED)})", "{{source}}: {{reason}}"),
                bars=True,
                alerts=["SidecarSamplesRefused"],
                width=8,
            ),
            graph(
                "Percentiles folded or clamped",
                "Folded: more models and targets than percentiles are kept for. Clamped: values beyond what they tell "
                "apart.",
                Query(else_zero(f"sum({folded})"), "folded"),
                Query(else_zero(f"sum({clamped})"), "clamped"),
                bars=True,
                alerts=["SidecarPercentilesFolded"],
                width=8,
            ),
            graph(
                "Telemetry sent",
                "Spans and data points that the collector took, by signal.",
                Query(f"sum by (signal) ({rate(sent)})", "{{signal}}"),
                unit=units.EventsPerSecond,
                width=8,
            ),
            graph(
                "Telemetry dropped, attempts failed",
                "What no collector took, and why.",
                Query(f"sum by (signal, reason) ({events(dropped)})", "{{signal}} dropped: {{reason}}"),
                Query(
                    f"sum by (signal, reason) ({events(families.TELEMETRY_FAILURES)})", "{{signal}} failed: {{reason}}"
                ),
                bars=True,
                alerts=["SidecarTelemetryDropped"],
                width=8,
            ),
            graph(
                "Events rejected",
                "Share of the events that were sent to us and not taken: the sender's format, or a limit.",
                Query(_rejected(), "rejected"),
                unit=units.PercentUnit,
                limits=[above("SidecarEventsRejected", "ratio")],
                width=8,
            ),
        ],
        closed=True,
    )


def _rejected() -> str:
    some, every = rate(families.EVENTS, 'result="rejected"'), rate(families.EVENTS)
    return share(f"sum({some})", f"sum({every})")


def _settings() -> Row:
    taken = of(families.CONFIG_RELOAD_SUCCESS)
    return Row(
        "Configuration",
        [
            listing(
                "What runs where",
                "One hash: every pod has the same configuration. Several for longer than a rollout: one did not "
                "reload.",
                [f"count by ($by, hash) ({of(families.CONFIG_INFO)})"],
                {"pod": "Pod", "instance": "Instance", "hash": "Configuration"},
                width=8,
            ),
            timeline(
                "Whether it is what the files say",
                "A reload that failed leaves the one before in place; a start with broken files takes the last good "
                "one.",
                Query(f"min by ($by) ({taken}) - max by ($by) ({of(families.CONFIG_LAST_GOOD)})", "{{$by}}"),
                _TAKEN,
                alerts=["SidecarConfigReloadFailed", "SidecarLastGoodConfig"],
                width=8,
            ),
            graph(
                "Age of the configuration",
                "Since it was taken up, by pod.",
                Query(f"time() - max by ($by) ({of(families.CONFIG_RELOAD_TIME)})", "{{$by}}"),
                unit=units.Seconds,
                width=8,
            ),
        ],
        closed=True,
    )

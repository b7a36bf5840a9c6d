"""The catalogue of our metrics: names, kinds and what they mean."""

from typing import Final

from sidecar.model.samples import Family, Kind

DURATIONS: Final = tuple(0.1 * 2**n for n in range(13)) + (600.0,)
"""Upper bounds for durations in seconds: 0.1 doubling to 409.6, then 600."""
FIRST_TOKEN: Final = tuple(0.05 * 2**n for n in range(11)) + (60.0,)
"""Upper bounds for the time to a first token in seconds: 0.05 doubling to 51.2, then 60."""

TURNS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds for what the daemon itself does in one piece."""


def _gauge(name: str, text: str) -> Family:
    return Family(name, Kind.GAUGE, text)


def _counter(name: str, text: str) -> Family:
    return Family(name, Kind.COUNTER, text)


# Probes, in blackbox' words. Labels: the check's own, then check, type, target, critical.
PROBE_SUCCESS = _gauge("probe_success", "Whether the last probe succeeded (1) or failed (0).")
PROBE_DURATION = _gauge("probe_duration_seconds", "How long the last probe took.")
PROBE_LATENCY = Family("probe_latency_seconds", Kind.HISTOGRAM, "How long successful probes took.", DURATIONS)
PROBE_PHASE = _gauge("probe_phase_seconds", "How long each phase of the last probe took, by phase.")
PROBE_STATUS = _gauge("probe_http_status_code", "HTTP status of the last probe's answer.")
PROBE_CERT_EXPIRY = _gauge("probe_ssl_earliest_cert_expiry", "When the earliest certificate of the chain expires.")
PROBE_VALUE = _gauge(
    "probe_value", "What the last probe read from its peer, by name: a queue's length, a query's result."
)
SCRAPE_SAMPLES = _gauge("scrape_samples_scraped", "Samples that the last probe of a scrape check took.")
PROBE_FAILURES = _counter("probe_failures_total", "Failed probes, by error_type.")
CHECK_UP = _gauge("sidecar_check_up", "State of a check: 1 up, 0 down, absent while unknown.")
CHECK_DOWN_REASON = _gauge(
    "sidecar_check_down_reason", "1 for the latest failure of a check that is down, by error_type; else absent."
)
CHECK_UPTIME = _gauge(
    "sidecar_check_uptime_ratio",
    "Share of the time seen in which a check was up, by check and window (24h, 7d, 30d); told once a minute.",
)
CHECK_UNDECIDED = _counter("sidecar_check_undecided_total", "Probes that came to no verdict, by reason.")

# This machine and its container, by `of` (machine, container) where both are known. Labels: the check's own.
SYSTEM_CPU_USAGE = _gauge("system_cpu_usage_ratio", "Share of the processor that is in use; of the limit, if limited.")
SYSTEM_CPU_CORES = _gauge("system_cpu_cores", "Cores of the machine, or those that the container may use.")
SYSTEM_CPU_THROTTLED = _gauge(
    "system_cpu_throttled_ratio", "Share of the scheduler's periods in which the container had to wait."
)
SYSTEM_LOAD1 = _gauge("system_load1", "Load of the machine over 1 minute.")
SYSTEM_LOAD5 = _gauge("system_load5", "Load of the machine over 5 minutes.")
SYSTEM_LOAD15 = _gauge("system_load15", "Load of the machine over 15 minutes.")
SYSTEM_MEMORY_TOTAL = _gauge("system_memory_total_bytes", "Memory of the machine, or the container's limit.")
SYSTEM_MEMORY_AVAILABLE = _gauge("system_memory_available_bytes", "Memory that can be had without swapping.")
SYSTEM_SWAP_TOTAL = _gauge("system_swap_total_bytes", "Swap space of the machine.")
SYSTEM_SWAP_USED = _gauge("system_swap_used_bytes", "Swap space that is in use.")
SYSTEM_PIDS = _gauge("system_pids", "Processes and threads of the container.")
SYSTEM_PIDS_MAX = _gauge("system_pids_max", "Processes and threads that the container may have.")
SYSTEM_OPEN_FILES = _gauge("system_open_files", "Files that are open in the whole machine.")
SYSTEM_OPEN_FILES_MAX = _gauge("system_open_files_max", "Files that may be open in the whole machine.")
SYSTEM_PRESSURE = _gauge(
    "system_pressure_ratio", "Share of 10 s in which some or all (kind) processes waited for the resource."
)
SYSTEM_NETWORK_ERRORS = Family(
    "system_network_errors_total", Kind.UNTYPED, "Errors and drops of the interfaces since the start, by direction."
)
SYSTEM_DISK_TOTAL = _gauge("system_disk_total_bytes", "Size of a path's file system, without what root reserves.")
SYSTEM_DISK_FREE = _gauge("system_disk_free_bytes", "What is free of it.")
SYSTEM_INODES_TOTAL = _gauge("system_disk_inodes", "Inodes of a path's file system.")
SYSTEM_INODES_FREE = _gauge("system_disk_inodes_free", "Inodes that are free.")

COMMAND_EXIT_CODE = _gauge("command_exit_code", "Exit code of the last program that ended by itself.")

# Jobs that call in. Labels: the check's own.
HEARTBEAT_SUCCESS = _gauge("heartbeat_last_success_timestamp_seconds", "When the job last called in with a success.")
HEARTBEAT_DURATION = _gauge("heartbeat_last_duration_seconds", "How long the job's last run took, from start to end.")

# Claude, from paid probes and from traffic. Labels: model, target, source=probe|traffic.
CLAUDE_REQUESTS = _counter(
    "claude_requests_total", "Requests to Claude, by outcome (ok, failed, refused) and error_type."
)
CLAUDE_DURATION = Family(
    "claude_request_duration_seconds",
    Kind.HISTOGRAM,
    "From the request's first byte to the answer's last.",
    DURATIONS,
    percentiles=True,
)
CLAUDE_FIRST_TOKEN = Family(
    "claude_time_to_first_token_seconds",
    Kind.HISTOGRAM,
    "From the request to the first content of a stream.",
    FIRST_TOKEN,
    percentiles=True,
)
CLAUDE_TOKENS_PER_SECOND = _gauge(
    "claude_output_tokens_per_second", "Output tokens per second between a stream's first and last content."
)
CLAUDE_STREAM_GAP = _gauge(
    "claude_stream_max_gap_seconds", "The longest silence between two events of the last stream."
)
CLAUDE_TOKENS = _counter("claude_tokens_total", "Tokens, by token_type (input, output, cache_read, cache_write).")
CLAUDE_COST = _counter("claude_cost_dollars_total", "List price of the tokens, in US dollars.")
CLAUDE_STOP_REASONS = _counter("claude_stop_reasons_total", "Finished messages, by stop_reason.")
CLAUDE_RETRIES = _counter("claude_retries_total", "Requests that were sent again after a failure.")
CLAUDE_ACTIVE = _gauge("claude_active_requests", "Requests under way, as the gateway reports them.")
CLAUDE_BREAKER = _gauge(
    "claude_circuit_breaker_state", "Circuit breaker of the gateway, by name: 0 closed, 0.5 half open, 1 open."
)
CLAUDE_INPUT_TOKENS = _gauge(
    "claude_count_tokens_input_tokens", "Input tokens that count_tokens found for the probe's prompt."
)
CLAUDE_MODEL_ACTIVE = _gauge(
    "claude_model_active", "Whether the API lists the model as active (1) or deprecated or retired (0)."
)
CLAUDE_MODEL_RETIRES = _gauge("claude_model_retires_timestamp_seconds", "When the API says that the model retires.")
CLAUDE_RATELIMIT_LIMIT = _gauge(
    "claude_ratelimit_limit", "Rate limit, by family (requests, tokens, input_tokens, output_tokens)."
)
CLAUDE_RATELIMIT_REMAINING = _gauge("claude_ratelimit_remaining", "What is left of the rate limit, by family.")
CLAUDE_RATELIMIT_RESET = _gauge(
    "claude_ratelimit_reset_timestamp_seconds", "When the rate limit is whole again, by family."
)

# What data stores say of themselves, in redis_exporter's words. Labels: the check's own.
REDIS_MEMORY_USED = _gauge("redis_memory_used_bytes", "Memory that Redis uses for its data.")
REDIS_MEMORY_MAX = _gauge("redis_memory_max_bytes", "Redis' own limit of memory; 0 is none.")
REDIS_MASTER_LINK_UP = _gauge("redis_master_link_up", "Whether a replica is connected to its primary (1).")

# The daemon itself.
HEALTH_STATUS = _gauge(
    "sidecar_health_status", "Overall health: 1 healthy, 0.5 degraded, 0 critical, absent while unknown."
)
BUILD_INFO = _gauge("sidecar_build_info", "Constant 1, labelled with version and Python version.")
ALERTS = _gauge("ALERTS", "Active alerts, as Prometheus has them: alertname, alertstate and the alert's labels.")
SIDECAR_ALERTS = _gauge("sidecar_alerts", "Active alerts by alertname, severity and state.")
CONFIG_RELOAD_SUCCESS = _gauge(
    "sidecar_config_last_reload_successful", "Whether the configuration in the file is the one that runs (1)."
)
CONFIG_RELOAD_TIME = _gauge(
    "sidecar_config_last_reload_success_timestamp_seconds", "When the running configuration was loaded."
)
CONFIG_INFO = _gauge("sidecar_config_info", "Constant 1, with the hash of the configuration files that run.")
CONFIG_LAST_GOOD = _gauge(
    "sidecar_config_last_good_in_use",
    "Whether the daemon started with the last good configuration, because its files are broken (1).",
)
RULE_EVALUATIONS = _counter("sidecar_rule_evaluations_total", "Evaluations of rules, by group.")
RULE_FAILURES = _counter("sidecar_rule_evaluation_failures_total", "Evaluations that failed, by group and rule.")
TEMPLATE_FAILURES = _counter(
    "sidecar_template_failures_total", "Turns in which a text of a rule could not be made, by group and rule."
)
RULE_MISSED = _counter(
    "sidecar_rule_group_iterations_missed_total", "Turns of a rule group that were missed, by group."
)
RULE_DURATION = _gauge("sidecar_rule_group_last_duration_seconds", "How long the last turn of a rule group took.")
NOTIFICATIONS = _counter(
    "sidecar_notifications_total",
    "What became of messages, by channel and result: delivered, failed (an opening or reminder was given up), "
    "lost (a resolve was), unserved (any that grew too old for a channel that had left the configuration).",
)
NOTIFICATION_FAILURES = _counter("sidecar_notification_failures_total", "Failed attempts by channel and reason.")
NOTIFICATION_LATENCY = Family(
    "sidecar_notification_latency_seconds", Kind.HISTOGRAM, "From the putting of a message to its delivery.", DURATIONS
)
OUTBOX_DEPTH = _gauge("sidecar_outbox_depth", "Messages waiting, by channel of the configuration.")
OUTBOX_AGE = _gauge(
    "sidecar_outbox_oldest_age_seconds", "Age of the oldest message waiting, by channel of the configuration."
)
OUTBOX_UNSERVED = _gauge(
    "sidecar_outbox_unserved",
    "Messages waiting for a channel that left the configuration, by channel; they go when it returns within a day.",
)
DATABASE_WRITABLE = _gauge("sidecar_database_writable", "Whether what is decided is also remembered on disk (1).")
PROBES_MISSED = _counter("sidecar_probes_missed_total", "Probes that could not start in time, by check.")
CONNECTIVITY_UP = _gauge(
    "sidecar_connectivity_up", "Whether any of the independent addresses of `connectivity` is reached (1)."
)
CLOCK_STEPS = _counter("sidecar_clock_steps_total", "Jumps of the machine's clock, by direction.")
LOOP_LAG = _gauge("sidecar_event_loop_lag_seconds", "The longest that the event loop was late since the tick before.")
GC_PAUSE = _gauge("sidecar_gc_longest_pause_seconds", "The longest garbage collection since the tick before.")
GC_SECONDS = _counter("sidecar_gc_seconds_total", "Time spent in garbage collections.")
EVALUATOR_TURN = Family(
    "sidecar_evaluator_turn_seconds", Kind.HISTOGRAM, "Turns that had something to do: tick, rules, decisions.", TURNS
)
DATABASE_WAIT = Family(
    "sidecar_database_transaction_seconds",
    Kind.HISTOGRAM,
    "Transactions of the database, from asking for one to its end.",
    TURNS,
)
PROBE_DELAY = _gauge(
    "sidecar_probe_longest_delay_seconds",
    "The longest that a probe was late or waited for a slot since the tick before.",
)
PROBES_RUNNING = _gauge("sidecar_probes_running", "Probes under way.")
PROBE_SLOTS = _gauge("sidecar_probe_slots", "Probes that may be under way at once.")
HTTP_CONNECTIONS = _gauge("sidecar_http_connections", "Connections to the daemon's listeners.")
SERIES = _gauge("sidecar_store_series", "Live series in the store.")
SAMPLES_REFUSED = _counter("sidecar_samples_refused_total", "Samples that were refused, by source and reason.")
PERCENTILES_FOLDED = _counter(
    "sidecar_percentiles_folded_total", "Label sets beyond the limit whose percentiles went into `other`, by metric."
)
PERCENTILES_CLAMPED = _counter(
    "sidecar_percentiles_clamped_total", "Observations outside of what percentiles tell apart, by metric."
)
EVENTS = _counter("sidecar_events_total", "Events that were sent to us, by result: accepted, duplicate, rejected.")
EVENT_SENDERS = _gauge("sidecar_event_senders", "Senders of events that were heard lately.")
TELEMETRY_SENT = _counter("sidecar_telemetry_sent_total", "Spans and data points that a collector took, by signal.")
TELEMETRY_DROPPED = _counter(
    "sidecar_telemetry_dropped_total", "Spans and data points that no collector took, by signal and reason."
)
TELEMETRY_FAILURES = _counter(
    "sidecar_telemetry_failures_total", "Failed attempts to send to a collector, by signal and reason."
)

HTTP_CONNECTIONS = _gauge("sidecar_http_connections", "Connections to the daemon's listeners.")
HTTP_REFUSED = _counter("sidecar_http_connections_refused_total", "Connections that were refused for being too many.")

# The daemon's process, in the client libraries' words.
PROCESS_CPU = _counter("process_cpu_seconds_total", "Processor time that the process used, user and system.")
PROCESS_RESIDENT = _gauge("process_resident_memory_bytes", "Memory of the process that is resident.")
PROCESS_VIRTUAL = _gauge("process_virtual_memory_bytes", "Memory of the process that is mapped.")
PROCESS_OPEN_FDS = _gauge("process_open_fds", "Files and sockets that are open.")
PROCESS_MAX_FDS = _gauge("process_max_fds", "Files and sockets that may be open.")
PROCESS_START = _gauge("process_start_time_seconds", "When the process started.")

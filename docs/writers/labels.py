"""Which labels our metrics have, beside those that are explained once for all."""

from collections.abc import Mapping
from typing import Final

CHECK: Final = ("check", "type", "target", "critical")
"""Of every series of a check; with `pod` where pods do not see the same, and the check's own `labels`."""
REQUEST: Final = ("model", "source")
"""Of requests to Claude: `source` is probe or traffic. A probe's have its check's labels, too; traffic's `target`."""

_OF_CHECKS: Final = ("probe_", "scrape_", "system_", "command_", "heartbeat_", "redis_", "sidecar_check_")
_MORE: Final[Mapping[str, tuple[str, ...]]] = {
    "probe_phase_seconds": ("phase",),
    "probe_value": ("name",),
    "probe_failures_total": ("error_type",),
    "sidecar_check_down_reason": ("error_type",),
    "sidecar_check_undecided_total": ("reason",),
    "sidecar_check_uptime_ratio": ("window",),
    "system_cpu_usage_ratio": ("of",),
    "system_cpu_cores": ("of",),
    "system_memory_total_bytes": ("of",),
    "system_memory_available_bytes": ("of",),
    "system_pressure_ratio": ("of", "resource", "kind"),
    "system_network_errors_total": ("direction",),
    "system_disk_total_bytes": ("path",),
    "system_disk_free_bytes": ("path",),
    "system_disk_inodes": ("path",),
    "system_disk_inodes_free": ("path",),
    "claude_requests_total": ("outcome", "error_type"),
    "claude_tokens_total": ("token_type",),
    "claude_stop_reasons_total": ("stop_reason",),
    "claude_output_tokens_per_second": ("sender",),
    "claude_active_requests": ("sender",),
    "sidecar_build_info": ("version", "python"),
    "ALERTS": ("alertname", "alertstate", "the alert's"),
    "sidecar_alerts": ("alertname", "severity", "state"),
    "sidecar_config_info": ("hash",),
    "sidecar_rule_evaluations_total": ("group",),
    "sidecar_rule_evaluation_failures_total": ("group", "rule"),
    "sidecar_template_failures_total": ("group", "rule"),
    "sidecar_rule_group_iterations_missed_total": ("group",),
    "sidecar_rule_group_last_duration_seconds": ("group",),
    "sidecar_notifications_total": ("channel", "result"),
    "sidecar_notification_failures_total": ("channel", "reason"),
    "sidecar_notification_latency_seconds": ("channel",),
    "sidecar_outbox_depth": ("channel",),
    "sidecar_outbox_oldest_age_seconds": ("channel",),
    "sidecar_outbox_unserved": ("channel",),
    "sidecar_clock_steps_total": ("direction",),
    "sidecar_samples_refused_total": ("source", "reason"),
    "sidecar_percentiles_folded_total": ("metric",),
    "sidecar_percentiles_clamped_total": ("metric",),
    "sidecar_events_total": ("result",),
    "sidecar_telemetry_sent_total": ("signal",),
    "sidecar_telemetry_dropped_total": ("signal", "reason"),
    "sidecar_telemetry_failures_total": ("signal", "reason"),
}
_WHOLE: Final[Mapping[str, tuple[str, ...]]] = {
    "sidecar_probes_missed_total": CHECK,
    "claude_circuit_breaker_state": ("name", "source", "sender"),
    "claude_count_tokens_input_tokens": (*CHECK, "model"),
    "claude_model_active": (*CHECK, "model"),
    "claude_model_retires_timestamp_seconds": (*CHECK, "model"),
    "claude_ratelimit_limit": (*CHECK, "family"),
    "claude_ratelimit_remaining": (*CHECK, "family"),
    "claude_ratelimit_reset_timestamp_seconds": (*CHECK, "family"),
}


def of(name: str) -> tuple[str, ...]:
    """The labels of the metric *name*."""
    if name in _WHOLE:
        return _WHOLE[name]
    if name.startswith(_OF_CHECKS):
        return (*CHECK, *_MORE.get(name, ()))
    if name.startswith("claude_"):
        return (*REQUEST, *_MORE.get(name, ()))
    return _MORE.get(name, ())

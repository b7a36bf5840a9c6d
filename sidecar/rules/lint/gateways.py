"""Series that gateways write, as the check `scrape` reads them: so that lint knows a counter and a misspelt name."""

from collections.abc import Iterator, Mapping
from typing import Final

from sidecar.model.samples import Kind

# LiteLLM 1.106: names as its /metrics has them. What counts ends in _total, whatever its own documentation calls it.
_LITELLM_COUNTERS: Final = (
    "proxy_total_requests_metric",
    "proxy_failed_requests_metric",
    "deployment_total_requests",
    "deployment_success_responses",
    "deployment_failure_responses",
    "deployment_cooled_down",
    "deployment_successful_fallbacks",
    "deployment_failed_fallbacks",
    "spend_metric",
    "total_tokens_metric",
    "input_tokens_metric",
    "output_tokens_metric",
    "input_cached_tokens_metric",
    "input_cache_creation_tokens_metric",
    "output_reasoning_tokens_metric",
    "callback_logging_failures_metric",
    "guardrail_errors",
    "guardrail_requests",
    "zero_cost_requests",
    "cache_hits_metric",
    "cache_misses_metric",
)
_LITELLM_HISTOGRAMS: Final = (
    "request_total_latency_metric",
    "llm_api_latency_metric",
    "llm_api_time_to_first_token_metric",
    "request_queue_time_seconds",
    "overhead_latency_metric",
    "overhead_with_guardrails_latency_metric",
    "guardrail_latency_seconds",
    "deployment_latency_per_output_token",
)
_LITELLM_GAUGES: Final = (
    "in_flight_requests",
    "deployment_state",
    "deployment_tpm_limit",
    "deployment_rpm_limit",
    "remaining_requests_metric",
    "remaining_tokens_metric",
    "remaining_team_budget_metric",
    "team_max_budget_metric",
    "remaining_org_budget_metric",
    "org_max_budget_metric",
    "remaining_api_key_budget_metric",
    "api_key_max_budget_metric",
    "remaining_user_budget_metric",
    "user_max_budget_metric",
    "remaining_customer_budget_metric",
    "customer_max_budget_metric",
    "provider_remaining_budget_metric",
    "api_key_rate_limit_allowed_metric",
    "api_key_rate_limit_used_metric",
    "team_rate_limit_allowed_metric",
    "team_rate_limit_used_metric",
    "spend_capture_rate",
)
# Envoy AI Gateway: OpenTelemetry's names for generative AI, as Prometheus writes them.
_GEN_AI_HISTOGRAMS: Final = (
    "server_request_duration_seconds",
    "server_time_to_first_token_seconds",
    "server_time_per_output_token_seconds",
    "client_token_usage",
)


def series() -> Mapping[str, Kind]:
    """Every series of the gateways that are known, and what it is."""
    return dict(_series())


def _series() -> Iterator[tuple[str, Kind]]:
    yield from ((f"litellm_{name}_total", Kind.COUNTER) for name in _LITELLM_COUNTERS)
    yield from ((f"litellm_{name}", Kind.GAUGE) for name in _LITELLM_GAUGES)
    histograms = (
        *(f"litellm_{name}" for name in _LITELLM_HISTOGRAMS),
        *(f"gen_ai_{name}" for name in _GEN_AI_HISTOGRAMS),
    )
    yield from ((f"{name}{part}", Kind.COUNTER) for name in histograms for part in ("_bucket", "_sum", "_count"))

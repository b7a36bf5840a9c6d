"""What gateways say of themselves, where a check of type scrape reads it: LiteLLM and Envoy AI Gateway.

Their names are theirs, as the packs `litellm` and `envoy_ai_gateway` use them.
"""

from typing import Final

from grafana_foundation_sdk.models import dashboard, units

from dashboards.source.boards import Row
from dashboards.source.limits import above, below
from dashboards.source.panels import Query, graph
from dashboards.source.queries import events, of, rate, share

# What is whose: as the rules have it. A provider that refuses LiteLLM's own key is no mistake of a client.
_CLIENTS: Final = '~"4(0[0-79]|[1-9][0-9])"'
_KEY: Final = '~".+[.](Authentication|PermissionDenied)Error"'
_KNOWN: Final = 'model_id!=""'
_FAILED: Final = 'error_type!=""'


def rows() -> list[Row]:
    """Closed until somebody opens them."""
    return [Row("LiteLLM", [*_litellm_requests(), *_litellm_deployments()], closed=True), _envoy()]


def _p95(metric: str, by: str) -> str:
    return f"histogram_quantile(0.95, sum by (le, {by}) (rate({of(f'{metric}_bucket')}[5m])))"


def _litellm_requests() -> list[dashboard.Panel]:
    asked = f"sum by (requested_model) ({rate('litellm_proxy_total_requests_metric_total', window='5m')})"
    errors = "litellm_proxy_failed_requests_metric_total"
    failed = (
        f"{rate(errors, f'exception_status!{_CLIENTS}', window='5m')}"
        f" or {rate(errors, f'exception_class={_KEY}', window='5m')}"
    )
    refused = rate(errors, f"exception_status={_CLIENTS}", f"exception_class!{_KEY}", window="5m")
    return [
        graph(
            "Failures",
            "Share of the requests that ended without an answer, retries and fallbacks included.",
            Query(share(f"sum by (requested_model) ({failed})", asked), "{{requested_model}}"),
            unit=units.PercentUnit,
            limits=[above("LiteLLMErrorRateHigh", "ratio")],
            width=8,
        ),
        graph(
            "Refusals",
            "Share of the requests that were refused: limits, budgets, keys, mistakes of clients.",
            Query(share(f"sum by (requested_model) ({refused})", asked), "{{requested_model}}"),
            unit=units.PercentUnit,
            limits=[above("LiteLLMRequestsRefused", "ratio")],
            width=8,
        ),
        graph(
            "Errors by class",
            "With a provider's name in front: the provider said so; without: LiteLLM itself.",
            Query(
                f"sum by (exception_class) ({events('litellm_proxy_failed_requests_metric_total')})",
                "{{exception_class}}",
            ),
            bars=True,
            alerts=["LiteLLMErrorRateHigh", "LiteLLMRequestsRefused"],
            width=8,
        ),
        graph(
            "Requests, p95",
            "From their arrival to the end of the answer, and the provider's part of it. What is between them is "
            "LiteLLM's.",
            Query(_p95("litellm_request_total_latency_metric", "model_group"), "{{model_group}}"),
            Query(_p95("litellm_llm_api_latency_metric", "model_group"), "{{model_group}}: provider"),
            unit=units.Seconds,
            limits=[above("LiteLLMRequestsSlow", "p95")],
            width=8,
        ),
        graph(
            "First token, p95",
            "What LiteLLM waited for the provider's streams.",
            Query(_p95("litellm_llm_api_time_to_first_token_metric", "model_group"), "{{model_group}}"),
            unit=units.Seconds,
            limits=[above("LiteLLMFirstTokenSlow", "p95")],
            width=8,
        ),
        graph(
            "Queueing, p95",
            "Before anything is done with a request. High: more workers, or its database and Redis are slow.",
            Query(_p95("litellm_request_queue_time_seconds", "check"), "{{check}}"),
            unit=units.Seconds,
            limits=[above("LiteLLMQueueing", "p95")],
            width=8,
        ),
    ]


def _litellm_deployments() -> list[dashboard.Panel]:
    asked = f"sum by (check) ({rate('litellm_proxy_total_requests_metric_total', window='10m')})"
    instead = rate("litellm_deployment_successful_fallbacks_total", window="10m")
    return [
        graph(
            "Failures by deployment",
            "How many of each deployment's answers were errors. One that has nothing else: take it out until it is "
            "mended.",
            Query(
                f"sum by (model_group, model_id) ({events('litellm_deployment_failure_responses_total', _KNOWN)})",
                "{{model_group}} {{model_id}}",
            ),
            bars=True,
            alerts=["LiteLLMDeploymentFailing"],
            width=8,
        ),
        graph(
            "Answers by deployment",
            "What each deployment answered well. One that falls to nothing is cooling down, or has no share.",
            Query(
                f"sum by (model_group, model_id) ({rate('litellm_deployment_success_responses_total', _KNOWN)})",
                "{{model_group}} {{model_id}}",
            ),
            unit=units.RequestsPerSecond,
            stacked=True,
            width=8,
        ),
        graph(
            "Deployments taken out",
            "How often LiteLLM let each of them cool down after errors.",
            Query(
                f"sum by (litellm_model_name, api_base) ({events('litellm_deployment_cooled_down_total')})",
                "{{litellm_model_name}} {{api_base}}",
            ),
            bars=True,
            alerts=["LiteLLMDeploymentCoolingDown"],
            width=8,
        ),
        graph(
            "Answered by a fallback",
            "Share of the requests that another model answered. Users see no error, and another model's answers.",
            Query(share(f"sum by (check) ({instead})", asked), "{{check}}"),
            unit=units.PercentUnit,
            limits=[above("LiteLLMFallbacksHigh", "ratio")],
            width=8,
        ),
        graph(
            "Left of the provider's limits",
            "Share of the most of the last hour: LiteLLM knows what is left, and not of how much.",
            Query(_left("litellm_remaining_requests_metric"), "{{model_group}}: requests"),
            Query(_left("litellm_remaining_tokens_metric"), "{{model_group}}: tokens"),
            unit=units.PercentUnit,
            share=True,
            limits=[below("LiteLLMRateLimitLow", "ratio")],
            width=8,
        ),
        graph(
            "Left of the budgets",
            "Share of each team's, organisation's and key's budget. None left: their requests are refused.",
            *(
                Query(
                    f"min by ({label}) ({of(f'litellm_remaining_{whose}_budget_metric')}"
                    f" / ({of(f'litellm_{whose}_max_budget_metric')} > 0))",
                    f"{{{{{label}}}}}",
                )
                for whose, label in (("team", "team_alias"), ("org", "org_alias"), ("api_key", "api_key_alias"))
            ),
            unit=units.PercentUnit,
            share=True,
            limits=[below("LiteLLMBudgetLow", "ratio")],
            width=8,
        ),
    ]


def _left(metric: str) -> str:
    return f"min by (model_group) ({of(metric)} / (max_over_time({of(metric)}[1h]) > 0))"


def _envoy() -> Row:
    count = "gen_ai_server_request_duration_seconds_count"
    asked = f"sum by (gen_ai_original_model) ({rate(count, window='5m')})"
    failed = f"sum by (gen_ai_original_model) ({rate(count, _FAILED, window='5m')})"
    model = "{{gen_ai_original_model}}"
    return Row(
        "Envoy AI Gateway",
        [
            graph(
                "Failures",
                "Share of the requests that the provider did not answer well, refusals included.",
                Query(share(failed, asked), model),
                unit=units.PercentUnit,
                limits=[above("EnvoyAIErrorRateHigh", "ratio")],
                width=8,
            ),
            graph(
                "Requests, p95",
                "From the request to the end of the answer.",
                Query(_p95("gen_ai_server_request_duration_seconds", "gen_ai_original_model"), model),
                unit=units.Seconds,
                limits=[above("EnvoyAIRequestsSlow", "p95")],
                width=8,
            ),
            graph(
                "First token, p95",
                "From the request to the first token of a stream.",
                Query(_p95("gen_ai_server_time_to_first_token_seconds", "gen_ai_original_model"), model),
                unit=units.Seconds,
                limits=[above("EnvoyAIFirstTokenSlow", "p95")],
                width=8,
            ),
        ],
        closed=True,
    )

"""Gateways that others make, as they describe themselves when some of their requests fail."""

from collections.abc import Callable, Iterable

from aiohttp import web

_DEPLOYMENT = (
    'model_group="claude",model_id="a0bc",litellm_model_name="claude-opus-5",api_base="https://api.anthropic.com"'
)


def serve(lines: Callable[[int], Iterable[str]]) -> web.Application:
    """At /metrics: *lines* of the n-th scrape."""
    scrapes = 0

    async def metrics(_: web.Request) -> web.Response:
        nonlocal scrapes
        scrapes += 1
        return web.Response(text="\n".join(lines(scrapes)) + "\n")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


def litellm(n: int) -> Iterable[str]:
    """LiteLLM 1.106, of whose requests a fifth fails and a fifth is refused."""
    failed = 'litellm_proxy_failed_requests_metric_total{requested_model="claude",exception_'
    yield f'{failed}class="Anthropic.InternalServerError",exception_status="500"}} {n * 10}'
    yield f'{failed}class="Anthropic.RateLimitError",exception_status="429"}} {n * 10}'
    yield f'litellm_proxy_total_requests_metric_total{{requested_model="claude",status_code="200"}} {n * 50}'
    for metric in (
        "litellm_request_total_latency_metric", "litellm_llm_api_latency_metric",
        "litellm_llm_api_time_to_first_token_metric", "litellm_request_queue_time_seconds",
    ):  # fmt: skip
        yield from _histogram(metric, 'model_group="claude"', n)
    yield f'litellm_deployment_failure_responses_total{{{_DEPLOYMENT},exception_status="500"}} {n * 20}'
    yield f"litellm_deployment_success_responses_total{{{_DEPLOYMENT}}} {n * 30}"
    yield f"litellm_deployment_total_requests_total{{{_DEPLOYMENT}}} {n * 50}"
    yield f'litellm_deployment_cooled_down_total{{{_DEPLOYMENT},exception_status="500"}} {n}'
    yield f'litellm_deployment_successful_fallbacks_total{{requested_model="claude",fallback_model="other"}} {n * 5}'
    yield f'litellm_remaining_requests_metric{{model_group="claude"}} {1000 - n}'
    yield f'litellm_remaining_tokens_metric{{model_group="claude"}} {100_000 - n * 100}'
    for whose, label in (("team", "team_alias"), ("org", "org_alias"), ("api_key", "api_key_alias")):
        yield f'litellm_remaining_{whose}_budget_metric{{{label}="ours"}} {100 - n}'
        yield f'litellm_{whose}_max_budget_metric{{{label}="ours"}} 100'


def envoy(n: int) -> Iterable[str]:
    """Envoy AI Gateway's external processor, of whose requests a third fails."""
    on = 'gen_ai_original_model="claude-opus-5",gen_ai_provider_name="anthropic"'
    yield from _histogram("gen_ai_server_request_duration_seconds", on, n)
    yield from _histogram("gen_ai_server_request_duration_seconds", f'{on},error_type="_OTHER"', n // 2)
    yield from _histogram("gen_ai_server_time_to_first_token_seconds", on, n)


def _histogram(metric: str, labels: str, n: int) -> Iterable[str]:
    for le, share in (("1", 2), ("10", 6), ("+Inf", 10)):
        yield f'{metric}_bucket{{{labels},le="{le}"}} {n * share}'
    yield f"{metric}_count{{{labels}}} {n * 10}"
    yield f"{metric}_sum{{{labels}}} {n * 40}"

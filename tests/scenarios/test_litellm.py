"""A LiteLLM proxy whose /metrics is scraped, and judged by the shipped pack."""

import asyncio

from aiohttp import web

from tests.scenarios.world import World

# As LiteLLM 1.106 writes it.
TEXT = """
# HELP litellm_proxy_failed_requests_metric_total Total number of failed responses from proxy
# TYPE litellm_proxy_failed_requests_metric_total counter
litellm_proxy_failed_requests_metric_total{{api_provider="anthropic",client_ip="10.0.0.1",exception_class="Anthropic.InternalServerError",exception_status="500",hashed_api_key="h",model_id="None",requested_model="claude",route="/v1/messages"}} {failed}.0
# HELP litellm_proxy_total_requests_metric_total Total number of requests made to the proxy server
# TYPE litellm_proxy_total_requests_metric_total counter
litellm_proxy_total_requests_metric_total{{api_provider="anthropic",client_ip="10.0.0.1",hashed_api_key="h",model_id="a0bc",requested_model="claude",route="/v1/messages",status_code="200"}} {fine}.0
litellm_proxy_total_requests_metric_total{{api_provider="anthropic",client_ip="10.0.0.1",hashed_api_key="h",model_id="None",requested_model="claude",route="/v1/messages",status_code="500"}} {failed}.0
# HELP litellm_deployment_state The state of the deployment: 0 = healthy, 1 = partial outage, 2 = complete outage
# TYPE litellm_deployment_state gauge
litellm_deployment_state{{api_base="https://api.anthropic.com",api_provider="anthropic",litellm_model_name="claude",model_id="a0bc"}} 2.0
"""  # noqa: E501 -- the lines of a peer


async def test_users_fail_at_the_gateway(world: World):
    """A share of failures pages once and is resolved; a gateway that is gone is its check's news alone."""
    fine = failed = 0
    failing = False

    async def metrics(_: web.Request) -> web.Response:
        nonlocal fine, failed
        fine, failed = fine + 20, failed + 20 * failing
        return web.Response(text=TEXT.format(fine=fine, failed=failed))

    gateway = web.Application()
    gateway.router.add_get("/metrics", metrics)
    world.wire.serve("litellm", gateway)
    checks = [{"type": "scrape", "name": "litellm", "url": "http://litellm/metrics"}]
    settings = world.settings("groups: []", checks=checks)
    await world.start(settings | {"rules": [{"pack": "litellm"}, {"pack": "availability"}]})
    await asyncio.sleep(300.5)
    assert world.heard == []

    failing = True
    await asyncio.sleep(300)
    failing = False
    await asyncio.sleep(600)
    told = [(heard.kind, heard.alerts) for heard in world.heard]
    assert told == [("opening", ["LiteLLMErrorRateHigh"]), ("resolve", ["LiteLLMErrorRateHigh"])]

    world.wire.refuse("litellm")
    await asyncio.sleep(600)
    assert [(heard.kind, heard.alerts) for heard in world.heard[2:]] == [("opening", ["CheckDown"])]

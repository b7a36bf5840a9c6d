"""The prometheus check, against Prometheus itself."""

import asyncio
from typing import Any

import pytest

from sidecar.checks.prometheus import PrometheusCheck
from sidecar.clock import SystemClock
from sidecar.model.families import PROBE_VALUE
from sidecar.outbound import Outbound
from sidecar.services.addresses import Address
from sidecar.services.probing import Recording, probe_once
from tests.checks.script import Probed
from tests.integration.test_scrape import prometheus
from tests.programs import program

SEVERAL = 'label_replace(vector(1), "job", "b", "", "") or label_replace(vector(5), "job", "a", "", "")'


async def probed(url: str, query: str, **settings: Any) -> Probed:
    check = PrometheusCheck.model_validate({"name": "p", "url": url, "query": query, **settings})
    outbound = Outbound()
    ctx = Recording(SystemClock(), outbound)
    return Probed(await probe_once(check, ctx), ctx)


@pytest.mark.realtime
async def test_a_real_prometheus_answers(tmp_path):
    """Vectors, scalars, errors, no series, and NaN are what Prometheus says they are."""
    program("prometheus")

    async with prometheus(tmp_path, Address("127.0.0.1", 9)) as url:
        while (none := await probed(url, "nothing_of_this_name")).error_type == "server_error":
            await asyncio.sleep(0.05)  # 503 while it starts
        many = await probed(url, SEVERAL, by=["job"], expect={"max": 4})
        total = await probed(url, SEVERAL, reduce="sum")
        scalar = await probed(url, "scalar(vector(3))", expect={"max": 2})
        unread = await probed(url, "sum(")
        matrix = await probed(url, "up[5m]")
        nan = await probed(url, "vector(0) / 0")

    assert ({"name": "value", "exported_job": "b"}, 1.0) in many.values(PROBE_VALUE)
    assert many.message == '1 of 2 series are not well: {job="a"} is 5, expected at most 4'
    assert scalar.message == "the value is 3, expected at most 2"
    assert ({"name": "value"}, 6.0) in total.values(PROBE_VALUE)
    assert (unread.error_type, "bad_data: " in unread.message) == ("bad_request", True), unread.message
    assert (matrix.error_type, "yields a matrix" in matrix.message) == ("bad_request", True), matrix.message
    assert none.message.startswith("the query yields no series")
    assert nan.message == "the value is NaN, expected a number"

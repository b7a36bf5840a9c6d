"""The API of a real daemon, asked by other people's programs."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate

from tests.integration.harness import Daemon, Target, serve, until
from tests.lazily import lazily
from tests.programs import program

if TYPE_CHECKING:
    import schemathesis
else:
    schemathesis = lazily("schemathesis")

RULES = """
groups:
  - name: down
    rules:
      - {alert: TargetDown, expr: probe_success == 0, labels: {severity: critical}}
      - {record: good, expr: sum(probe_success)}
"""


def config(folder: Path, target: str) -> dict[str, Any]:
    """One check that is up, one that is down, and rules about them."""
    (folder / "rules.yml").write_text(RULES)
    return {
        "http": {"listen": "127.0.0.1:0"},
        "tick": "1s",
        "checks": [
            {"type": "http", "name": "good", "url": target},
            {"type": "http", "name": "bad", "url": f"{target}/broken", "confirm": "200ms"},
        ],
        "rules": [{"file": "rules.yml"}],
    }


async def fires(daemon: Daemon) -> None:
    """Wait until the alert is there."""

    async def found() -> bool:
        status, text = await daemon.get("/api/v1/alerts")
        return status == 200 and bool(json.loads(text)["data"]["alerts"])

    await until(found, "the alert")


@pytest.mark.realtime
async def test_the_api_is_as_it_is_described(tmp_path):
    """The description is OpenAPI 3.1, and whatever it allows to be asked is answered as it says."""
    target = Target({"broken": 503})
    async with serve(target.app()) as url, Daemon(tmp_path, config(tmp_path, url)) as daemon:
        await asyncio.gather(daemon.ready(), fires(daemon))
        description = json.loads((await daemon.get("/api/v1/openapi.json"))[1])

        validate(description)
        await asyncio.to_thread(drive, description, daemon.url)

        status, _ = await daemon.get("/health/live")
        assert status == 200


def drive(description: dict[str, Any], url: str) -> None:
    """Ask everything that *description* allows, a few times each."""
    schemathesis.checks.load_all_checks()
    judge = lazily("schemathesis.specs.openapi.checks")
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=url)
    checks = [
        schemathesis.checks.not_a_server_error,
        judge.status_code_conformance,
        judge.content_type_conformance,
        judge.response_headers_conformance,
        judge.response_schema_conformance,
    ]
    asked = 0
    for result in schema.exclude(path="/live").get_all_operations():  # a stream has no end
        assert isinstance(result, schemathesis.core.result.Ok)
        operation = result.ok()

        @settings(
            max_examples=2,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=checks)

        ask()
    assert asked > 60


@pytest.mark.realtime
async def test_promtool_asks_the_sidecar(tmp_path):
    """Promtool takes the sidecar for a Prometheus: queries, ranges, series, labels."""
    promtool = program("promtool")
    target = Target({"broken": 503})

    async def ask(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            promtool, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        return out.decode()

    async with serve(target.app()) as url, Daemon(tmp_path, config(tmp_path, url)) as daemon:
        await asyncio.gather(daemon.ready(), fires(daemon))

        instant, ranged, labels, series = await asyncio.gather(
            ask("query", "instant", daemon.url, 'probe_success{check="bad"}'),
            ask("query", "range", "--step=1s", daemon.url, 'probe_success{check="good"}'),
            ask("query", "labels", daemon.url, "check"),
            ask("query", "series", "--match=probe_success", daemon.url),
        )

    assert instant.startswith('probe_success{check="bad"')
    assert " => 0 @[" in instant
    assert "1 @[" in ranged
    assert labels.split() == ["bad", "good"]
    assert series.count("probe_success") == 2

import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from sidecar.api import health as api
from sidecar.api.health import CheckView, Status
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.families import HEALTH_STATUS
from sidecar.model.samples import Batch, Update

NOW = 1_700_000_000.25
FAILED = ProbeResult(1_699_999_990.0, 0.5, "overloaded", "HTTP 529: Overloaded")
WORKED = ProbeResult(1_699_999_995.0, 0.5)


def check(name: str, status: str, *, critical: bool = False) -> CheckView:
    return CheckView(name, "http", f"https://{name}", critical, CheckState(CheckStatus(status), since=1_699_999_000.0))


@pytest.mark.parametrize(
    ("checks", "status", "failures"),
    [
        pytest.param([("a", "up", True), ("b", "up", False)], "healthy", [], id="all up"),
        pytest.param(
            [("b", "down", True), ("c", "down", False), ("a", "down", True)], "critical", ["a", "b"], id="down"
        ),
        pytest.param([("a", "down", True), ("b", "unknown", True)], "critical", ["a"], id="down wins over unknown"),
        pytest.param([("a", "unknown", True), ("b", "down", False)], "unknown", [], id="unknown wins over degraded"),
        pytest.param([("a", "up", True), ("b", "down", False)], "degraded", [], id="another check is down"),
        pytest.param([("a", "up", True), ("b", "unknown", False)], "healthy", [], id="another check is unknown"),
        pytest.param([("a", "unknown", False), ("b", "unknown", False)], "unknown", [], id="nothing is known"),
        pytest.param([], "unknown", [], id="nothing is watched"),
    ],
)
def test_overall_health(checks, status, failures):
    """The first that holds: critical, unknown, degraded, healthy."""
    found = api.health([check(name, state, critical=critical) for name, state, critical in checks], NOW)

    assert found.status == status
    assert list(found.critical_failures) == failures


def test_nobody_waits_for_a_check_outside_of_its_hours():
    """A critical check that rests leaves the judgement to the others."""
    resting = CheckView("night", "http", "x", True, CheckState(CheckStatus.UNKNOWN, reason="off_hours"))

    found = api.health([resting, check("day", "up")], NOW)

    assert (found.status, [view.name for view in found.checks]) == ("healthy", ["day", "night"])


@pytest.mark.parametrize(
    ("status", "value"), [("healthy", 1.0), ("degraded", 0.5), ("critical", 0.0), ("unknown", None)]
)
def test_health_is_a_metric(status, value):
    """Health is a number, and absent while unknown: the batch is whole, so the series ends."""
    found = api.Health(Status(status), (), (), NOW)
    updates = () if value is None else (Update(HEALTH_STATUS, value),)

    assert api.batch(found) == Batch("health", NOW, updates)


class Loaded:
    """A configuration whose files have a mistake since it was loaded."""

    loaded_at, problem, last_good, needs_restart = 1_699_999_000.0, "sidecar.yml:1: is empty", False, ("http",)
    hash = "0123456789abcdef"


def test_the_document():
    """Each check is there by name with its state, since when, and the failure that speaks against it."""
    checks = [
        CheckView("b", "http", "https://b", False, CheckState(CheckStatus.UP, 1_699_999_000.0, last=WORKED)),
        CheckView("a", "tcp", "a:1", True, CheckState(CheckStatus.DOWN, 1_699_999_990.0, last=FAILED)),
    ]

    assert json.loads(json.dumps(api.document(api.health(checks, NOW), Loaded()))) == {
        "status": "critical",
        "critical_failures": ["a"],
        "checks": [
            {
                "name": "a",
                "type": "tcp",
                "target": "a:1",
                "critical": True,
                "state": "down",
                "since": "2023-11-14T22:13:10.000Z",
                "last_probe": "2023-11-14T22:13:10.000Z",
                "message": "HTTP 529: Overloaded",
                "error_type": "overloaded",
            },
            {
                "name": "b",
                "type": "http",
                "target": "https://b",
                "critical": False,
                "state": "up",
                "since": "2023-11-14T21:56:40.000Z",
                "last_probe": "2023-11-14T22:13:15.000Z",
                "message": "",
                "error_type": "",
            },
        ],
        "configuration": {
            "ok": False,
            "loaded": "2023-11-14T21:56:40.000Z",
            "last_good": False,
            "problem": "sidecar.yml:1: is empty",
            "needs_restart": ["http"],
            "hash": "0123456789abcdef",
        },
        "timestamp": "2023-11-14T22:13:20.250Z",
    }


@pytest.mark.parametrize(
    ("state", "evidence"),
    [
        pytest.param(CheckState(), None, id="never probed"),
        pytest.param(CheckState(CheckStatus.UP, last=FAILED, last_failure=FAILED), FAILED, id="up, and failing"),
        pytest.param(CheckState(CheckStatus.UP, last=WORKED, last_failure=FAILED), None, id="recovered"),
        pytest.param(CheckState(CheckStatus.DOWN, last=WORKED, last_failure=FAILED), FAILED, id="down, recovering"),
    ],
)
def test_the_evidence_is_against_the_check_now(state, evidence):
    """A recovered check shows no old failure; one that is down shows its latest."""
    assert CheckView("a", "http", "x", True, state).evidence == evidence


@pytest.mark.parametrize(("status", "code"), [("healthy", 200), ("degraded", 200), ("unknown", 503), ("critical", 503)])
async def test_the_code_says_whether_to_trust_it(status, code):
    """Only what is known to work answers 200."""
    routes = api.routes(lambda: api.Health(Status(status), (), (), NOW), list, list, Loaded)

    assert await answer(routes, "/health") == code


@pytest.mark.parametrize("path", ["/health/ready", "/health/live"])
@pytest.mark.parametrize(("problems", "code"), [([], 200), (["prober has not finished a turn"], 503)])
async def test_the_watcher_s_own_health(path, problems, code):
    """Readiness and liveness are 503 as long as there is something to say."""
    routes = api.routes(lambda: api.health([], NOW), lambda: problems, lambda: problems, Loaded)

    assert await answer(routes, path) == code


async def answer(routes: list[web.RouteDef], path: str) -> int:
    """The code of GET *path*."""
    handler = next(route.handler for route in routes if route.path == path)
    response = await handler(make_mocked_request("GET", path))
    return response.status

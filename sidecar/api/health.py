"""Health: of what is watched, and of the watcher."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from aiohttp import web

from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.families import HEALTH_STATUS
from sidecar.model.samples import Batch, Update


class Configuration(Protocol):
    """What runs, and how the last attempt to take up another configuration went."""

    @property
    def loaded_at(self) -> float: ...
    @property
    def problem(self) -> str: ...
    @property
    def last_good(self) -> bool: ...
    @property
    def needs_restart(self) -> Sequence[str]: ...


class Status(StrEnum):
    """Overall health."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    CRITICAL = "critical"


_VALUES: Final = {Status.HEALTHY: 1.0, Status.DEGRADED: 0.5, Status.CRITICAL: 0.0}
_GOOD: Final = frozenset({Status.HEALTHY, Status.DEGRADED})


@dataclass(frozen=True, slots=True)
class CheckView:
    """One check as health sees it."""

    name: str
    type: str
    target: str
    critical: bool
    state: CheckState

    @property
    def status(self) -> CheckStatus:
        return self.state.status

    @property
    def evidence(self) -> ProbeResult | None:
        """The failure that speaks against the check now: the last probe's, or of a check that is down the latest."""
        if self.state.last is not None and not self.state.last.ok:
            return self.state.last
        return self.state.last_failure if self.status is CheckStatus.DOWN else None


@dataclass(frozen=True, slots=True)
class Health:
    """Overall health at one time."""

    status: Status
    critical_failures: tuple[str, ...]
    checks: tuple[CheckView, ...]
    at: float


def health(checks: Sequence[CheckView], now: float) -> Health:
    """Critical while a critical check is down; unknown while one is, or all are; degraded while another is down."""
    critical = {check.status for check in checks if check.critical}
    failures = tuple(sorted(check.name for check in checks if check.critical and check.status is CheckStatus.DOWN))
    if failures:
        status = Status.CRITICAL
    elif CheckStatus.UNKNOWN in critical or all(check.status is CheckStatus.UNKNOWN for check in checks):
        status = Status.UNKNOWN
    elif any(check.status is CheckStatus.DOWN for check in checks):
        status = Status.DEGRADED
    else:
        status = Status.HEALTHY
    return Health(status, failures, tuple(sorted(checks, key=lambda check: check.name)), now)


def batch(found: Health) -> Batch:
    """The metric of *found*; while health is unknown the series is absent."""
    value = _VALUES.get(found.status)
    updates = () if value is None else (Update(HEALTH_STATUS, value),)
    return Batch("health", found.at, updates)


def document(found: Health, configuration: Configuration) -> dict[str, Any]:
    """What `/health` answers."""
    return {
        "status": found.status,
        "critical_failures": list(found.critical_failures),
        "checks": [_check(check) for check in found.checks],
        "configuration": {
            "ok": not configuration.problem,
            "loaded": _iso(configuration.loaded_at),
            "last_good": configuration.last_good,
            "problem": configuration.problem,
            "needs_restart": list(configuration.needs_restart),
        },
        "timestamp": _iso(found.at),
    }


def _check(check: CheckView) -> dict[str, Any]:
    last, evidence = check.state.last, check.evidence
    return {
        "name": check.name,
        "type": check.type,
        "target": check.target,
        "critical": check.critical,
        "state": check.status,
        "since": _iso(check.state.since),
        "last_probe": _iso(last.at) if last else None,
        "message": evidence.message if evidence else "",
        "error_type": evidence.error_type if evidence else "",
    }


def routes(
    current: Callable[[], Health],
    ready: Callable[[], Sequence[str]],
    alive: Callable[[], Sequence[str]],
    configuration: Callable[[], Configuration],
) -> list[web.RouteDef]:
    """`/health` of what is watched; *ready* and *alive* say what is missing, in words, and nothing when all is well."""

    async def overall(_: web.Request) -> web.Response:
        found = current()
        return web.json_response(document(found, configuration()), status=200 if found.status in _GOOD else 503)

    async def readiness(_: web.Request) -> web.Response:
        return _verdict("ready", "not ready", ready())

    async def liveness(_: web.Request) -> web.Response:
        return _verdict("alive", "stuck", alive())

    return [
        web.get("/health", overall),
        web.get("/health/ready", readiness),
        web.get("/health/live", liveness),
    ]


def _verdict(good: str, bad: str, problems: Sequence[str]) -> web.Response:
    answer: Mapping[str, Any] = {"status": bad if problems else good, "problems": list(problems)}
    return web.json_response(answer, status=503 if problems else 200)


def _iso(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

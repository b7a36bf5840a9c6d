"""Health: of what is watched, and of the watcher."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import Field

from sidecar.api.endpoint import Operation, Part, described
from sidecar.api.moments import Stamp, iso
from sidecar.model.checks import OFF_HOURS, CheckState, CheckStatus, ProbeResult
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
    @property
    def hash(self) -> str: ...


class Status(StrEnum):
    """Overall health."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    CRITICAL = "critical"


Word = Literal["ready", "not ready", "alive", "stuck"]

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
    """Critical while a critical check is down; unknown while one is, or all are; degraded while another is down.

    A check outside of its hours says nothing, and nobody waits for it.
    """
    shown, checks = checks, [check for check in checks if check.state.reason != OFF_HOURS]
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
    return Health(status, failures, tuple(sorted(shown, key=lambda check: check.name)), now)


def batch(found: Health) -> Batch:
    """The metric of *found*; while health is unknown the series is absent."""
    value = _VALUES.get(found.status)
    updates = () if value is None else (Update(HEALTH_STATUS, value),)
    return Batch("health", found.at, updates)


class CheckHealth(Part):
    """One check in `/health`."""

    name: str = Field(description="The check's name.")
    type: str = Field(description="Its type.")
    target: str = Field(description="What is probed, without secrets.")
    critical: bool = Field(description="Whether health is critical when it is down.")
    state: CheckStatus = Field(description="up, down or unknown.")
    since: Stamp | None = Field(description="Since when it is so.")
    last_probe: Stamp | None = Field(description="When it was probed last.")
    message: str = Field(description="Of the failure that speaks against it.")
    error_type: str = Field(description="Why it is down, in a word.")


class ConfigurationHealth(Part):
    """What runs, and whether it is what the files say."""

    ok: bool = Field(description="Whether what the files say is what runs.")
    loaded: Stamp = Field(description="When the running configuration was loaded.")
    last_good: bool = Field(description="Whether the last good configuration runs, because the files are broken.")
    problem: str = Field(description="What is wrong with the files.")
    needs_restart: list[str] = Field(description="Settings that are other in the files, and wait for a restart.")
    hash: str = Field(description="Of the files that run; the same on pods with the same configuration.")


class HealthDocument(Part):
    """What `/health` answers."""

    status: Status = Field(description="healthy, degraded, critical or unknown.")
    critical_failures: list[str] = Field(description="Critical checks that are down.")
    checks: list[CheckHealth] = Field(description="Every check.")
    configuration: ConfigurationHealth = Field(description="Whether the files are in use.")
    timestamp: Stamp = Field(description="When this was so.")


class Turning(Part):
    """Whether the daemon does its work."""

    status: Word = Field(description="The answer in a word.")
    problems: list[str] = Field(description="What is missing, in words.")


def document(found: Health, configuration: Configuration) -> dict[str, Any]:
    """What `/health` answers."""
    answer = HealthDocument(
        status=found.status,
        critical_failures=list(found.critical_failures),
        checks=[_check(check) for check in found.checks],
        configuration=ConfigurationHealth(
            ok=not configuration.problem,
            loaded=iso(configuration.loaded_at) or "",
            last_good=configuration.last_good,
            problem=configuration.problem,
            needs_restart=list(configuration.needs_restart),
            hash=configuration.hash,
        ),
        timestamp=iso(found.at) or "",
    )
    return answer.model_dump(mode="json")


def _check(check: CheckView) -> CheckHealth:
    last, evidence = check.state.last, check.evidence
    return CheckHealth(
        name=check.name,
        type=check.type,
        target=check.target,
        critical=check.critical,
        state=check.status,
        since=iso(check.state.since),
        last_probe=iso(last.at) if last else None,
        message=evidence.message if evidence else "",
        error_type=evidence.error_type if evidence else "",
    )


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

    def told(path: str, handler: Handler, summary: str, answers: type[Part]) -> web.RouteDef:
        same = Operation(summary, answers, enveloped=False, also={503: "The same, when it is bad news."})
        return described(web.get(path, handler), same)

    return [
        told("/health", overall, "The health of what is watched.", HealthDocument),
        told("/health/ready", readiness, "Whether the daemon does its work.", Turning),
        told("/health/live", liveness, "Whether every service still turns.", Turning),
    ]


def _verdict(good: Word, bad: Word, problems: Sequence[str]) -> web.Response:
    answer = Turning(status=bad if problems else good, problems=list(problems))
    return web.json_response(answer.model_dump(mode="json"), status=503 if problems else 200)

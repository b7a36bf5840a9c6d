"""What a check is. Each module of this package is a type; adding one is one file and one test."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from ipaddress import ip_address
from typing import Literal, Protocol
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from sidecar.clock import Clock
from sidecar.model.durations import Duration
from sidecar.model.errors import SidecarError
from sidecar.model.heartbeats import Heard
from sidecar.model.samples import Family
from sidecar.outbound import Outbound


class CheckFailed(SidecarError):  # noqa: N818 -- a failed probe is a result, not an error of ours
    """A probe that did not succeed.

    `error_type` is one of the closed words of `sidecar.claude.errors.ErrorType` and may become a label; `message`
    says what was found and what was expected, for a person; it never holds a secret.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message


class CheckUnknown(SidecarError):  # noqa: N818 -- as CheckFailed
    """A probe that came to no verdict, and so speaks neither for nor against: the check becomes unknown.

    `reason` is one word of a closed list, such as offline or waiting; `message` says what would have to happen.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ProbeContext(Protocol):
    """The other end of a probe: clock, wire, what was heard, and where measurements go."""

    @property
    def clock(self) -> Clock: ...
    @property
    def outbound(self) -> Outbound: ...
    @property
    def heard(self) -> Heard:
        """What called in under the check's name: for checks that wait instead of asking."""
        ...

    def record(self, family: Family, value: float, /, **labels: str) -> None:
        """Measure: set a gauge, add to a counter or observe in a histogram. The check's own labels are added."""

    def phase(self, name: str, seconds: float) -> None:
        """How long one phase took: resolve, connect, tls, first_byte, first_token or transfer."""

    def note(self, **facts: str | float) -> None:
        """Evidence for the person who reads about this probe: status, request id, model. Never a label."""

    def saw(self, headers: Mapping[str, str], body: bytes) -> None:
        """What the peer answered. A failed probe keeps it as evidence: headers and the first 2 KiB, redacted."""

    def timed(self, name: str) -> AbstractContextManager[None]:
        """Measure the phase *name* around a block."""
        ...


class Check(BaseModel, ABC):
    """What is probed, how often, and how many failures in a row make it down.

    A probe succeeds by returning and fails by raising CheckFailed. A crash of any other kind is a failed probe, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    name: str = Field(description="Unique name; the label `check` of every series.", pattern=r"^[A-Za-z0-9][\w.\- ]*$")
    every: Duration = Field(15.0, description="Time from one probe to the next.", ge=0.1)
    timeout: Duration = Field(10.0, description="A probe that takes longer has failed.", gt=0)
    confirm: Duration = Field(2.0, description="Time to the next probe while a row of failures is undecided.", gt=0)
    failure_threshold: int = Field(2, description="Failures in a row that make the check down.", ge=1)
    success_threshold: int = Field(1, description="Successes in a row that make the check up.", ge=1)
    critical: bool = Field(False, description="Whether health is critical when this check is down.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of the check's series.")
    scope: Literal["fleet", "pod"] | None = Field(
        None,
        description="Whether all pods see the same (fleet), or this one sees its own (pod: the series carry `pod`). "
        "Without it: pod for what listens on loopback, fleet for the rest.",
    )

    @property
    def per_pod(self) -> bool:
        """Whether the series say which pod measured them."""
        return self.scope == "pod" or (self.scope is None and _is_loopback(self.target))

    @property
    @abstractmethod
    def target(self) -> str:
        """What is probed: scheme, host, port and path; never user info or query."""

    @abstractmethod
    async def probe(self, ctx: ProbeContext) -> None:
        """One probe. The prober bounds it by `timeout`."""


def _is_loopback(target: str) -> bool:
    """Whether *target*, a URL or host:port, is this machine to itself."""
    host = urlsplit(target if "://" in target else f"//{target}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

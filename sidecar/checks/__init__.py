"""What a check is. Each module of this package is a type; adding one is one file and one test."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from ipaddress import ip_address
from typing import ClassVar, Literal, Protocol, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sidecar.clock import Clock
from sidecar.model.durations import Duration
from sidecar.model.errors import SidecarError
from sidecar.model.heartbeats import Heard
from sidecar.model.samples import Family
from sidecar.model.schedules import Cron, Hours, Zone
from sidecar.network import Network
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

    A probe succeeds by returning, fails by raising CheckFailed and comes to no verdict by raising CheckUnknown. A crash
    of any other kind is a failed probe, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    crosses_network: ClassVar[bool] = True
    """Whether probes of the type leave the machine, unless their target is the machine itself."""
    costs_money: ClassVar[bool] = False
    """Whether each probe of the type is paid for: nobody gets one at will."""

    type: str
    name: str = Field(
        description="Unique name; the label `check` of every series.",
        pattern=r"^[A-Za-z0-9][\w.\- ]*$",
        examples=["gateway"],
    )
    every: Duration = Field(15.0, description="Time from one probe to the next.", ge=0.1)
    cron: Cron | None = Field(
        None,
        description="When it is probed, instead of `every`: five fields, or six with seconds in front, or a name such "
        "as @hourly. One more probe comes at the start.",
        examples=["*/5 * * * *", "0 3 * * mon-fri"],
    )
    hours: Hours = Field(
        (),
        description="Hours in which it is probed, such as {days: [mon-fri], from: '08:00', to: '18:00'}; outside of "
        "them it is unknown.",
        examples=[[{"days": ["mon-fri"], "from": "08:00", "to": "18:00"}]],
    )
    timezone: Zone | None = Field(
        None, description="Zone of `cron` and `hours`; without it, that of the file.", examples=["Europe/Berlin"]
    )
    timeout: Duration = Field(10.0, description="A probe that takes longer has failed.", gt=0)
    confirm: Duration = Field(2.0, description="Time to the next probe while a row of failures is undecided.", gt=0)
    failure_threshold: int = Field(2, description="Failures in a row that make the check down.", ge=1)
    success_threshold: int = Field(1, description="Successes in a row that make the check up.", ge=1)
    negative: bool = Field(
        False, description="Whether the probe has to fail: a refusal is the success, and an answer is the failure."
    )
    depends_on: tuple[str, ...] = Field(
        (), description="Names of checks without which this one cannot be up.", examples=[["database"]]
    )
    critical: bool = Field(False, description="Whether health is critical when this check is down.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels of the check's series.", examples=[{"team": "platform"}]
    )
    network: Network | None = Field(
        None,
        description="How the probe connects, where that is not as the top level's `network` has it.",
        examples=[{"proxy": "none"}],
    )
    scope: Literal["fleet", "pod"] | None = Field(
        None,
        description="Whether all pods see the same (fleet), or this one sees its own (pod: the series carry `pod`). "
        "Without it: pod for what listens on loopback, fleet for the rest.",
        examples=["pod"],
    )

    @model_validator(mode="after")
    def _has_one_schedule(self) -> Self:
        if self.cron is not None and "every" in self.model_fields_set:
            raise ValueError("has both `every` and `cron`; expected one of them")
        return self

    @property
    def per_pod(self) -> bool:
        """Whether the series say which pod measured them."""
        return self.scope == "pod" or (self.scope is None and self.is_local)

    @property
    def is_local(self) -> bool:
        """Whether what is probed is on this machine, so that no network stands between."""
        return not self.crosses_network or _is_loopback(self.target)

    @property
    @abstractmethod
    def target(self) -> str:
        """What is probed: scheme, host, port and path; never user info or query."""

    @abstractmethod
    async def probe(self, ctx: ProbeContext) -> None:
        """One probe. The prober bounds it by `timeout`."""


def _is_loopback(target: str) -> bool:
    """Whether *target*, a URL or host:port, is this machine to itself."""
    if target.startswith(("unix:", "/")):
        return True
    host = urlsplit(target if "://" in target else f"//{target}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

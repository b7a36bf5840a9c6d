"""What a channel is. Each module of this package is a type; adding one is one file and one test."""

from abc import ABC, abstractmethod
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from sidecar.clock import Clock
from sidecar.model.durations import Duration
from sidecar.model.errors import SidecarError
from sidecar.model.notifications import Notification
from sidecar.outbound import Outbound


class DeliveryError(SidecarError):
    """A message that the channel did not take.

    `retryable`: whether another try can help. `maybe`: whether the message may have arrived all the same (the
    connection broke after the request was sent). `retry_after`: seconds that the other end asked for.
    """

    def __init__(self, message: str, *, retryable: bool, maybe: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.maybe = maybe
        self.retry_after = retry_after


class SendContext(Protocol):
    """The other end of a delivery."""

    @property
    def clock(self) -> Clock: ...
    @property
    def outbound(self) -> Outbound: ...
    @property
    def external_url(self) -> str:
        """Where people reach this daemon, without a slash at the end; empty when nobody said."""
        ...

    @property
    def external_labels(self) -> dict[str, str]:
        """Labels that are added to whatever leaves: cluster, region."""
        ...

    @property
    def timezone(self) -> str:
        """The zone, beside UTC, in which times are shown; an IANA name."""
        ...


class Channel(BaseModel, ABC):
    """Where people are told. Delivers by returning, fails by raising DeliveryError."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    name: str = Field(description="Unique name, used in `channels:` of rules.", pattern=r"^[A-Za-z0-9][\w.\-]*$")
    send_resolved: bool = Field(True, description="Whether the end of an alert is told.")
    severities: tuple[str, ...] = Field((), description="Severities this channel takes; all when empty.")
    timeout: Duration = Field(10.0, description="An attempt that takes longer has failed.", gt=0)

    @abstractmethod
    async def send(self, notification: Notification, ctx: SendContext) -> None:
        """Deliver *notification*; the same id may come twice. Delivery bounds it by `timeout`."""

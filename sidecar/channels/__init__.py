"""What a channel is. Each module of this package is a type; adding one is one file and one test."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sidecar.backoff import retry_after
from sidecar.clock import Clock
from sidecar.model.durations import Duration
from sidecar.model.errors import SidecarError
from sidecar.model.notifications import Notification
from sidecar.network import Network
from sidecar.outbound import Outbound, OutboundError
from sidecar.secrets import MASK, RETRIED, Secret, SecretError, attempted, redact, refused
from sidecar.templating import safe
from sidecar.templating.messages import Context, Message, bare, compose
from sidecar.templating.plain import plain

_LARGEST_ANSWER: Final = 16 * 1024
_QUOTED: Final = 200
_PATIENCE: Final = 2.0  # seconds for the body of an answer
_SHORTEST: Final = 6  # a shorter path or header gives nothing away and would blot out words
_REFUSALS: Final = (401, 403, 404, 407, 410)  # an address that is a secret may be what is not known any more
_OPEN_HEADERS: Final = ("content-type", "idempotency-key")


class DeliveryError(SidecarError):
    """A message that the channel did not take.

    `retryable`: whether another try can help. `maybe`: whether the message may have arrived all the same (the
    connection broke after the request was sent). `retry_after`: seconds that the other end asked for. `partly`: some
    of the channel's recipients surely have it, and only the others are tried again; what follows need not wait.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        maybe: bool = False,
        retry_after: float | None = None,
        partly: bool = False,
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.maybe = maybe
        self.retry_after = retry_after
        self.partly = partly


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


@dataclass(frozen=True, slots=True)
class Draft:
    """What a channel would send, without a secret: `text` for people, `sent` as values of JSON."""

    text: str
    sent: Any


class Channel(BaseModel, ABC):
    """Where people are told. Delivers by returning, fails by raising DeliveryError."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: str
    name: str = Field(
        description="Unique name, used in `channels:` of rules.", pattern=r"^[A-Za-z0-9][\w.\-]*$", examples=["oncall"]
    )
    send_resolved: bool = Field(True, description="Whether the end of an alert is told.")
    severities: tuple[str, ...] = Field(
        (), description="Severities this channel takes; all when empty.", examples=[["critical"]]
    )
    max_per_minute: int = Field(
        20, description="Messages in a minute; what is beyond is told in few, with counts. 0 for no limit.", ge=0
    )
    timeout: Duration = Field(10.0, description="An attempt that takes longer has failed.", gt=0)
    network: Network | None = Field(
        None,
        description="How messages leave, where that is not as the top level's `network` has it.",
        examples=[{"proxy": "http://proxy.example:3128"}],
    )

    @abstractmethod
    async def send(self, notification: Notification, ctx: SendContext) -> str | None:
        """Deliver *notification*; the same id may come twice. Delivery bounds it by `timeout`.

        What it returns is a line for the history: what the other end said, who was refused.
        """

    def draft(self, notification: Notification, ctx: SendContext) -> Draft:
        """What `send` would say of *notification*, for whoever wants to see it before; nothing is sent."""
        text = plain(words(notification, ctx))
        return Draft(text, text)


async def deliver(channel: Channel, notification: Notification, ctx: SendContext) -> str | None:
    """Send *notification* by *channel*, over the network that the channel is set to.

    What was refused with a secret that has changed meanwhile is sent once more, with the present one.
    """
    through = ctx if channel.network is None else _Through(ctx, channel.network)
    retried = ""

    def between() -> None:
        nonlocal retried
        retried = f"retried: {RETRIED}"

    try:
        said = await attempted(lambda: channel.send(notification, through), between)
    except DeliveryError as exc:
        if retried:
            exc.args = (f"{exc} ({retried})",)
        raise
    return "; ".join(filter(None, (said, retried))) or said


class _Through:
    """*ctx*, but whatever leaves goes as *network* says."""

    def __init__(self, ctx: SendContext, network: Network) -> None:
        self.clock = ctx.clock
        self.outbound = ctx.outbound.with_network(network)
        self.external_url = ctx.external_url
        self.external_labels = ctx.external_labels
        self.timezone = ctx.timezone


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(c.isspace() for c in url)


def _is_url(secret: Secret) -> Secret:
    if secret.at_hand and not _is_web(secret.reveal()):
        raise ValueError("this is no URL, expected one that begins with https:// or http://")
    return secret


SecretUrl = Annotated[Secret, AfterValidator(_is_url)]
"""An address that is itself a secret, as an incoming webhook's is."""


def reveal(secret: Secret) -> str:
    """The value of *secret*; DeliveryError when it cannot be had now, since its file may come back."""
    try:
        return secret.reveal()
    except SecretError as exc:
        raise DeliveryError(str(exc), retryable=True) from exc


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP peer said that took a message."""

    status: int
    text: str  # bounded

    def __str__(self) -> str:
        said = safe.line(redact(self.text), _QUOTED)
        return f"HTTP {self.status}" + (f": {said}" if said else "")


def words(notification: Notification, ctx: SendContext) -> Message:
    """*notification* as it reads now, with what this daemon knows of itself."""
    context = Context(ctx.clock.time(), ctx.external_url, ctx.external_labels, ctx.timezone)
    try:
        return compose(notification, context)
    except Exception as exc:  # noqa: BLE001 -- an alert is never lost to its formatting; the message carries the error
        return bare(notification, f"{type(exc).__name__}: {exc}")


async def post(ctx: SendContext, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST *body* to *url*, which may hold a secret; a status of 200 to 299 is a delivery, all else a DeliveryError.

    An answer means that the message has not arrived; without one, it may have.
    """
    if not _is_web(url):
        raise DeliveryError("the channel's URL is none, expected one that begins with https://", retryable=True)
    try:
        async with ctx.outbound.request("POST", url, headers=headers, body=body) as response:
            status, answered = response.status, response.headers
            text = await _text(response) if status != 204 else ""
    except OutboundError as exc:
        raise DeliveryError(_hide(str(exc), url, headers), retryable=True, maybe=exc.sent) from exc
    if 200 <= status < 300:
        return Answer(status, _hide(text, url, headers))
    if status in _REFUSALS:
        refused()
    retryable = status in (408, 425, 429) or status >= 500
    said = safe.line(_hide(text, url, headers), _QUOTED)
    raise DeliveryError(
        f"{urlsplit(url).hostname} answered HTTP {status}{_meaning(status)}" + (f": {said}" if said else ""),
        retryable=retryable,
        retry_after=retry_after(answered.get("Retry-After", ""), ctx.clock.time()) if retryable else None,
    )


async def _text(response: ClientResponse) -> str:
    """The beginning of the body. The status was the answer, so a body that breaks off or dawdles changes nothing."""
    parts = b""
    with suppress(ClientError, OSError):  # TimeoutError is an OSError
        async with asyncio.timeout(_PATIENCE):
            async for part in response.content.iter_chunked(_LARGEST_ANSWER):
                parts += part
                if len(parts) >= _LARGEST_ANSWER:
                    break
    return parts[:_LARGEST_ANSWER].decode("utf-8", "replace")


def _hide(text: str, url: str, headers: Mapping[str, str]) -> str:
    """*text* without what may be secret in this request: the URL's path, the values of headers."""
    parts = urlsplit(url)
    # The host stays: it is what a person needs to know of a channel that fails.
    text = text.replace(url, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/***")
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    values = [value for name, value in headers.items() if name.lower() not in _OPEN_HEADERS]
    for secret in (path, parts.path, parts.query, *values):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, f"/{MASK}" if secret.startswith("/") else MASK)
    return redact(text, cut=True)


def _meaning(status: int) -> str:
    """What to do about the answers that people meet most."""
    match status:
        case 401 | 403:
            return ", the credentials are not accepted; check the channel's secret"
        case 404 | 410:
            return ", nobody listens there any more; check the channel's URL"
        case 413:
            return ", the message is too large for it"
        case _ if 300 <= status < 400:
            return ", it has moved; expected 2xx, put the new address into the channel's URL"
        case _:
            return ""

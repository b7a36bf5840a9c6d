"""`sidecar notify test`: a real message, marked as a test."""

import asyncio
import os
import socket
import traceback
from dataclasses import dataclass
from pathlib import Path

import click

from sidecar import config
from sidecar.channels import Channel, DeliveryError, deliver
from sidecar.clock import Clock, SystemClock
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.durations import show
from sidecar.model.labels import Labels
from sidecar.model.notifications import Notification, NotifyKind, Told, notification_id
from sidecar.outbound import Outbound
from sidecar.secrets import redact
from sidecar.templating import safe


@click.command(epilog="Example: sidecar notify test team sidecar.yml --resolve")
@click.argument("channel")
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.option("--resolve", is_flag=True, help="Send its end as well, so that nothing stays open at the other end.")
def test(channel: str, file: Path, *, resolve: bool) -> None:
    """Send a real message through CHANNEL of FILE, marked as a test; exit 1 if it was not delivered.

    It goes the way that alerts go, except for the queue: what the other end says is printed as it was said.
    """
    read = config.read(file)
    by_name = {each.name: each for each in read.channels}
    if channel not in by_name:
        raise click.UsageError(f"no channel {channel!r}; known: {', '.join(sorted(by_name)) or 'none'}")
    settings = read.settings
    clock = SystemClock()
    ctx = Ctx.of(settings, clock)
    kinds = (NotifyKind.OPENING, NotifyKind.RESOLVE) if resolve else (NotifyKind.OPENING,)
    if not asyncio.run(_send(by_name[channel], kinds, ctx)):
        raise click.exceptions.Exit(1)


@dataclass(frozen=True, slots=True)
class Ctx:
    """The other end of a delivery that no daemon makes."""

    clock: Clock
    outbound: Outbound
    external_url: str
    external_labels: dict[str, str]
    timezone: str

    @classmethod
    def of(cls, settings: config.Settings, clock: Clock) -> "Ctx":
        url = settings.external_url.rstrip("/")
        return cls(clock, Outbound(), url, settings.external_labels, settings.timezone)


async def _send(channel: Channel, kinds: tuple[NotifyKind, ...], ctx: Ctx) -> bool:
    """Send a message of each of *kinds*, as far as they are delivered; print what happened and what to do."""
    opened_at = ctx.clock.time()
    try:
        for kind in kinds:
            name = f"{channel.name} ({channel.type}): {'the end of the test' if kind is NotifyKind.RESOLVE else 'test'}"
            if problem := await _attempt(channel, message(channel, kind, opened_at, ctx.clock.time()), ctx, name):
                click.echo(f"  next step: {problem}", err=True)
                return False
    finally:
        await ctx.outbound.close()
    return True


async def _attempt(channel: Channel, notification: Notification, ctx: Ctx, name: str) -> str:
    """One attempt, told as it ends; the next step when it failed, else nothing."""
    began = ctx.clock.monotonic()
    try:
        async with asyncio.timeout(channel.timeout):
            said = await deliver(channel, notification, ctx)
    except DeliveryError as exc:
        _failed(f"{name} not delivered: {redact(str(exc))}")
        return _next_step(exc)
    except TimeoutError:
        _failed(f"{name} not delivered: no answer within {show(channel.timeout)}")
        return "see whether the other end can be reached from here; if it is merely slow, raise the channel's `timeout`"
    except Exception as exc:  # noqa: BLE001 -- the boundary of a plug-in, which may be anybody's
        _failed(f"{name} not delivered: the channel crashed")
        click.echo(redact("".join(traceback.format_exception(exc))), err=True, nl=False)
        return f"this is a mistake in the channel type {channel.type!r}; report it with the lines above"
    took = ctx.clock.monotonic() - began
    detail = f": {safe.line(redact(said), 500)}" if said else ""
    click.echo(f"{click.style('delivered', fg='green')} {name}, {took:.1f} s, id {notification.id}{detail}")
    return ""


def message(channel: Channel, kind: NotifyKind, opened_at: float, now: float) -> Notification:
    """A message that says of itself that it is a test."""
    ended = kind is NotifyKind.RESOLVE
    who = f"{os.environ.get('USER') or 'somebody'} on {socket.gethostname()}"
    alert = Alert(
        rule=RuleKey("test", "SidecarTest"),
        labels=Labels(
            alertname="SidecarTest",
            severity=channel.severities[0] if channel.severities else "info",
            channel=channel.name,
        ),
        state=AlertState.ENDED if ended else AlertState.FIRING,
        active_at=opened_at,
        fired_at=opened_at,
        ended_at=now if ended else None,
        end_reason=EndReason.RECOVERED if ended else None,
        value=1.0,
        annotations=Labels(
            summary="This is a test; nothing is wrong",
            description=f"`sidecar notify test {channel.name}` was run by {who}.",
            next_step="Nothing is to be done: whoever reads this would have been told of an alert.",
        ),
    )
    told = (Told(alert, opened_at, n=int(ended), reason="test"),)
    return Notification(notification_id(channel.name, kind, told), channel.name, kind, alert.fingerprint, told, now)


def _failed(text: str) -> None:
    click.echo(f"{click.style('FAILED', fg='red', bold=True)} {text}", err=True)


def _next_step(exc: DeliveryError) -> str:
    if exc.partly:
        return "the recipients that were put off have to wait; the daemon would try them again"
    arrived = "look whether it arrived all the same; " if exc.maybe else ""
    if exc.retry_after is not None:
        return f"{arrived}wait {show(exc.retry_after)}, as the other end asks; the daemon would"
    if exc.retryable:
        return f"{arrived}see whether the other end is up and can be reached from here; the daemon would try again"
    return f"{arrived}mend the channel's settings; the daemon would not try this message again"

"""`sidecar notify test`: a real message, marked as a test."""

import asyncio
import json
import os
import socket
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from sidecar import config
from sidecar.channels import Channel, DeliveryError, deliver
from sidecar.cli import completing, files, progress, screen
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes
from sidecar.clock import Clock, SystemClock
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.durations import show
from sidecar.model.labels import Labels
from sidecar.model.notifications import Notification, NotifyKind, Told, notification_id
from sidecar.outbound import Outbound
from sidecar.secrets import redact
from sidecar.templating import safe


@click.command(
    short_help="Send a real message, marked as a test.",
    epilog=notes(
        "sidecar notify test team",
        "sidecar notify test team sidecar.yml --resolve",
        json="{channel, type, messages: [{kind, delivered, seconds, id, said, error, next_step}]}.",
    ),
)
@click.argument("channel", shell_complete=completing.channels)
@click.argument("file", type=click.Path(path_type=Path), default="sidecar.yml", envvar="SIDECAR_CONFIG")
@click.option("--resolve", is_flag=True, help="Send its end as well, so that nothing stays open at the other end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def test(channel: str, file: Path, *, resolve: bool, as_json: bool) -> None:
    """Send a real message through CHANNEL of FILE, marked as a test; exit 1 if it was not delivered.

    It goes the way that alerts go, except for the queue: what the other end says is printed as it was said.
    """
    read = files.read(file)
    by_name = {each.name: each for each in read.channels}
    if channel not in by_name:
        raise WrongError(f"no channel {channel!r} in {file}; {screen.meant(channel, by_name)}")
    settings = read.settings
    clock = SystemClock()
    ctx = Ctx.of(settings, clock)
    kinds = (NotifyKind.OPENING, NotifyKind.RESOLVE) if resolve else (NotifyKind.OPENING,)
    attempts = asyncio.run(_send(by_name[channel], kinds, ctx, as_json=as_json))
    if as_json:
        messages = [asdict(attempt) for attempt in attempts]
        click.echo(json.dumps({"channel": channel, "type": by_name[channel].type, "messages": messages}, indent=2))
    if not all(attempt.delivered for attempt in attempts):
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one message."""

    kind: str
    id: str
    delivered: bool
    seconds: float
    said: str = ""  # by the other end
    error: str = ""
    next_step: str = ""
    trace: str = ""  # of a channel that crashed


async def _send(channel: Channel, kinds: tuple[NotifyKind, ...], ctx: Ctx, *, as_json: bool) -> list[Attempt]:
    """Send a message of each of *kinds*, as far as they are delivered; say what happened and what to do."""
    opened_at = ctx.clock.time()
    attempts: list[Attempt] = []
    try:
        for kind in kinds:
            what = "the end of the test" if kind is NotifyKind.RESOLVE else "test"
            with progress.waiting(f"sending the {what.removeprefix('the ')} to {channel.name}"):
                attempts.append(await _attempt(channel, message(channel, kind, opened_at, ctx.clock.time()), ctx))
            if not as_json:
                _say(f"{channel.name} ({channel.type}): {what}", attempts[-1])
            if not attempts[-1].delivered:
                break
    finally:
        await ctx.outbound.close()
    return attempts


async def _attempt(channel: Channel, notification: Notification, ctx: Ctx) -> Attempt:
    """One attempt, and what it came to."""
    began = ctx.clock.monotonic()

    def ended(*, delivered: bool = False, **more: str) -> Attempt:
        took = round(ctx.clock.monotonic() - began, 3)
        return Attempt(notification.kind.value, notification.id, delivered, took, **more)

    try:
        async with asyncio.timeout(channel.timeout):
            said = await deliver(channel, notification, ctx)
    except DeliveryError as exc:
        return ended(error=redact(str(exc)), next_step=_next_step(exc))
    except TimeoutError:
        step = "see whether the other end can be reached from here; if it is merely slow, raise the channel's `timeout`"
        return ended(error=f"no answer within {show(channel.timeout)}", next_step=step)
    except Exception as exc:  # noqa: BLE001 -- the boundary of a plug-in, which may be anybody's
        trace = redact("".join(traceback.format_exception(exc)))
        step = f"this is a mistake in the channel type {channel.type!r}; report it with the lines above"
        return ended(error="the channel crashed", next_step=step, trace=trace)
    return ended(delivered=True, said=safe.line(redact(said), 500) if said else "")


def _say(name: str, attempt: Attempt) -> None:
    if attempt.delivered:
        detail = f": {attempt.said}" if attempt.said else ""
        done = click.style("delivered", fg="green")
        click.echo(f"{done} {name}, {attempt.seconds:.1f} s, id {attempt.id}{detail}")
        return
    click.echo(f"{click.style('FAILED', fg='red', bold=True)} {name} not delivered: {attempt.error}", err=True)
    click.echo(f"{attempt.trace}  next step: {attempt.next_step}", err=True)


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


def _next_step(exc: DeliveryError) -> str:
    if exc.partly:
        return "the recipients that were put off have to wait; the daemon would try them again"
    arrived = "look whether it arrived all the same; " if exc.maybe else ""
    if exc.retry_after is not None:
        return f"{arrived}wait {show(exc.retry_after)}, as the other end asks; the daemon would"
    if exc.retryable:
        return f"{arrived}see whether the other end is up and can be reached from here; the daemon would try again"
    return f"{arrived}mend the channel's settings; the daemon would not try this message again"

"""`sidecar simulator`: a Claude API that misbehaves on request."""

import asyncio
import json
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime

import click

from sidecar.cli.groups import notes
from sidecar.model.errors import SidecarError
from sidecar.simulator import KEY, Exchange, Fault, FaultError, Simulator, application, serve
from sidecar.simulator.faults import MEANINGS


class _FaultType(click.ParamType[Fault]):
    name = "fault"

    def convert(self, value: str | Fault, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        try:
            return value if isinstance(value, Fault) else Fault.parse(value)
        except FaultError as exc:
            self.fail(str(exc), param, ctx)


def _address(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"got {value!r}, expected HOST:PORT such as 127.0.0.1:8399", ctx, param)
    return host.strip("[]"), int(port)


_KINDS = "\n".join(f"  {kind.value:<16}{meaning}" for kind, meaning in MEANINGS.items())


@click.command(
    short_help="A Claude API that misbehaves on request.",
    epilog="\b\nKinds of fault:\n"
    + _KINDS
    + "\n\n"
    + notes(
        "sidecar simulator --fault overloaded@10s-40s",
        "sidecar simulator --fault 'stall@0s-1m:claude-opus-*,after=5'",
        "sidecar simulator --fault throttled@1m-2m,probability=0.3 --seed 7",
        "curl -X PUT http://127.0.0.1:8399/simulator/faults \\",
        '  -d \'{"faults": ["spend_cap@0s-30s"]}\'',
        json="one object a line: first {url}, then for each request {at, method, path, model, status, request_id, "
        "faults}; the status is 0 where the connection was dropped.",
    ),
)
@click.option(
    "--listen",
    default="127.0.0.1:8399",
    show_default=True,
    callback=_address,
    help="HOST:PORT; port 0 takes a free one.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=_FaultType(),
    metavar="KIND[@START[-END]][:MODEL][,NAME=VALUE…]",
    help="What goes wrong, from when to when after the start, for which models (a glob). May be given several times.",
)
@click.option("--key", "keys", multiple=True, help=f"A key that is taken; {KEY} if none is named, any with --any-key.")
@click.option("--any-key", is_flag=True, help="Take every key.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same chance.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of words.")
def simulator(
    listen: tuple[str, int],
    faults: tuple[Fault, ...],
    keys: tuple[str, ...],
    *,
    any_key: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Answer as api.anthropic.com does, without a model behind it, and go wrong on time.

    Point a client at it with ANTHROPIC_BASE_URL. `PUT /simulator/faults` changes what goes wrong while it runs.
    """
    simulated = Simulator(faults=faults, keys=None if any_key else keys or (KEY,), seed=seed, control=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(simulated, *listen, as_json=as_json))


async def _serve(simulated: Simulator, host: str, port: int, *, as_json: bool) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        async with serve(application(simulated), host, port) as url:
            if as_json:
                click.echo(json.dumps({"url": url}))
            else:
                _greet(simulated, url)
            simulated.listeners.append(_say_json if as_json else _say)
            await stop.wait()
    except OSError as exc:
        raise SidecarError(f"cannot listen on {host}:{port}: {exc.strerror}; choose another with --listen") from exc


def _greet(simulated: Simulator, url: str) -> None:
    click.echo(f"Listening on {url}")
    click.echo(f"  export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY={KEY if simulated.accepts(KEY) else '…'}")
    for fault in simulated.faults:
        click.echo(f"  {fault}  ({MEANINGS[fault.kind]})")
    click.echo("Ctrl-C ends it.")


def _say_json(exchange: Exchange) -> None:
    """One object for each request; nothing of the key is in it."""
    shown = ("method", "path", "model", "status", "request_id", "faults")
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    click.echo(json.dumps({"at": at} | {name: getattr(exchange, name) for name in shown}))


def _say(exchange: Exchange) -> None:
    """One line for each request."""
    faults = f"  {', '.join(exchange.faults)}" if exchange.faults else ""
    model = f" {exchange.model}" if exchange.model else ""
    status = str(exchange.status) if exchange.status else "dropped"
    click.echo(f"{time.strftime('%H:%M:%S')} {exchange.method} {exchange.path}{model} {status}{faults}")

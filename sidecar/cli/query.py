"""`sidecar query`: ask a running daemon in PromQL."""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from sidecar.cli import screen, terminal
from sidecar.cli.client import Client, Refused, connected
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes
from sidecar.cli.times import Span, Time

BARS: Final = "▁▂▃▄▅▆▇█"
_STEPS: Final = 60  # of a range that names no step: what fits beside a name
_FEWEST: Final = 20
_NUMBERS: Final = 42  # columns of the last value and the bounds

Data = Mapping[str, Any]


@click.command(
    epilog=notes(
        "sidecar query probe_success",
        "sidecar query 'probe_success == 0' --at 10m",
        "sidecar query 'rate(probe_failures_total[5m])' --range 1h --step 1m",
        json='Prometheus\' own answer: {"status", "data": {"resultType", "result"}}.',
    )
)
@click.argument("expr")
@click.option("--at", type=Time(), help="When: 09:40, 2026-05-01T09:40, 10m ago; now without it.")
@click.option("--range", "range_", type=Span(), help="Look back so far, as a line for each series.")
@click.option("--step", type=Span(), help="With --range: from one point to the next.")
@connected
def query(
    client: Client, expr: str, at: float | None, range_: float | None, step: float | None, *, as_json: bool
) -> None:
    """Evaluate EXPR, in PromQL, over what the daemon remembers: about the last hour.

    --json gives Prometheus' own shape. Exit code 1 if the result is empty, 2 if EXPR is wrong.
    """
    if step is not None and range_ is None:
        raise click.UsageError("--step says how a range is walked through; expected --range beside it")
    try:
        answer = ask(client, expr, at, range_, step)
    except Refused as exc:
        raise WrongError(exc.message) from exc
    data = answer["data"]
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        for line in [*lines(data), *(screen.plain(note) for note in answer.get("warnings", []))]:
            click.echo(line)
        if not data["result"]:
            click.echo("no series: nothing has these names and labels, or the condition holds for none", err=True)
    if not data["result"]:
        raise click.exceptions.Exit(1)


def ask(client: Client, expr: str, at: float | None, range_: float | None, step: float | None) -> dict[str, Any]:
    """The whole answer."""
    if range_ is None:
        return client.answer("/api/v1/query", {"query": expr} | ({} if at is None else {"time": str(at)}))
    end = time.time() if at is None else at
    stride = step or max(1.0, math.ceil(range_ / _steps()))
    bounds = {"start": str(end - range_), "end": str(end), "step": str(stride)}
    return client.answer("/api/v1/query_range", {"query": expr} | bounds)


def lines(data: Data) -> Iterator[str]:
    """The result: a value and its labels for each element; a sparkline for each series."""
    result = data["result"]
    match data["resultType"]:
        case "vector":
            rows: list[Sequence[str]] = [(screen.brief(each["value"][1]), series(each["metric"])) for each in result]
            yield from screen.table(rows, indent=0, whole=True)
        case "matrix":
            yield from _walks(result)
        case _:
            yield screen.plain(result[1])


def series(metric: Mapping[str, str]) -> str:
    """A series as Prometheus writes it."""
    inner = ", ".join(
        f"{name}={json.dumps(text, ensure_ascii=False)}" for name, text in metric.items() if name != "__name__"
    )
    return screen.plain(f"{metric.get('__name__', '')}{{{inner}}}" if inner else metric.get("__name__", "{}"), 1000)


def sparkline(values: Sequence[float]) -> str:
    """*values* as a line of bars; a gap where there is no number."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)


def _walks(result: Sequence[Data]) -> Iterator[str]:
    """A line of bars for each series; where there is no room for its name beside it, that stands above."""
    names = [series(each["metric"]) for each in result]
    rows = screen.table([_walked(each) for each in result], indent=0)
    widest = max(map(terminal.measure, rows), default=0)
    if all(widest + 2 + terminal.measure(name) <= screen.width() for name in names):
        yield from (f"{terminal.pad(row, widest)}  {name}" for row, name in zip(rows, names, strict=True))
        return
    for row, name in zip(rows, names, strict=True):
        yield from screen.wrapped(name, indent=0, hanging=4)
        yield screen.cut(f"  {row}", screen.width())


def _steps() -> int:
    """How many bars fit beside the numbers."""
    return max(_FEWEST, min(_STEPS, screen.width() - _NUMBERS))


def _walked(each: Data) -> Sequence[str]:
    values = [float(value) for _, value in each["values"]]
    finite = [value for value in values if math.isfinite(value)]
    bounds = f"{min(finite):.4g} … {max(finite):.4g}" if finite else ""
    return (sparkline(values[-_steps() :]), f"last {values[-1]:.4g}", bounds)

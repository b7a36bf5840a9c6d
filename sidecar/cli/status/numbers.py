"""What is counted: how Claude did over the window, what it cost, what the channels delivered."""

from collections.abc import Iterator, Sequence
from typing import Final

from sidecar.cli import screen
from sidecar.cli.status.blocks import Block, Rank, Section
from sidecar.cli.status.looking import Known
from sidecar.cli.tables import Column, fitted

_SHOWN: Final = ("0.5", "0.95", "0.99")
_CENTS: Final = 0.0001  # dollars that are shown at least; a few probes cost less, and not nothing
_LOST: Final = ("failed", "lost", "unserved")


def claude(summary: Known) -> Section:
    """Percentiles of each model, what failed, and what it cost."""
    title, *rows = fitted(_columns(summary), _rows(summary), screen.width())
    blocks = [Block((row,), Rank.NUMBERS) for row in rows]
    blocks += [Block((line,), Rank.NUMBERS) for line in _counts(summary)]
    return Section(title, tuple(blocks))


def channels(summary: Known) -> Section:
    """What was delivered over the window, what was not, and what waits."""
    results: dict[str, dict[str, float]] = {}
    for count in summary.get("deliveries", ()):
        labels = count["labels"]
        results.setdefault(labels.get("channel", ""), {})[labels.get("result", "")] = count["count"]
    queues = {queue["channel"]: queue for queue in summary["outbox"]}
    named = sorted(results.keys() | queues.keys())
    rows = [_channel(name, results.get(name, {}), queues.get(name)) for name in named]
    columns = (
        Column("CHANNELS", most=40, least=20),
        Column(f"last {summary['window']}"),
        Column("waiting", most=100),
    )
    title, *lines = fitted(columns, rows, screen.width())
    blocks = [
        Block((line,), Rank.MORE if row[2][0] or row[1][1] else Rank.GOOD)
        for line, row in zip(lines, rows, strict=True)
    ]
    return Section(title, tuple(blocks), "channel")


def _title(summary: Known) -> str:
    return f"CLAUDE, last {summary['window']}"


def _columns(summary: Known) -> Sequence[Column]:
    return (
        Column(_title(summary), most=40, least=16),
        Column(),
        *(Column(name, right=True) for name in ("p50", "p95", "p99")),
        Column("samples", keep=50, right=True),
        Column("source", keep=30),
        Column("target", keep=20),
    )


def _rows(summary: Known) -> Iterator[Sequence[str]]:
    several = len({found["labels"].get("target") for found in summary["percentiles"]}) > 1
    for found in summary["percentiles"]:
        labels = found["labels"]
        target = labels.get("target", "")
        yield (
            screen.plain(labels.get("model", ""), 60),
            "first token" if "first_token" in found["metric"] else "answer",
            *(_seconds(found["quantiles"].get(name)) for name in _SHOWN),
            f"{found['samples']:.0f}",
            labels.get("source", ""),
            screen.plain(target.partition("://")[2] or target) if several else "",
        )


def _counts(summary: Known) -> Iterator[str]:
    for count in summary["requests"]:
        labels = count["labels"]
        if labels.get("outcome") != "ok":
            why = f"{labels.get('outcome', '')} {labels.get('error_type', '')}".strip()
            whose = ", ".join(filter(None, (screen.plain(labels.get("model", ""), 60), labels.get("source", ""))))
            yield screen.cut(f"  {screen.counted(round(count['count']), 'request')} {why} ({whose})", screen.width())
    cost = sum(count["count"] for count in summary["cost_dollars"])
    if cost:
        yield f"  cost: ${cost:.4f}" if cost >= _CENTS else f"  cost: under ${_CENTS}"


def _channel(name: str, results: Known, queue: Known | None) -> Sequence[screen.Cell]:
    lost = {result: results[result] for result in _LOST if results.get(result)}
    told = [f"{count:.0f} {result}" for result, count in ({"delivered": results.get("delivered", 0.0)} | lost).items()]
    waiting = ""
    if queue and queue["waiting"]:
        waiting = f"{queue['waiting']:.0f}, the oldest for {screen.lasting(queue['oldest_seconds'])}"
    return ((screen.plain(name, 60), ""), (", ".join(told), "red" if lost else ""), (waiting, "yellow"))


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}s" if value < 100 else f"{value:.0f}s"

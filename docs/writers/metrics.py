"""The page about the metrics of our own."""

from collections.abc import Iterator

from sidecar.model import families
from sidecar.model.samples import Family
from sidecar.store.percentiles import QUANTILE, RANKS, WINDOW_COUNT
from sidecar.store.sketch import WINDOWS
from writers import labels
from writers.markdown import MADE, code, heading, table


def page() -> Iterator[str]:
    """Every family: name, kind, labels, meaning, and the bounds of histograms."""
    yield "# Metrics"
    yield ""
    yield f"{MADE} They are at `/metrics`, in queries and in rules. `scrape` checks, commands and events bring others"
    yield "under the names of their source."
    yield ""
    yield "*check* stands for the labels of a check: `check`, `type`, `target`, `critical`, the check's own"
    yield '`labels`, and `pod` where `scope` is pod. *request* stands for `model` and `source`: with `source="probe"`'
    yield 'come the labels of the check, with `source="traffic"` come `target` and the event\'s own `labels`.'
    yield ""
    yield from table(
        ("name", "kind", "labels", "meaning"),
        ((code(one.name), one.kind.value, _labels(one.name), one.help) for one in catalogue()),
    )
    yield from heading("Percentiles")
    ranks, windows = ", ".join(f"{rank:g}" for rank in RANKS), ", ".join(WINDOWS)
    yield f"Of these histograms the daemon keeps percentiles by `model`, `target` and `source`, as `…{QUANTILE}`"
    yield f"with the labels `quantile` ({ranks}) and `window` ({windows}); `…{WINDOW_COUNT}` is how many they stand on:"
    yield ""
    yield ", ".join(code(one.name) for one in catalogue() if one.percentiles) + "."
    yield from heading("Bounds of histograms")
    yield from table(
        ("name", "upper bounds in seconds"),
        ((code(one.name), ", ".join(f"{bound:g}" for bound in one.buckets)) for one in catalogue() if one.buckets),
    )


def catalogue() -> list[Family]:
    """Every family of ours, by name."""
    found = [value for value in vars(families).values() if isinstance(value, Family)]
    return sorted({one.name: one for one in found}.values(), key=lambda family: family.name)


def _labels(name: str) -> str:
    """The labels of *name*, those that many have by one word."""
    found = labels.of(name)
    said: list[str] = []
    for many, word in ((labels.CHECK, "*check*"), (labels.REQUEST, "*request*")):
        if found[: len(many)] == many:
            said, found = [*said, word], found[len(many) :]
    return ", ".join([*said, *(each if " " in each else code(each) for each in found)])

"""One series: its recent samples and its value now."""

from array import array
from bisect import bisect_left

from sidecar.model.labels import Labels
from sidecar.model.samples import STALE, is_stale
from sidecar.store.limits import NEVER


class Series:
    """Two growing arrays, times in ms and values; the contract of `SeriesData`.

    About 16 bytes a sample and 0.6 KB of its own. Losing samples at the front moves the rest within one small block,
    which at these lengths is cheaper than a ring whose ends must be joined for every query.
    """

    __slots__ = ("labels", "last", "times", "value", "values")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")
        self.last = NEVER  # the last sample's time
        self.value = 0.0  # what the next tick writes

    def write(self, at: int, value: float) -> bool:
        """Add a sample; the same ms replaces the last one, an earlier one is refused."""
        if at > self.last:
            self.times.append(at)
            self.values.append(value)
            self.last = at
        elif at == self.last:
            self.values[-1] = value
        else:
            return False
        return True

    def end(self, at: int) -> None:
        """Write the staleness marker, at the last sample's time if that is later."""
        if self.times and not is_stale(self.values[-1]):
            self.write(max(at, self.last), STALE)

    def trim(self, before: int) -> None:
        """Lose the samples before *before*."""
        lost = bisect_left(self.times, before)
        if lost:
            del self.times[:lost]
            del self.values[:lost]

    def clear(self) -> None:
        """Lose every sample; any time may come next."""
        del self.times[:]
        del self.values[:]
        self.last = NEVER

"""What a query needs of the place where samples live."""

from collections.abc import Sequence
from typing import Protocol

from sidecar.model.matchers import Matcher
from sidecar.model.samples import SeriesData


class Querier(Protocol):
    """Series by matchers; the answers stay valid while `generation` stays the same."""

    @property
    def generation(self) -> int:
        """Grows whenever a series is born or forgotten; new samples leave it alone."""
        ...

    def select(self, matchers: Sequence[Matcher]) -> Sequence[SeriesData]:
        """Every series that satisfies all *matchers*, the metric name being the label `__name__`.

        Times are ms since the epoch, ascending; a value may be the staleness marker. The arrays are the store's own:
        they grow at the end and lose at the front between evaluations, never during one.
        """
        ...

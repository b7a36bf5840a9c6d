"""What sources may have as their own."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sidecar.model.samples import Family
from sidecar.store.limits import Reason
from sidecar.store.live import Child


@dataclass(frozen=True, slots=True)
class Claim:
    """How much a kind of source may have; nothing that is not *free* to it by its name."""

    free: Callable[[str], bool]
    series: int = 10_000
    series_per_metric: int = 2_000


class Claims:
    """The kinds of source that are bounded. A source's kind is its name up to the first colon."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._series: Counter[str] = Counter()
        self._per_metric: Counter[tuple[str, str]] = Counter()

    def bound(self, kind: str, claim: Claim) -> None:
        """From now on, sources of that *kind* may have no more than *claim* says."""
        self._claims[kind] = claim

    def name(self, source: str) -> str:
        """Under which name the refusals of *source* are counted: that of its kind, of which there may be many."""
        kind = source.partition(":")[0]
        return kind if kind in self._claims else source

    def refuse(self, source: str, family: Family, series: int) -> Reason | None:
        """Why *source* may not have so many more series of *family*; None when it may."""
        kind = source.partition(":")[0]
        claim = self._claims.get(kind)
        if claim is None:
            return None
        if not claim.free(family.name):
            return Reason.RESERVED
        if self._series[kind] + series > claim.series:
            return Reason.LIMIT
        if self._per_metric[kind, family.name] + series > claim.series_per_metric:
            return Reason.LIMIT
        return None

    def allows(self, child: Child) -> bool:
        """Whether what lives already may have its name."""
        claim = self._claims.get(child.source.name.partition(":")[0])
        return claim is None or claim.free(child.family.name)

    def count(self, child: Child, sign: int = 1) -> None:
        """*child* was born, or, with -1, has ended."""
        kind = child.source.name.partition(":")[0]
        if kind in self._claims:
            self._series[kind] += sign * len(child.series)
            self._per_metric[kind, child.family.name] += sign * len(child.series)
            if not self._per_metric[kind, child.family.name]:
                del self._per_metric[kind, child.family.name]

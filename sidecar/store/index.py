"""Series by their labels."""

from collections import OrderedDict
from collections.abc import Sequence

from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.store.series import Series

_REMEMBERED = 1024
"""Answers that are kept; rules ask the same questions every turn, people ask new ones."""


class _Answer:
    """The series of one name that satisfied some matchers, when *seen* of them had been asked."""

    __slots__ = ("seen", "series")

    def __init__(self) -> None:
        self.seen = 0
        self.series: list[Series] = []


class Index:
    """Every remembered series, live or ended.

    A matcher is asked about a series once, when the series is new, and again only after others of the same metric
    were forgotten: a regular expression costs microseconds, and rules ask every turn.
    """

    def __init__(self) -> None:
        self.generation = 0
        self._series: dict[Labels, Series] = {}
        self._names: dict[str, list[Series]] = {}  # oldest first
        self._answers: OrderedDict[tuple[str, tuple[Matcher, ...]], _Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._series)

    def get(self, labels: Labels) -> Series | None:
        return self._series.get(labels)

    def add(self, series: Series) -> None:
        """Remember *series*, which is new."""
        self._series[series.labels] = series
        self._names.setdefault(series.labels.name, []).append(series)
        self.generation += 1

    def forget(self, series: Sequence[Series]) -> None:
        """Lose these series."""
        if not series:
            return
        gone: dict[str, set[Series]] = {}
        for lost in series:
            del self._series[lost.labels]
            gone.setdefault(lost.labels.name, set()).add(lost)
        for name, losses in gone.items():
            left = [one for one in self._names[name] if one not in losses]
            if left:
                self._names[name] = left
            else:
                del self._names[name]
        for key in [key for key in self._answers if key[0] in gone]:
            del self._answers[key]
        self.generation += 1

    def select(self, matchers: Sequence[Matcher]) -> Sequence[Series]:
        """Every series that satisfies all *matchers*; the answer is the index's own."""
        on_name = [matcher for matcher in matchers if matcher.name == "__name__"]
        rest = tuple(matcher for matcher in matchers if matcher.name != "__name__")
        exact = next((matcher.value for matcher in on_name if matcher.op is MatchOp.EQ), None)
        candidates = self._names if exact is None else (exact,)
        found = [name for name in candidates if name in self._names and all(m.accepts(name) for m in on_name)]
        if len(found) == 1:
            return self._among(found[0], rest)
        return [series for name in found for series in self._among(name, rest)]

    def _among(self, name: str, matchers: tuple[Matcher, ...]) -> list[Series]:
        candidates = self._names[name]
        if not matchers:
            return candidates
        answer = self._answers.setdefault((name, matchers), _Answer())
        self._answers.move_to_end((name, matchers))
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        if answer.seen < len(candidates):
            new = candidates[answer.seen :]
            answer.seen = len(candidates)
            # A new list, never a longer one: whoever holds the old answer holds the old generation's.
            answer.series = answer.series + [one for one in new if all(m.matches(one.labels) for m in matchers)]
        return answer.series

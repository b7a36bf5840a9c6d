"""Which rule of the old files is which of the new."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from sidecar.model.alerts import RuleKey
from sidecar.rules.compiled import Alerting


def predecessors(old: Iterable[Alerting], new: Iterable[Alerting]) -> dict[RuleKey, Alerting]:
    """The rule of *old* that each of *new* was, by the new one's key; rules that nobody was are not in it.

    What was written the same counts more than the place where it stands: of two files with groups of one name either
    may come first.
    """
    left: defaultdict[str, list[Alerting]] = defaultdict(list)
    for rule in old:
        left[rule.name].append(rule)
    found: dict[RuleKey, Alerting] = {}
    waiting = list(new)
    for fits in _SIGNS:
        for rule in waiting:
            one = next((one for one in left[rule.name] if fits(one, rule)), None)
            if one is not None:
                found[rule.key] = one
                left[rule.name].remove(one)
        waiting = [rule for rule in waiting if rule.key not in found]
    return found


_SIGNS: Final[tuple[Callable[[Alerting, Alerting], bool], ...]] = (
    lambda old, new: old == new,
    lambda old, new: old.spec == new.spec and old.file == new.file,
    lambda old, new: old.spec == new.spec,
    lambda old, new: old.key == new.key and old.file == new.file,
    lambda old, new: old.key == new.key,
    lambda old, new: old.spec.labels == new.spec.labels,
)
"""By what a rule is known again, the surest first; its name is the same in any case."""

"""Which rule, and which alert, of before is which of now."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sidecar.model.alerts import Alert, RuleKey
from sidecar.model.labels import Labels
from sidecar.rules.compiled import Alerting
from sidecar.rules.evaluation import corresponds


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


def home(alert: Alert, rules: Iterable[Alerting]) -> RuleKey:
    """The rule that yields *alert* now: its own, or one of its name and labels that stands elsewhere in the files."""
    fitting = [rule.key for rule in rules if rule.name == alert.name and _yields(rule, alert.labels)]
    return alert.rule if alert.rule in fitting or not fitting else fitting[0]


def _yields(rule: Alerting, labels: Labels) -> bool:
    return all(labels.text(name) == template.text for name, template in rule.labels if template.literal)


def takes_over(old: Alert, new: Alert, rules: Mapping[RuleKey, Alerting]) -> bool:
    """Whether *new* says of the same thing what *old* said: another rule, the same check, judged by the same metric.

    The metric counts, because a check that recovers may be found in the same turn to have a certificate that ends soon.
    """
    check = old.labels.text("check")
    if old.rule == new.rule or not check or new.labels.text("check") != check:
        return False
    one, other = rules[old.rule], rules[new.rule]
    same = corresponds(element(one, old.labels), element(other, new.labels))
    return same and bool(_judged(one) & _judged(other))


def element(rule: Alerting, labels: Labels) -> Labels:
    """*labels* of an alert of *rule* without the rule's own."""
    return labels.without("alertname", *(name for name, _ in rule.labels))


def _judged(rule: Alerting) -> frozenset[str]:
    """The metrics of the rule's subject."""
    return frozenset(name for query in rule.subject for name in query.reads or ())


def relabelled(old: Alerting, new: Alerting, labels: Labels) -> Labels:
    """*labels* of an alert of *old* as *new* would have them, as far as its labels are the same for every element."""
    before = {name: template for name, template in old.labels if template.literal}
    fixed = {name: template.text for name, template in new.labels if template.literal}
    dropped = before.keys() - {name for name, _ in new.labels}
    return labels.without(*dropped).with_(fixed)

"""What a configuration, its checks' states and their labels come to for series, rules and alerts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from sidecar.config import Config
from sidecar.model.alerts import RuleKey
from sidecar.model.checks import OFFLINE, CheckState
from sidecar.model.families import HEALTH_STATUS
from sidecar.model.labels import Labels
from sidecar.model.samples import Batch, Kind
from sidecar.rules.compiled import Alerting, Group, RuleSet
from sidecar.rules.engine import Result, sources
from sidecar.rules.evaluation import Surroundings
from sidecar.rules.groups import knows
from sidecar.services.evaluator import turns_of


def blind(
    rule: Alerting,
    labels: Labels,
    groups: Iterable[Group],
    states: Mapping[str, CheckState],
    names: Mapping[str, Collection[str]],
) -> bool:
    """Whether we are cut off from what *rule* says with these *labels*: from their check, or from any that it reads.

    *names* are those of each source's metrics.
    """
    own = states.get(labels.text("check"))
    if own is not None:
        return own.reason == OFFLINE
    away = [name for name, state in states.items() if state.reason == OFFLINE]
    return bool(away) and knows(
        rule, groups, {HEALTH_STATUS.name}.union(*(names.get(f"check:{name}", ()) for name in away))
    )


def gone(labels: Labels, watched: Iterable[Labels]) -> bool:
    """Whether *labels*, of series from before a restart, are those of a check that is not *watched* any more."""
    if "check" not in labels:
        return False
    return not any(all(labels.get(name, text) == text for name, text in check.items()) for check in watched)


def relabelled(labels: Labels, old: Mapping[str, Labels], new: Mapping[str, Labels]) -> bool:
    """Whether *labels* are those of a check that had the labels in *old*, by its name, and has others in *new*."""
    name = labels.text("check")
    if name not in old or name not in new:
        return False
    was, is_now = old[name], new[name]
    changed = {key for key in (*was, *is_now) if was.get(key) != is_now.get(key)}
    # A rule that looks at the check as a whole has the same labels as before.
    whole = all(labels.get(key) == text for key, text in was.items())
    return bool(changed) and (whole or any(key in labels for key in changed))


def names(batch: Batch) -> Iterator[str]:
    """Every metric name that the batch writes."""
    for update in batch.updates:
        yield update.family.name
        if update.family.kind is Kind.HISTOGRAM:
            yield from (f"{update.family.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))


def surroundings(config: Config) -> Surroundings:
    """What templates know beside the alert."""
    return Surroundings(config.settings.external_labels, config.settings.external_url.rstrip("/"))


def sources_of(rules: RuleSet) -> set[str]:
    """Under whose names the series of rules live, and those of their groups."""
    return {source for group in rules.groups for source in (*sources(group), turns_of(group.name))}


def joined(results: Iterable[Result]) -> list[Result]:
    """One result per rule, the last, which has all that the earlier ones came to."""
    last: dict[RuleKey, Result] = {}
    for result in results:
        before = last.get(result.key)
        last[result.key] = replace(result, changed=(*before.changed, *result.changed)) if before else result
    return list(last.values())

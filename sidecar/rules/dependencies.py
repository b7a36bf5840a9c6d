"""Which alerts explain which: `depends_on`, checked over all files."""

from collections.abc import Collection, Iterator

from sidecar.model.errors import Mistake
from sidecar.rules.compiled import RuleSet


def mistakes(rules: RuleSet, known: Collection[str]) -> Iterator[Mistake]:
    """What is wrong with the dependencies of *rules*; *known* are the alerts of all files, the disabled ones too."""
    parents: dict[str, set[str]] = {}
    for rule in rules.alerting:
        parents.setdefault(rule.name, set()).update(rule.depends_on)
    for rule in rules.alerting:
        for parent in rule.depends_on:
            problem = ""
            if parent == rule.name:
                problem = f"{rule.name} names itself; expected another alert"
            elif parent not in known:
                problem = f"{rule.name} names {parent!r}, which is no alert of these files; known: {_listed(known)}"
            elif circle := _back(rule.name, parent, parents):
                problem = f"goes in a circle: {' → '.join(circle)}; expected one of them to depend on nothing"
            if problem:
                yield Mistake(rule.file, rule.line, f"{rule.name}.depends_on", problem)


def _back(name: str, parent: str, parents: dict[str, set[str]]) -> list[str]:
    """The way from *name* over *parent* back to *name*; empty when there is none."""
    ways = [[name, parent]]
    seen = {parent}
    while ways:
        way = ways.pop(0)
        for following in sorted(parents.get(way[-1], ())):
            if following == name:
                return [*way, name]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")

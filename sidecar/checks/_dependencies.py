"""What checks depend on: that it is there, and that nothing depends on itself."""

from collections.abc import Collection, Iterator, Mapping

from sidecar.checks import Check


def dependencies(checks: Mapping[str, Check], others: Collection[object] = ()) -> Iterator[tuple[str, str]]:
    """Where a `depends_on` is wrong, and how; *checks* by the path at which each stands.

    *others* are names of checks that are there, but are wrong in themselves. A circle is told once, at the check of it
    that stands first.
    """
    named = {check.name: check for check in checks.values()}
    known = ", ".join(sorted(named))
    told: set[str] = set()
    for path, check in checks.items():
        for index, name in enumerate(check.depends_on):
            if name not in named and name not in others:
                yield f"{path}.depends_on[{index}]", f"no check {name!r}; expected one of: {known}"
        circle = _circle(check.name, named)
        if circle and not told.intersection(circle):
            told.update(circle)
            yield f"{path}.depends_on", f"{' → '.join(circle)} is a circle; expected that nothing depends on itself"


def _circle(start: str, named: Mapping[str, Check]) -> list[str]:
    """The way from *start* along what it depends on back to it; empty if there is none."""
    came_from: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        for needed in named[name].depends_on if name in named else ():
            if needed == start:
                way = [start, name]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if needed not in came_from:
                came_from[needed] = name
                waiting.append(needed)
    return []

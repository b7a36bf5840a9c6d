"""Rules of one daemon for a Prometheus that scrapes many: each pod is judged by its own samples."""

import re
from dataclasses import replace
from typing import Any, Final

from sidecar.model.matchers import Matcher, MatchOp
from sidecar.promql import ast, lexer, printer
from sidecar.promql.parse import parse

POD: Final = ("namespace", "pod")
"""Labels that Prometheus gives to the series of each pod that it scrapes."""

JOB: Final = "claude-sidecar"
"""The label `job` that the chart's monitors give them."""

_OURS: Final = Matcher("job", MatchOp.EQ, JOB)
_MINGLE: Final = ("absent", "absent_over_time", "scalar")
# What a template asks: a text, or a `printf` of one with labels of the alert.
_QUERY: Final = re.compile(
    r'query (?:"(?P<text>(?:[^"\\]|\\.)*)"|\(printf "(?P<format>(?:[^"\\]|\\.)*)"(?P<given>[^()]*)\))'
)


def per_pod(value: dict[str, Any]) -> dict[str, Any]:
    """The rule file with every expression, also in annotations, for the pods apart; raises ValueError."""
    return value | {"groups": [group | {"rules": list(map(_rule, group["rules"]))} for group in value["groups"]]}


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    annotations = {name: template(text) for name, text in rule.get("annotations", {}).items()}
    return rule | {"expr": expression(rule["expr"])} | ({"annotations": annotations} if annotations else {})


def expression(text: str) -> str:
    """*text*, aggregating and matching within each pod only, and reading what our pods export alone.

    Others export `process_resident_memory_bytes`, `redis_…` and `probe_…`, too. Raises ValueError for what cannot tell
    pods apart.
    """
    return printer.show(_apart(parse(text), (_OURS,)))


def template(text: str) -> str:
    """*text*, whose queries ask only for the series of the pod that the alert is about."""
    return _QUERY.sub(_asked, text)


def _asked(found: re.Match[str]) -> str:
    given = (found["given"] or "").split()
    text = lexer.unquote(f'"{found["format"] or found["text"].replace("%", "%%")}"')
    numbers = iter(range(1, len(given) + 1))
    # As texts, verbs can be read as a query: `%[1]q` is Go's for the first of what is given.
    text = re.sub("%q", lambda _: f'"%[{next(numbers)}]q"', text)
    own = [Matcher(label, MatchOp.EQ, f"%[{len(given) + n}]q") for n, label in enumerate(POD, 1)]
    shown = re.sub(r'"(%\[\d+\]q)"', r"\1", printer.show(_apart(parse(text), (_OURS, *own))))
    return f"query (printf {lexer.quoted(shown)} {' '.join([*given, *(f'$labels.{label}' for label in POD)])})"


def _apart(expr: ast.Expr, own: tuple[Matcher, ...]) -> ast.Expr:
    """*expr* with *own* among the matchers of each selector, and every grouping within a pod."""
    match expr:
        case ast.Selector():
            return _selected(expr, own)
        case ast.Range():
            return replace(expr, selector=_selected(expr.selector, own))
        case ast.Subquery() | ast.Negation():
            return replace(expr, expr=_apart(expr.expr, own))
        case ast.Binary(left=left, right=right, matching=matching):
            labels = _kept(matching.labels) if matching.on else _dropped(matching.labels)
            matching = replace(matching, labels=labels)
            return replace(expr, left=_apart(left, own), right=_apart(right, own), matching=matching)
        case ast.Aggregate(expr=inner, param=param):
            labels = _dropped(expr.labels) if expr.without else _kept(expr.labels)
            return replace(expr, expr=_apart(inner, own), param=param and _apart(param, own), labels=labels)
        case ast.Call(name=name, args=args):
            if name in _MINGLE:
                raise ValueError(f"found {name}(), which forgets the pods; expected what keeps {' and '.join(POD)}")
            return replace(expr, args=tuple(_apart(arg, own) for arg in args))
        case _:
            return expr


def _selected(selector: ast.Selector, own: tuple[Matcher, ...]) -> ast.Selector:
    """What Prometheus makes itself has no job: alerts, and what rules record."""
    if selector.name == "ALERTS" or ":" in selector.name:
        own = tuple(matcher for matcher in own if matcher is not _OURS)
    return replace(selector, matchers=(*selector.matchers, *own))


def _kept(labels: tuple[str, ...]) -> tuple[str, ...]:
    return (*POD, *_dropped(labels))


def _dropped(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label for label in labels if label not in POD)

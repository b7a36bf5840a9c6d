"""The page about the two languages of rule files: PromQL, and the templates of texts."""

import re
from collections.abc import Iterator
from typing import Final

from sidecar.promql import QueryError, compile_
from sidecar.promql.errors import Unsupported
from sidecar.templating.functions import FUNCTIONS
from writers.markdown import MADE, code, heading, table

_FUNCTIONS: Final = """
abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max
clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv
double_exponential_smoothing exp floor histogram_avg histogram_count histogram_fraction histogram_quantile
histogram_stddev histogram_stdvar histogram_sum hour idelta increase info irate label_join label_replace
last_over_time ln log10 log2 mad_over_time max_over_time min_over_time minute month pi predict_linear
present_over_time quantile_over_time rad rate resets round scalar sgn sin sinh sort sort_by_label
sort_by_label_desc sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh time timestamp vector
year
"""
"""Prometheus 3's, as its documentation lists them."""
_AGGREGATIONS: Final = "avg bottomk count count_values group limit_ratio limitk max min quantile stddev stdvar sum topk"
_ARGUMENTS: Final = (
    "",
    "v",
    "v[5m]",
    "1",
    "v[5m], 60",
    "0.9, v[5m]",
    "0.9, v",
    "v, 1",
    "v, 0, 1",
    "0, 1, v",
    'v, "a", "$1", "b", "(.*)"',
    'v, "a", ",", "b"',
    '"a", v',
    "v[5m], 0.5, 0.5",
    'v, "a"',
)
TEXTS: Final = {
    "query": 'The result of an expression: `{{ with query "up == 0" }}…{{ end }}`. Empty is false.',
    "first": "The first element of a result.",
    "label": 'A label of an element: `{{ . | first | label "error_type" }}`.',
    "value": "The value of an element.",
    "strvalue": "The label `__value__` of an element.",
    "sortByLabel": "A result, sorted by a label.",
    "humanize": "A number with a metric prefix: 1.235M.",
    "humanize1024": "A number with a binary prefix: 1.5Gi.",
    "humanizeDuration": "Seconds: 1h 30m 0s.",
    "humanizePercentage": "A ratio: 12.5%.",
    "humanizeTimestamp": "Seconds since 1970 as a date.",
    "title": "Words With Capitals.",
    "toUpper": "Capitals.",
    "toLower": "Small letters.",
    "match": 'Whether a pattern of RE2 matches: `{{ if match "^5" $labels.code }}`.',
    "reReplaceAll": 'A text with every match of a pattern replaced: `{{ reReplaceAll "_" " " $labels.family }}`.',
    "stripPort": "An address without its port.",
    "stripDomain": "A host's first word.",
    "safeHtml": "The text itself.",
    "parseDuration": "Seconds of a text such as 1h30m.",
    "graphLink": "Path of a graph of an expression in Prometheus.",
    "tableLink": "Path of a table of an expression in Prometheus.",
    "externalURL": "`external_url`.",
    "pathPrefix": "The path of `external_url`.",
}


def page() -> Iterator[str]:
    """What is supported, tried with the engine itself."""
    yield "# Languages of rule files"
    yield ""
    yield MADE
    yield from heading("PromQL")
    yield "Prometheus 3.x over float samples: about an hour of memory, longer where rules look further back."
    yield "`@`, `offset`, subqueries, `bool`, `on`, `ignoring`, `group_left` and `group_right` are there. What is not"
    yield "is refused when a file is loaded, with its line: native histograms and experimental features."
    yield ""
    known = {name: _why_not(name) for name in _FUNCTIONS.split()}
    combined = {name: _why_not(name) for name in _AGGREGATIONS.split()}
    yield f"Functions: {_listed(known)}."
    yield ""
    yield f"Aggregations: {_listed(combined)}."
    yield ""
    yield from table(("refused", "why"), ((code(name), why) for name, why in (known | combined).items() if why))
    yield from heading("Templates")
    yield "Annotations and labels of alerting rules are Go templates, as in Prometheus: `if`, `else`, `with`, `range`,"
    yield "variables, pipes, comparisons, `and`, `or`, `not`, `printf`, `len`, `index`. `$labels`, `$value`,"
    yield "`$externalLabels` and `$externalURL` are set. `${name}` is a var of the rule, and is filled in before."
    yield ""
    yield from table(("function", "is"), ((code(name), TEXTS.get(name, "")) for name in (*DAEMON, *FUNCTIONS)))


DAEMON: Final = ("query", "externalURL", "pathPrefix")


def _listed(known: dict[str, str]) -> str:
    return ", ".join(code(name) for name, why in known.items() if not why)


def _why_not(name: str) -> str:
    """Why the engine does not take *name*; empty when it does."""
    said = ""
    for arguments in _ARGUMENTS:
        try:
            compile_(f"{name}({arguments})")
        except Unsupported as exc:
            return re.sub(r"^.*?:\s+(?=\w+\()", "", str(exc))
        except QueryError as exc:
            said = str(exc)
        else:
            return ""
    return said

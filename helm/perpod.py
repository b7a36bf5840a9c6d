"""Rules of one daemon for a Prometheus that scrapes many: each pod is judged by its own samples."""

import re
from collections.abc import Iterator
from typing import Any, Final

POD: Final = ("namespace", "pod")
"""Labels that Prometheus gives to the series of each pod that it scrapes."""

JOB: Final = "claude-sidecar"
"""The label `job` that the chart's monitors give them."""

_AGGREGATIONS: Final = "sum|min|max|avg|group|count|stddev|stdvar|topk|bottomk|quantile|count_values"
_GROUPED: Final = re.compile(rf"\b(?:{_AGGREGATIONS})\s*(?=\()")
_BY: Final = re.compile(r"\s*(?:by|without)\b")
_LABELS: Final = re.compile(r"\b(by|on)\s*\(([^)]*)\)")
# Neither a function, nor within a list of labels, a matcher or a range; nor what Prometheus makes, which has no job.
_METRIC: Final = re.compile(r"\b(?!ALERTS\b)[A-Za-z_][\w:]*\b(?!\s*\()(\{)?")
_LISTS: Final = re.compile(r"(?:(?<=by)|(?<=on)|(?<=without)|(?<=ignoring)|(?<=left)|(?<=right))(\s*\([^)]*\))")
_WITHIN: Final = re.compile(r"(?<=\{)[^}]*(?=\})|(?<=\[)[^]]*(?=\])")
_WORDS: Final = {
    *_AGGREGATIONS.split("|"),
    *("and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "group_right"),
    *("offset", "bool", "inf", "nan"),
}
_OPAQUE: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*")


def per_pod(value: dict[str, Any]) -> dict[str, Any]:
    """The rule file with every expression for the pods apart."""
    groups = [
        group | {"rules": [rule | {"expr": expression(rule["expr"])} for rule in group["rules"]]}
        for group in value["groups"]
    ]
    return value | {"groups": groups}


def expression(text: str) -> str:
    """*text*, aggregating and matching within each pod only, and reading what our pods export alone.

    Others export `process_resident_memory_bytes`, `redis_…` and `probe_…`, too.
    """
    edits = sorted(_edits(_blank(_OPAQUE, text)), reverse=True)
    for start, end, new in edits:
        text = text[:start] + new + text[end:]
    return text


def _blank(pattern: re.Pattern[str], text: str) -> str:
    """*text* with spaces in place of whatever *pattern* finds."""
    return pattern.sub(lambda found: " " * len(found[0]), text)


def _edits(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _LABELS.finditer(text):
        given = [label.strip() for label in found[2].split(",") if label.strip()]
        labels = ", ".join([*POD, *(label for label in given if label not in POD)])
        yield found.start(2), found.end(2), labels
    for found in _GROUPED.finditer(text):
        if not _BY.match(text, _closing(text, found.end())):
            yield found.end(), found.end(), f" by ({', '.join(POD)}) "
    bare = _blank(_WITHIN, _blank(_LISTS, text))
    for found in _METRIC.finditer(bare):
        if found[0].lower() not in _WORDS and ":" not in found[0]:
            matcher = f'job="{JOB}"'
            yield found.end(), found.end(), f"{matcher}, " if found[1] else f"{{{matcher}}}"


def _closing(text: str, opening: int) -> int:
    """The place behind the parenthesis that ends the one at *opening*."""
    depth = 0
    for place in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return len(text)

"""What lint has to say: one finding about one rule, under a code that never changes its meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.rules.compiled import CompiledRule

CODES: Final[Mapping[str, str]] = {
    # Series that are not what the expression takes them for.
    "unknown-metric": "nothing here produces a series of this name",
    "rate-of-gauge": "rate(), increase() or irate() of something that may fall",
    "delta-of-counter": "delta(), deriv() or predict_linear() of a counter, which takes a restart for a fall",
    "counter-compared": "a counter itself is compared: it only grows, the alert would never end",
    "rate-after-sum": "rate() of a sum: one restart of one series looks like a jump of them all",
    "quantile-since-start": "histogram_quantile() of buckets without rate(): a percentile since the start",
    "le-missing": "histogram_quantile() over an aggregation that drops `le`: there is never a result",
    "quantile-out-of-range": "a quantile outside of 0 to 1: the result is always infinite",
    "short-window": "a window too short to hold the samples that the function needs",
    # Conditions that are always or never true.
    "nan-comparison": "a comparison with NaN: `==` is never true, `!=` always",
    "bool-condition": "the outermost comparison has `bool`: it filters nothing, the alert always fires",
    "no-condition": "nothing filters: there is an alert for each element, whatever its value",
    "ratio-above-one": "a part of a whole compared with one or more: it is never that large",
    # Elements that are not told apart as they should be.
    "or-labels": "both sides of `or` have different labels: one condition, two alerts",
    "absent-without-labels": "absent() of a selector without `=`: the alert does not say what is absent",
    "drops-check": "the aggregation drops `check`: no evidence, and no waiting for the check after a restart",
    "varying-label": "a label changes with the value: each evaluation would end one alert and open another",
    "overwrites-label": "a label of the rule replaces one of the series: elements may fall together",
    "duplicate-alert": "two rules of one name with the same labels",
    # Numbers that do not fit together.
    "no-min-samples": "a ratio or percentile that may stand on two requests",
    "repeat-below-cooldown": "`repeat` is shorter than `cooldown`, which holds it back",
    "short-for": "`for` is shorter than the time between two samples: the second look sees the first again",
    # Words.
    "template-error": "a template fails with ordinary values",
    "unguarded-query": "a template fails when its query finds nothing",
    "label-not-there": "a template shows a label that the result does not have",
    "no-severity": "no `severity`: channels that choose by it do not hear of the alert",
    "unheard-severity": "no channel that the rule may tell takes its severity",
    "no-summary": "no annotation `summary`: messages have no headline",
    "no-next-step": "neither `next_step` nor `runbook`: whoever is woken must find out what to do",
    "bad-runbook": "the runbook is no web address",
    # What is there for nothing.
    "unused-var": "a var that nothing uses",
    "dead-override": "an override that changes nothing",
}
"""Every code, with what it says."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something legal that is probably not meant."""

    file: str
    line: int  # of the rule; 1-based
    rule: str
    code: str
    message: str  # what was found, and why it is a problem
    advice: str  # what to write instead

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}; {self.advice} [{self.code}]"


def finding(rule: CompiledRule, code: str, message: str, advice: str) -> Finding:
    """A finding about *rule*; *code* is one of CODES."""
    if code not in CODES:
        raise KeyError(code)
    return Finding(rule.file, rule.line, rule.name, code, message, advice)

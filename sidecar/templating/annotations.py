"""Annotations and label values of rules: Prometheus' templates.

`{{ $value }}`, `{{ $labels.x }}`, `{{ $externalLabels.x }}`, `{{ $externalURL }}`, `.Labels`, `.Value` …, pipelines,
`if`, `with`, `range`, and the functions that Prometheus has. A text whose template fails is replaced by the error, as
Prometheus does it: an alert goes out whatever its words are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.templating import functions
from sidecar.templating.gotemplate import Template, TemplateError, execute
from sidecar.templating.gotemplate import parse as parse_template
from sidecar.templating.gotemplate.builtins import BUILTINS

QueryFunction = Callable[[str], Sequence[tuple[Mapping[str, str], float]]]
"""Evaluates a PromQL expression; raises TemplateError."""

_VARIABLES: Final = ("$labels", "$externalLabels", "$externalURL", "$value")
_NAMES: Final = frozenset({*BUILTINS, *functions.FUNCTIONS, "query", "externalURL", "pathPrefix"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a template may show."""

    labels: Mapping[str, str] = field(default_factory=dict)
    value: float = 0.0
    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""
    query: QueryFunction | None = None

    @property
    def template_fields(self) -> Mapping[str, Any]:
        """The names behind the dot."""
        return {
            "Labels": self.labels,
            "ExternalLabels": self.external_labels,
            "ExternalURL": self.external_url,
            "Value": self.value,
        }


FAILED: Final = "<error expanding template: "
"""How a text begins whose template failed."""


def parse(text: str) -> Template:
    """*text* as a template; raises TemplateError for what cannot be read."""
    return parse_template(text, _NAMES, _VARIABLES)


def expand(template: Template, facts: Facts) -> str:
    """The text of *template* for *facts*; never raises."""
    if template.literal:
        return template.text if "{{" not in template.text else execute(template, facts, {}, {})
    variables = {
        "$labels": facts.labels,
        "$externalLabels": facts.external_labels,
        "$externalURL": facts.external_url,
        "$value": facts.value,
    }
    try:
        return execute(template, facts, _functions(facts), variables)
    except TemplateError as exc:
        return f"{FAILED}{exc}>"


def _functions(facts: Facts) -> Mapping[str, Callable[..., Any]]:
    def query(expression: Any) -> list[functions.Sample]:
        if not isinstance(expression, str):
            raise TemplateError("wrong type for value; expected string")
        if facts.query is None:
            raise TemplateError("there is nothing to query here")
        return [functions.Sample(labels, value) for labels, value in facts.query(expression)]

    return {
        **BUILTINS,
        **functions.FUNCTIONS,
        "query": query,
        "externalURL": lambda: facts.external_url,
        "pathPrefix": lambda: functions.path_of(facts.external_url),
    }

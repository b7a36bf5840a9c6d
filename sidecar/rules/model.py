"""A rule file: Prometheus' fields, and beside them ours."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sidecar.model.durations import Duration

DEFAULT_INTERVAL: Final = 15.0
"""How often a group is evaluated that does not say it."""

Var = int | float | str

SHORTHANDS: Final[Mapping[str, tuple[str, str]]] = {
    "severity": ("labels", "severity"),
    "runbook": ("annotations", "runbook_url"),
}
"""Our short fields, and where each stands in full: field → (mapping, key)."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class AlertingRule(_Part):
    """When something is worth telling, and to whom."""

    alert: str = Field(description="Name of the alert; the label `alertname`.", min_length=1, examples=["GatewaySlow"])
    expr: str = Field(
        description="PromQL; an alert for each element of the result.",
        min_length=1,
        examples=['sidecar_check_up{check="gateway"} == 0'],
    )
    for_: Duration = Field(0.0, alias="for", description="How long the expression must hold before the alert fires.")
    keep_firing_for: Duration = Field(0.0, description="How long the alert stays firing after the expression ceased.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels of the alert; templates.", examples=[{"team": "platform"}]
    )
    annotations: dict[str, str] = Field(
        default_factory=dict,
        description="Texts for people; templates.",
        examples=[{"summary": "{{ $labels.check }} is down"}],
    )
    severity: str = Field("", description="Shorthand for `labels.severity`.", examples=["critical"])
    runbook: str = Field(
        "", description="Shorthand for `annotations.runbook_url`.", examples=["https://wiki.example/runbooks/gateway"]
    )
    cooldown: Duration = Field(300.0, description="Time from one opening of an alert to the next, per channel.")
    repeat: Duration = Field(4 * 3600.0, description="Time from one reminder to the next; 0s for none.")
    channels: tuple[str, ...] = Field(
        (), description="Names of the channels that are told; all when empty.", examples=[["oncall"]]
    )
    on_no_data: Literal["ok", "keep", "alert"] = Field(
        "ok", description="What an element means that was there and is not: ok (ends the alert), keep, alert."
    )
    on_error: Literal["keep", "alert"] = Field(
        "keep", description="What a failed evaluation means: keep the alerts as they are, or also raise one."
    )
    min_samples: int = Field(0, description="Observations behind an element below which it is no data.", ge=0)
    samples: str = Field(
        "",
        description="PromQL for the observations behind each element.",
        examples=["sum by (model) (increase(claude_requests_total[5m]))"],
    )
    depends_on: tuple[str, ...] = Field(
        (), description="Names of the alerts whose firing explains this one.", examples=[["ClaudeDown"]]
    )
    vars: dict[str, Var] = Field(
        default_factory=dict, description="Values for ${name} in expr, samples and texts.", examples=[{"seconds": 8}]
    )

    @property
    def name(self) -> str:
        return self.alert


class RecordingRule(_Part):
    """A series that is computed from others."""

    record: str = Field(description="Name of the series.", min_length=1, examples=["model:claude_errors:ratio5m"])
    expr: str = Field(
        description="PromQL; a series for each element of the result.",
        min_length=1,
        examples=["sum by (model) (rate(claude_requests_total[5m]))"],
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels that are set on each series.", examples=[{"team": "platform"}]
    )
    vars: dict[str, Var] = Field(
        default_factory=dict, description="Values for ${name} in expr.", examples=[{"window": "5m"}]
    )

    @property
    def name(self) -> str:
        return self.record


Rule = AlertingRule | RecordingRule


class RuleGroup(_Part):
    """Rules that are evaluated together, in order, at one instant."""

    name: str = Field(description="Name of the group, unique in its file.", min_length=1, examples=["gateway"])
    interval: Duration = Field(DEFAULT_INTERVAL, description="Time from one evaluation to the next.", ge=0.1)
    limit: int = Field(0, description="How many elements a rule may yield; 0 for any number.", ge=0)
    query_offset: Duration = Field(0.0, description="Prometheus' field; only 0s is possible here.")
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="Labels of every rule that does not set them.",
        examples=[{"team": "platform"}],
    )
    rules: tuple[Rule, ...] = Field(
        (),
        description="The rules, in the order of their evaluation.",
        examples=[[{"alert": "TargetDown", "expr": "sidecar_check_up == 0"}]],
    )


class RuleFile(_Part):
    """The whole file."""

    groups: tuple[RuleGroup, ...] = Field((), description="The groups.")


class Override(_Part):
    """What is different here from a rule as its file has it; what is left out stays."""

    enabled: bool = Field(True, description="Whether the rule is evaluated at all.")
    for_: Duration | None = Field(None, alias="for", description="Replaces `for`.", examples=["5m"])
    keep_firing_for: Duration | None = Field(None, description="Replaces `keep_firing_for`.", examples=["10m"])
    severity: str | None = Field(None, description="Replaces the label `severity`.", min_length=1, examples=["warning"])
    channels: tuple[str, ...] | None = Field(None, description="Replaces `channels`.", examples=[["oncall", "mail"]])
    cooldown: Duration | None = Field(None, description="Replaces `cooldown`.", examples=["30m"])
    repeat: Duration | None = Field(None, description="Replaces `repeat`.", examples=["1d"])
    on_no_data: Literal["ok", "keep", "alert"] | None = Field(
        None, description="Replaces `on_no_data`.", examples=["keep"]
    )
    on_error: Literal["keep", "alert"] | None = Field(None, description="Replaces `on_error`.", examples=["alert"])
    min_samples: int | None = Field(None, description="Replaces `min_samples`.", ge=0, examples=[50])
    samples: str | None = Field(
        None,
        description="Replaces `samples`.",
        min_length=1,
        examples=["sum by (model) (increase(claude_requests_total[5m]))"],
    )
    depends_on: tuple[str, ...] | None = Field(None, description="Replaces `depends_on`.", examples=[["ClaudeDown"]])
    runbook: str | None = Field(
        None,
        description="Replaces the annotation `runbook_url`.",
        min_length=1,
        examples=["https://wiki.example/runbooks/claude"],
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels that are set or added.", examples=[{"team": "platform"}]
    )
    annotations: dict[str, str] = Field(
        default_factory=dict,
        description="Texts that are set or added.",
        examples=[{"next_step": "Call the platform team."}],
    )
    vars: dict[str, Var] = Field(
        default_factory=dict,
        description="Vars that are replaced; each must be one of the rule's.",
        examples=[{"days": 30}],
    )

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> "Override":
        for short, (mapping, key) in SHORTHANDS.items():
            one, other = getattr(self, short), getattr(self, mapping).get(key)
            if one is not None and other is not None and one != other:
                raise ValueError(f"{short} is {one!r}, but {mapping}.{key} is {other!r}; expected one")
        return self

    def apply(self, rule: AlertingRule) -> AlertingRule:
        """*rule* with what is different here."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in _REPLACED if getattr(self, name) is not None}
        for name in ("labels", "annotations", "vars"):
            changes[name] = {**getattr(rule, name), **getattr(self, name)}
        for short, (mapping, key) in SHORTHANDS.items():
            if getattr(self, short) is not None:
                changes[mapping][key] = getattr(self, short)
        return settled(rule.model_copy(update=changes))


_REPLACED: Final = (
    "for_",
    "keep_firing_for",
    "channels",
    "cooldown",
    "repeat",
    "on_no_data",
    "on_error",
    "min_samples",
    "samples",
    "depends_on",
)


def settled(rule: AlertingRule) -> AlertingRule:
    """*rule* with its shorthands as they are in its mappings: however it was written, it is the same rule."""
    return rule.model_copy(
        update={short: getattr(rule, mapping).get(key, "") for short, (mapping, key) in SHORTHANDS.items()}
    )


def shorthands(rule: Mapping[str, Any]) -> Mapping[str, tuple[str, str]]:
    """Our short fields of *rule* with where they go: field → (mapping, key)."""
    return {short: place for short, place in SHORTHANDS.items() if rule.get(short)}

"""Rule files to rules: every mistake at once, each with its file, line and key."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from sidecar.model.alerts import RuleKey
from sidecar.model.errors import ConfigError, Mistake
from sidecar.model.labels import Labels
from sidecar.promql import Query, QueryError, compile_
from sidecar.rules import dependencies, percentiles
from sidecar.rules.compiled import Alerting, CompiledRule, Group, Recording, RuleSet, Templates
from sidecar.rules.model import AlertingRule, Override, RecordingRule, RuleGroup, settled, shorthands
from sidecar.templating import annotations
from sidecar.templating.gotemplate import TemplateError
from sidecar.yamlfile import Document, join, load, mistakes_of

__all__ = ["Override", "RuleSet", "Source", "load_rules"]

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_VAR: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WORDS: Final = ("alert", "record", "expr", "samples", "severity", "runbook")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of the configuration's `rules:`: files as (name, text), and what is different here.

    `document` and `place` say where the overrides stand, for mistakes: `rules[0].override`.
    """

    files: tuple[tuple[str, str], ...]
    overrides: Mapping[str, Override] = field(default_factory=dict)
    document: Document | None = None
    place: str = ""


def load_rules(sources: Sequence[Source], *, channels: Collection[str] | None = None) -> RuleSet:
    """The rules of *sources*, compiled; *channels* are the names that rules may give. Raises ConfigError."""
    mistakes: list[Mistake] = []
    groups: list[Group] = []
    files: set[str] = set()
    alerts: set[str] = set()
    for source in sources:
        used: set[str] = set()
        for file, text in source.files:
            if file in files:
                mistakes.append(Mistake(file, 0, "", "is loaded twice; expected each rule file once"))
                continue
            files.add(file)
            try:
                document = load(text, file)
            except ConfigError as exc:
                mistakes += exc.mistakes
                continue
            loader = _Loader(document, source, channels, mistakes)
            groups += loader.groups({group.name for group in groups})
            used |= loader.names
        mistakes += _unused(source, used)
        alerts |= used
    rules = RuleSet(tuple(groups))
    mistakes += dependencies.mistakes(rules, alerts)
    if mistakes:
        raise ConfigError(*mistakes)
    return rules


def _unused(source: Source, used: set[str]) -> Iterator[Mistake]:
    """Overrides that name nothing."""
    for name in source.overrides:
        if name in used:
            continue
        message = f"names no alert of {', '.join(file for file, _ in source.files)}"
        message += f"; known: {', '.join(sorted(used))}" if used else ""
        yield _about_override(source, name, message)


def _about_override(source: Source, key: str, message: str) -> Mistake:
    path = join(source.place, key)
    if source.document is None:
        return Mistake(source.files[0][0] if source.files else "", 0, path, message)
    return source.document.mistake(path, message)


class _Loader:
    """Reads one file."""

    def __init__(
        self, document: Document, source: Source, channels: Collection[str] | None, mistakes: list[Mistake]
    ) -> None:
        self.document = document
        self.source = source
        self.channels = channels
        self.mistakes = mistakes
        self.names: set[str] = set()  # of the alerts that stand in this file
        self.written: dict[str, AlertingRule] = {}  # by path, the rules that are overridden

    def _wrong(self, path: str, message: str) -> None:
        self.mistakes.append(self.document.mistake(path, message))

    def groups(self, taken: Collection[str]) -> Iterator[Group]:
        """The file's groups; one whose name is *taken* by another file gets the file's name behind its own."""
        root = self.document.value
        if not isinstance(root, dict) or not isinstance(root.get("groups"), list):
            self._wrong("", "has no list `groups:`; expected a rule file as Prometheus has it")
            return
        for key in root:
            if key != "groups":
                self._wrong(key, "unknown key; known: groups")
        seen: dict[str, str] = {}
        for i, raw in enumerate(root["groups"]):
            path = f"groups[{i}]"
            group = self._group(raw, path)
            if group is None:
                continue
            if group.name in seen:
                line = self.document.line(seen[group.name])
                self._wrong(f"{path}.name", f"{group.name!r} is also the name of the group at line {line}")
                continue
            seen[group.name] = path
            name = f"{group.name} ({self.document.file})" if group.name in taken else group.name
            rules = tuple(self._rules(raw["rules"] or [], group, name, f"{path}.rules"))
            yield Group(name, self.document.file, group.interval, rules)

    def _group(self, raw: Any, path: str) -> RuleGroup | None:
        if not isinstance(raw, dict):
            self._wrong(path, "expected a group with `name:` and `rules:`")
            return None
        if not isinstance(raw.get("rules", []), list | None):
            self._wrong(f"{path}.rules", "expected a list of rules")
            return None
        raw.setdefault("rules", [])
        shallow = {key: value for key, value in raw.items() if key != "rules"}
        group = self._validate(RuleGroup, self._texts(shallow, path, "labels"), path)
        if group is not None and group.query_offset:
            self._wrong(
                f"{path}.query_offset", "is not possible here: samples are never late; expected it to be left out"
            )
        self._label_names(shallow, path)
        return group

    def _rules(self, raws: Sequence[Any], group: RuleGroup, group_name: str, path: str) -> Iterator[CompiledRule]:
        keys: set[str] = set()
        for i, raw in enumerate(raws):
            place = f"{path}[{i}]"
            if not isinstance(raw, dict) or ("alert" in raw) == ("record" in raw):
                self._wrong(place, "expected a rule with either `alert:` or `record:`")
                continue
            texts = self._texts(raw, place, "labels", "annotations", *_WORDS)
            rule = self._alerting(texts, group, place) if "alert" in raw else self._recording(texts, group, place)
            if rule is None:
                continue
            compiled = self._compile(rule, group, RuleKey(group_name, _key(rule, keys)), place)
            if compiled is not None:
                keys.add(compiled.key.name)
                yield compiled

    def _texts(self, raw: dict[str, Any], path: str, *names: str) -> dict[str, Any]:
        """*raw* with the values of *names* as text as it was written: Prometheus takes `severity: 1` for a label."""
        out = dict(raw)
        for name in names:
            value = raw.get(name)
            place = join(path, name)
            if isinstance(value, dict):
                out[name] = {k: self._text(v, join(place, k)) for k, v in value.items()}
            elif value is None and name in raw and name in ("labels", "annotations"):
                out[name] = {}
            elif name in raw:
                out[name] = self._text(value, place)
        return out

    def _text(self, value: Any, path: str) -> Any:
        if value is None:
            return ""
        written = self.document.text(path)
        return value if isinstance(value, str | dict | list) or written is None else written

    def _validate(self, model: type[M], raw: Mapping[str, Any], path: str) -> M | None:
        try:
            return model.model_validate(raw)
        except ValidationError as exc:
            self.mistakes += mistakes_of(exc, self.document, path, model)
            return None

    def _label_names(self, raw: Mapping[str, Any], path: str) -> None:
        labels = raw.get("labels")
        for name in labels if isinstance(labels, dict) else ():
            if problem := _label_problem(name):
                self._wrong(join(f"{path}.labels", name), problem)

    def _recording(self, raw: dict[str, Any], group: RuleGroup, path: str) -> RecordingRule | None:
        rule = self._validate(RecordingRule, raw, path)
        if rule is None:
            return None
        self._label_names(raw, path)
        if not _METRIC.fullmatch(rule.record):
            self._wrong(f"{path}.record", f"got {rule.record!r}, expected a metric name such as 'job:errors:rate5m'")
            return None
        return rule.model_copy(update={"labels": {**group.labels, **rule.labels}})

    def _alerting(self, raw: dict[str, Any], group: RuleGroup, path: str) -> AlertingRule | None:
        for short, (mapping, key) in shorthands(raw).items():
            long = raw.get(mapping) or {}
            if not isinstance(long, dict):
                continue
            if key in long and long[key] != raw[short]:
                self._wrong(
                    f"{path}.{short}", f"got {raw[short]!r}, but {mapping}.{key} is {long[key]!r}; expected one"
                )
            raw[mapping] = {**long, key: raw[short]}
        rule = self._validate(AlertingRule, raw, path)
        self._label_names(raw, path)
        if rule is None:
            return None
        self.names.add(rule.alert)
        rule = settled(rule.model_copy(update={"labels": {**group.labels, **rule.labels}}))
        override = self.source.overrides.get(rule.alert)
        if override is not None:
            for name in override.vars.keys() - rule.vars.keys():
                known = f"known: {', '.join(rule.vars)}" if rule.vars else "the rule has none"
                self.mistakes.append(_about_override(self.source, f"{rule.alert}.vars.{name}", f"is no var; {known}"))
            for name in override.labels:
                if problem := _label_problem(name):
                    self.mistakes.append(_about_override(self.source, f"{rule.alert}.labels.{name}", problem))
            if not override.enabled:
                return None
            self.written[path] = rule
            rule = override.apply(rule)
        for i, channel in enumerate(rule.channels):
            if self.channels is not None and channel not in self.channels:
                self._no_such_channel(rule, channel, override, f"{path}.channels[{i}]")
        return rule

    def _no_such_channel(self, rule: AlertingRule, channel: str, override: Override | None, path: str) -> None:
        known = ", ".join(sorted(self.channels or ())) or "none is configured"
        message = f"got the channel {channel!r}; known: {known}"
        if override is not None and override.channels is not None:
            self.mistakes.append(_about_override(self.source, f"{rule.alert}.channels", message))
        else:
            self._wrong(path, message)

    def _compile(
        self, rule: AlertingRule | RecordingRule, group: RuleGroup, key: RuleKey, path: str
    ) -> CompiledRule | None:
        before = len(self.mistakes)
        query = self._query(rule.expr, rule, f"{path}.expr")
        line = self.document.line(path)
        if isinstance(rule, RecordingRule):
            if query is None or len(self.mistakes) > before:
                return None
            return Recording(key, rule, self.document.file, line, query, group.limit)
        samples = self._samples(rule, query, path)
        labels = self._templates(rule, "labels", path)
        texts = self._templates(rule, "annotations", path)
        if query is None or len(self.mistakes) > before:
            return None
        return Alerting(
            key,
            rule,
            self.document.file,
            line,
            query,
            query.subject,
            samples,
            labels,
            texts,
            group.limit,
            self.written.get(path),
        )

    def _query(self, text: str, rule: AlertingRule | RecordingRule, path: str) -> Query | None:
        filled = self._filled(text, rule, path)
        if filled is None:
            return None
        try:
            query = compile_(filled)
        except QueryError as exc:
            self._wrong(path, str(exc))
            return None
        if query.kind not in ("vector", "scalar"):
            self._wrong(path, f"yields a {query.kind}, expected an instant vector or a scalar")
            return None
        if problem := percentiles.problem(filled):
            self._wrong(path, problem)
            return None
        return query

    def _samples(self, rule: AlertingRule, query: Query | None, path: str) -> Query | None:
        """What counts the observations: as written, else as it follows from the expression."""
        if rule.samples:
            return self._query(rule.samples, rule, f"{path}.samples")
        if query is None:
            return None
        if rule.min_samples and query.counts is None:
            self._wrong(
                f"{path}.min_samples",
                "it does not follow from `expr` what counts the observations; "
                "add a line such as `samples: sum(increase(claude_requests_total[5m]))`",
            )
        return query.counts

    def _templates(self, rule: AlertingRule, field_: str, path: str) -> Templates:
        out = []
        for name, text in getattr(rule, field_).items():
            place = join(f"{path}.{field_}", name)
            filled = self._filled(text, rule, place)
            try:
                out.append((name, annotations.parse(filled or "")))
            except TemplateError as exc:
                self._wrong(place, f"is no template: {exc}")
        return tuple(out)

    def _filled(self, text: str, rule: AlertingRule | RecordingRule, path: str) -> str | None:
        """*text* with `${name}` replaced by the rule's vars; a rule without vars is left as it is."""
        if not rule.vars:
            return text
        unknown = [name for name in _VAR.findall(text) if name not in rule.vars]
        if unknown:
            self._wrong(path, f"got ${{{unknown[0]}}}, expected one of the rule's vars: {', '.join(rule.vars)}")
            return None
        return _VAR.sub(lambda found: str(rule.vars[found[1]]), text)


def _label_problem(name: str) -> str:
    if _LABEL.fullmatch(name) and name not in ("__name__", "alertname", "alertstate"):
        return ""
    return f"got the label name {name!r}, expected letters, digits and underscores, not alertname"


def _key(rule: AlertingRule | RecordingRule, taken: Collection[str]) -> str:
    """A name for *rule* that its group has not yet: its own, or with its labels, or with a number."""
    if rule.name not in taken:
        return rule.name
    labelled = f"{rule.name}{Labels(rule.labels)}"
    name, n = labelled, 1
    while name in taken:
        n += 1
        name = f"{labelled}#{n}"
    return name

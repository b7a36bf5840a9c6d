"""Writes docs/reference.md from the code: `make docs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sidecar import plugins
from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.claude.errors import ErrorType
from sidecar.config import Settings
from sidecar.model import durations, families
from sidecar.model.samples import Family
from sidecar.network import Network
from sidecar.rules.model import AlertingRule, RuleGroup

REFERENCE = Path(__file__).with_name("reference.md")


def text() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Made from the code by `make docs`. Durations are written as Prometheus writes them: `30s`, `5m`, `1h30m`."
    yield from _section("Configuration file", Settings)
    for path, model in _nested(Settings):
        yield from _section(f"`{path}:`", model)
    yield from ["", "## Checks", "", "Every check has:"]
    yield from _table(Check)
    for path, model in _nested(Check):
        if model is not Network:
            yield from _section(f"`{path}:` of a check", model, level=3)
    yield from _plugins("sidecar.checks", Check)
    yield from ["", "### Words of `error_type`", "", ", ".join(f"`{word}`" for word in ErrorType)]
    yield from ["", "## Channels", "", "Every channel has:"]
    yield from _table(Channel)
    yield from _plugins("sidecar.channels", Channel)
    yield from _section("Rule files", RuleGroup)
    yield from _section("Alerting rules", AlertingRule)
    yield from ["", "## Metrics", "", "| name | kind | meaning |", "| --- | --- | --- |"]
    for family in sorted(catalogue(), key=lambda family: family.name):
        yield f"| `{family.name}` | {family.kind} | {family.help} |"


def catalogue() -> list[Family]:
    """Every family of ours."""
    return [value for value in vars(families).values() if isinstance(value, Family)]


def _plugins(package: str, base: type[Check] | type[Channel]) -> Iterator[str]:
    """Every type of *package*, and what its settings are made of."""
    common = {model for _, model in _nested(base)}
    for name in plugins.names(package):
        found = plugins.find(package, name, base)
        yield from _section(f"`type: {name}`", found, base, level=3)
        for path, model in _nested(found):
            if model not in common:
                yield from _section(f"`{path}:` of `{name}`", model, level=4)


def _nested(
    model: type[BaseModel], path: str = "", seen: frozenset[type] = frozenset()
) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models that the fields of *model* are made of, each with its key, and those within; each of them once."""
    direct = {
        inner: f"{path}{field.alias or name}"
        for name, field in reversed(model.model_fields.items())
        for inner in _models(field.annotation)
        if inner not in seen
    }
    told = seen | direct.keys()
    for inner, key in reversed(direct.items()):
        yield key, inner
        for further in _nested(inner, f"{key}.", told):
            told |= {further[1]}
            yield further


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _section(title: str, model: type[BaseModel], base: type[BaseModel] | None = None, level: int = 2) -> Iterator[str]:
    yield from ["", f"{'#' * level} {title}", "", (model.__doc__ or "").strip().splitlines()[0]]
    yield from _table(model, base)


def _table(model: type[BaseModel], base: type[BaseModel] | None = None) -> Iterator[str]:
    yield from ["", "| key | default | meaning |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        common = base.model_fields.get(name) if base else None
        if name == "type" or (common is not None and _default(common) == _default(field)):
            continue  # said once, above
        yield f"| `{field.alias or name}` | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or value in ("", (), [], {}):
        return ""
    if isinstance(value, BaseModel):
        return "below"
    return f"`{_shown(value, field)}`"


def _shown(value: Any, field: FieldInfo) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and _is_duration(field):
        return durations.show(value)
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value)


def _is_duration(field: FieldInfo) -> bool:
    return "BeforeValidator" in repr((field.metadata, field.annotation))


if __name__ == "__main__":
    REFERENCE.write_text(text(), "utf-8")
    print(f"wrote {REFERENCE}")

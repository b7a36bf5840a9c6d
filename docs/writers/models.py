"""The settings of a model as a table: keys, defaults, examples, meanings."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sidecar.model import durations
from writers.markdown import code, first_line, heading, table

_EXAMPLES: Final = Path(__file__).parents[1] / "examples"


def section(title: str, model: type[BaseModel], base: type[BaseModel] | None = None, level: int = 2) -> Iterator[str]:
    """What *model* is, and its settings, without those that it has from *base* as they are there."""
    yield from heading(title, level)
    yield first_line(model.__doc__)
    yield ""
    yield from settings(model, base)


def settings(model: type[BaseModel], base: type[BaseModel] | None = None) -> Iterator[str]:
    """A line for each setting of *model*, without those that it has from *base* as they are there."""
    return table(("key", "default", "example", "meaning"), _rows(model, base))


def _rows(model: type[BaseModel], base: type[BaseModel] | None) -> Iterator[tuple[str, str, str, str]]:
    schema = model.model_json_schema(by_alias=True)
    for name, field in model.model_fields.items():
        common = base.model_fields.get(name) if base else None
        if name == "type" or (common is not None and _same(common, field)):
            continue  # said once, above
        key = field.alias or name
        bounds = limits(schema.get("properties", {}).get(key, {}), field)
        yield code(key), default(field), example(field), " ".join(filter(None, (field.description, bounds)))


def limits(schema: Mapping[str, Any], field: FieldInfo) -> str:
    """What a value has to be beyond its kind, in a sentence: one of some words, or within bounds."""
    found = [one for one in (schema, *schema.get("anyOf", ())) if one.get("type") != "null"]
    words = [str(word) for one in found for word in (*one.get("enum", ()), *([one["const"]] if "const" in one else ()))]
    if words:
        return f"One of {', '.join(map(code, words))}."
    shown = durations.show if _is_duration(field) else _plain
    said = []
    for word, bound in (("at least", "ge"), ("more than", "gt"), ("at most", "le"), ("less than", "lt")):
        for one in field.metadata:
            value = getattr(one, bound, None)
            if isinstance(value, int | float) and not (bound in ("ge", "gt") and value == 0):
                said.append(f"{word} {shown(float(value))}")
    return (" and ".join(said) + ".").capitalize() if said else ""


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _same(one: FieldInfo, other: FieldInfo) -> bool:
    return default(one) == default(other) and one.description == other.description


def nested(
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
        for further in nested(inner, f"{key}.", told):
            told |= {further[1]}
            yield further


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def default(field: FieldInfo) -> str:
    """What the setting is when it is left out; empty when that is nothing."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or value in ("", (), [], {}):
        return ""
    if isinstance(value, BaseModel):
        return "below"
    return code(_shown(value, field))


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


def example(field: FieldInfo) -> str:
    """The setting's first example, as it would stand in the file."""
    return code(flow(field.examples[0])) if field.examples else ""


def flow(value: Any, *, inside: bool = False) -> str:
    """*value* in YAML, on one line."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case Mapping():
            return "{" + ", ".join(f"{key}: {flow(each, inside=True)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(flow(each, inside=True) for each in value) + "]"
        case str():
            return _scalar(value, inside=inside)
    return str(value)


def _scalar(text: str, *, inside: bool) -> str:
    """*text*, quoted where YAML would read something else."""
    odd = not text or text[0] in "!&*-?|>%@`\"'#{}[],:" or ": " in text or " #" in text or text.strip() != text
    odd = odd or (inside and any(mark in text for mark in ",{}[]")) or not _is_text(text)
    return "'" + text.replace("'", "''") + "'" if odd else text


def _is_text(text: str) -> bool:
    """Whether YAML reads *text* as the text that it is."""
    import yaml

    try:
        return bool(yaml.safe_load(text) == text)
    except yaml.YAMLError:
        return False


def sample(name: str) -> Iterator[str]:
    """The worked example called *name*: of a type, or of a whole file."""
    file = _EXAMPLES / f"{name}.yml"
    if file.exists():
        yield ""
        yield "```yaml configuration"
        yield from file.read_text("utf-8").rstrip().splitlines()
        yield "```"

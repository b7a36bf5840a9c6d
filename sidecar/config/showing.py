"""A configuration as it may be shown: what runs, with nothing secret in it."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from sidecar.config.settings import Settings
from sidecar.secrets import MASK, redact


def effective(settings: Settings, checks: Iterable[BaseModel], channels: Iterable[BaseModel]) -> dict[str, Any]:
    """File, environment and defaults together, as plain values in the order of the file."""
    values = shown(settings)
    values["checks"] = [shown(item) for item in checks]
    values["channels"] = [shown(item) for item in channels]
    return values


def shown(item: BaseModel) -> dict[str, Any]:
    """The settings of *item*, without what may hold a secret although it is none: the body of a request, a query."""
    fields = {field.alias or name: (name, field) for name, field in type(item).model_fields.items()}
    found = {}
    for key, value in item.model_dump(mode="json").items():
        name, field = fields.get(key, (key, None))
        if field is not None and not field.repr:
            found[key] = MASK if value else value
        else:
            found[key] = _without(value, getattr(item, name, None))
    return found


def _without(value: Any, of: Any) -> Any:
    """*value* as it may be shown; *of* is what it was made from, which knows its fields."""
    if isinstance(of, BaseModel):
        return shown(of)
    if isinstance(value, list) and isinstance(of, list | tuple) and len(value) == len(of):
        return [_without(one, its) for one, its in zip(value, of, strict=True)]
    if isinstance(value, dict) and isinstance(of, dict) and value.keys() == of.keys():
        return {key: _without(one, of[key]) for key, one in value.items()}
    return redact(re.sub(r"(://[^\s?#]*)[?#]\S+", rf"\1?{MASK}", value)) if isinstance(value, str) else value

"""The page about the HTTP API, and its description for programs."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sidecar import app, config
from sidecar.api.openapi import document
from sidecar.services.late import all_of
from writers.markdown import MADE, anchor, code, heading, table

Json = Mapping[str, Any]

_FORM: Final = "application/x-www-form-urlencoded"
_AREAS: Final = (
    ("Health and metrics", ("/health", "/metrics", "/-/")),
    ("Queries, in Prometheus' shape", ("/api/v1/query", "/api/v1/series", "/api/v1/label", "/api/v1/metadata")),
    ("Checks", ("/api/v1/checks",)),
    ("Alerts, silences and rules", ("/api/v1/alerts", "/api/v1/acks", "/api/v1/silences", "/api/v1/rules")),
    ("Events and heartbeats", ("/api/v1/events", "/api/v1/heartbeats")),
    ("Messages, history and the daemon", ("/api/v1/",)),
    ("Status page and badges, for browsers", ("/",)),
)


@cache
def description() -> dict[str, Any]:
    """OpenAPI 3.1 of every route that the daemon serves."""

    async def found() -> dict[str, Any]:
        async with app.build(config.parse("checks: []", "sidecar.yml", folder=Path())) as daemon:
            return document(all_of(daemon.routes(lambda: True)), version("claude-sidecar"))

    described: dict[str, Any] = json.loads(json.dumps(asyncio.run(found())))
    return described


def as_json() -> Iterator[str]:
    """The description, for programs."""
    yield json.dumps(description(), indent=1, ensure_ascii=False)


def page() -> Iterator[str]:
    """Every route: what it is for, what it takes, what it answers."""
    found = description()
    yield "# HTTP API"
    yield ""
    yield f"{MADE} For programs: [openapi.json](../openapi.json), OpenAPI 3.1; a running daemon serves its own at"
    yield "`/api/v1/openapi.json`."
    yield ""
    yield 'Answers of `/api/v1/` are JSON in Prometheus\' envelope, `{"status": "success", "data": …}`; a problem is'
    yield '`{"status": "error", "errorType": …, "error": …}`. Where `http.token` is set, requests need'
    yield "`Authorization: Bearer TOKEN`."
    left = list(found["paths"])
    for title, prefixes in _AREAS:
        paths = [path for path in left if path.startswith(prefixes)]
        left = [path for path in left if path not in paths]
        if paths:
            yield from heading(title)
        bare = [path for path in paths if "summary" not in found["paths"][path].get("get", {"summary": ""})]
        if bare:
            yield f"Pages: {', '.join(map(code, bare))}."
        for path in paths:
            for methods, operation in _joined(found["paths"][path]) if path not in bare else ():
                yield from _operation(methods, path, operation)
    yield from heading("Types")
    for name, schema in found["components"]["schemas"].items():
        yield from _type(name, schema)


def _joined(operations: Json) -> Iterator[tuple[str, Json]]:
    """The operations of a path, each with its methods: those that differ by nothing else are one."""
    same: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for method, operation in operations.items():
        same.setdefault((operation.get("summary", ""), tuple(sorted(_names(operation)))), []).append(method)
    for methods in same.values():
        yield ", ".join(method.upper() for method in methods), operations[methods[0]]


def _names(operation: Json) -> list[str]:
    """The names of all parameters, wherever they stand."""
    form = operation.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema", {})
    return [one["name"] for one in operation.get("parameters", ())] + list(form.get("properties", ()))


def _operation(methods: str, path: str, operation: Json) -> Iterator[str]:
    yield from heading(f"{methods} {path}", 3)
    yield operation.get("summary", "")
    form = operation.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema")
    asked: list[Json] = operation.get("parameters", [])
    given = [(one["name"], one["in"], one["required"], one.get("description", ""), one["schema"]) for one in asked]
    if form:
        needed = form.get("required", ())
        given += [
            (name, "form or query", name in needed, each.get("description", ""), each)
            for name, each in form["properties"].items()
        ]
    yield ""
    yield from table(
        ("parameter", "where", "type", "means"),
        (
            (code(name) + (", required" if needed and place != "path" else ""), place, _shape(schema), text)
            for name, place, needed, text, schema in given
        ),
    )
    body = operation.get("requestBody")
    if body and not form:
        yield ""
        types = ", ".join(f"{code(type_)}{_of(content['schema'])}" for type_, content in body["content"].items())
        yield f"Body: {body.get('description', '')} {types}."
    yield ""
    for status, answer in operation["responses"].items():
        yield f"- {_answer(status, answer)}"


def _answer(status: str, answer: Json) -> str:
    (content,) = answer.get("content", {"": {"schema": {}}}).items()
    schema = content[1]["schema"]
    data = schema.get("properties", {}).get("data")
    shape = f"`data`: {_shape(data)}" if data is not None else _shape(schema)
    kind = f" ({content[0]})" if content[0] not in ("", "application/json") else ""
    text = "" if answer["description"] in ("The answer.", "OK") else f" {answer['description']}"
    return f"{'otherwise' if status == 'default' else status}:{text}{' ' + shape if shape else ''}{kind}"


def _of(schema: Json) -> str:
    shape = _shape(schema)
    return f" ({shape})" if shape else ""


def _type(name: str, schema: Json) -> Iterator[str]:
    yield from heading(name, 3)
    text = schema.get("description", "").partition("\n")[0]
    if text:
        yield text
        yield ""
    if "enum" in schema:
        yield ", ".join(code(word) for word in schema["enum"]) + "."
    yield from table(
        ("field", "type", "means"),
        ((code(key), _shape(each), each.get("description", "")) for key, each in schema.get("properties", {}).items()),
    )


def _shape(schema: Json) -> str:
    """*schema* in a few words, with links to types."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{anchor(name)})"
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(code(word) for word in schema["enum"])
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(filter(None, map(_shape, schema[key]))))
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(map(_shape, schema['prefixItems']))}]"
        case "array":
            return f"list of {_shape(schema.get('items', {})) or 'anything'}"
        case "object" if isinstance(inner := schema.get("additionalProperties"), Mapping):
            return f"object of {_shape(inner) or 'anything'}"
        case str(kind):
            return kind
    return ""

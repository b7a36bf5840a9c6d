"""The description of the API: OpenAPI 3.1, made from what the routes declare."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from sidecar.api.endpoint import Operation, adapter, operation_of
from sidecar.api.problems import Problem

_REF: Final = "#/components/schemas/{model}"
_INFO: Final = (
    "What the sidecar watches, what it found, and what it told whom. What shares a path with Prometheus' HTTP API "
    "answers in its shape, with fields of ours beside; Grafana and promtool can ask here."
)
_VARIABLE: Final = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}")
_METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH")

Key = tuple[Any, JsonSchemaMode]


def document(routes: Iterable[web.RouteDef], version: str) -> dict[str, Any]:
    """The description of *routes*; one that declares nothing is described as far as its path tells."""
    found = [(route, operation_of(route)) for route in routes if route.method in _METHODS]
    schemas = _Schemas(operation for _, operation in found if operation is not None)
    paths: dict[str, dict[str, Any]] = {}
    for route, operation in found:
        described = _undeclared(route) if operation is None else _operation(route, operation, schemas)
        paths.setdefault(_path(route), {})[route.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "claude-sidecar",
            "version": version,
            "description": _INFO,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`http.token`, where one is configured."}
            },
        },
        "security": [{}, {"token": []}],
    }


class _Schemas:
    """The JSON schemas of every type that operations name, each written once."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        keys: dict[Key, TypeAdapter[Any]] = {(Problem, "serialization"): adapter(Problem)}
        for operation in operations:
            keys[operation.answers, "serialization"] = adapter(operation.answers)
            for type_ in operation.body.types.values() if operation.body else ():
                if type_ is not None:
                    keys[type_, "validation"] = adapter(type_)
        names = {key: str(number) for number, key in enumerate(keys)}
        inputs = [(names[key], key[1], type_) for key, type_ in keys.items()]
        found, shared = TypeAdapter.json_schemas(inputs, by_alias=True, ref_template=_REF)
        self.definitions: dict[str, Any] = shared.get("$defs", {})
        self._found = {key: found[names[key], key[1]] for key in keys}

    def answer(self, type_: Any) -> Mapping[str, Any]:
        """The schema of an answer of that type."""
        return self._found[type_, "serialization"]

    def sent(self, type_: Any) -> Mapping[str, Any]:
        """The schema of a body of that type."""
        return self._found[type_, "validation"]

    def parameters(self, asks: type[BaseModel]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
        """Name, schema and whether it is required, of each parameter."""
        schema = asks.model_json_schema(by_alias=True, ref_template=_REF)
        self.definitions |= schema.get("$defs", {})
        for name, each in schema.get("properties", {}).items():
            yield name, each, name in schema.get("required", ())


def _operation(route: web.RouteDef, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {"operationId": _id(route), "summary": operation.summary}
    parameters = list(_parameters(route, operation, schemas))
    if parameters:
        found["parameters"] = parameters
    body = _body(route, operation, schemas)
    if body:
        found["requestBody"] = body
    found["responses"] = _responses(operation, schemas)
    return found


def _parameters(route: web.RouteDef, operation: Operation, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    for name, schema, required in schemas.parameters(operation.asks):
        in_path = f"{{{name}}}" in _path(route)
        if operation.form and not in_path:
            continue
        yield {
            "name": name,
            "in": "path" if in_path else "query",
            "required": required or in_path,
            "description": schema.get("description", ""),
            "schema": _plain(schema),
        }


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """*schema* without what its place says already, without null, which nobody can send, and without odd defaults."""
    if "anyOf" in schema:
        (schema,) = [each for each in schema["anyOf"] if each != {"type": "null"}]
    # A default of seconds, where text such as 5m is sent.
    odd = schema.get("type") == "string" and not isinstance(schema.get("default"), str)
    dropped = {"title", "description"} | ({"default"} if odd else set())
    return {key: value for key, value in schema.items() if key not in dropped}


def _body(route: web.RouteDef, operation: Operation, schemas: _Schemas) -> dict[str, Any] | None:
    if operation.body is not None:
        content = {
            type_: {"schema": {} if model is None else dict(schemas.sent(model))}
            for type_, model in operation.body.types.items()
        }
        return {"description": operation.body.description, "required": operation.body.required, "content": content}
    if not operation.form:
        return None
    found = [each for each in schemas.parameters(operation.asks) if f"{{{each[0]}}}" not in _path(route)]
    required = [name for name, _, needed in found if needed]
    fields = {name: {"description": schema.get("description", "")} | _plain(schema) for name, schema, _ in found}
    form = {"type": "object", "properties": fields, "required": required}
    return {"required": bool(required), "content": {"application/x-www-form-urlencoded": {"schema": form}}}


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    good = {"content": {operation.content_type: {"schema": _enveloped(operation, schemas)}}}
    found: dict[str, Any] = {"200": {"description": "The answer.", **good}}
    problem = {"content": {"application/json": {"schema": dict(schemas.answer(Problem))}}}
    for status, text in sorted(operation.statuses.items()):
        found[str(status)] = {"description": text, **(good if status < 300 else problem)}
    found |= {str(status): {"description": text, **good} for status, text in operation.also.items()}
    if operation.content_type == "application/json":
        found["default"] = {"description": "Whatever else can be wrong with a request.", **problem}
    return found


def _enveloped(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    schema = dict(schemas.answer(operation.answers))
    if not operation.enveloped:
        return schema
    notes = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "properties": {"status": {"const": "success"}, "data": schema, "warnings": notes, "infos": notes},
        "required": ["status", "data"],
    }


def _undeclared(route: web.RouteDef) -> dict[str, Any]:
    names = _VARIABLE.findall(route.path)
    found: dict[str, Any] = {"operationId": _id(route)}
    if names:
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    return {**found, "responses": {"default": {"description": HTTPStatus.OK.phrase}}}


def _path(route: web.RouteDef) -> str:
    """The route's path with the names of its variables, and without what they must look like."""
    return _VARIABLE.sub(r"{\1}", route.path)


def _id(route: web.RouteDef) -> str:
    """A name for programs that are made from the description."""
    words = [word.strip("{}").replace("-", "_").replace(".", "_") for word in _path(route).split("/") if word]
    return "_".join([route.method.lower(), *filter(None, words)]).replace("__", "_")

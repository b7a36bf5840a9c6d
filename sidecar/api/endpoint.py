"""Routes whose own types say what they ask for and what they answer.

A handler takes one frozen model, its parameters, and returns a value of the type that it declares. Both work and
description are made of these types, so that they cannot tell two stories. Every answer of ours has Prometheus'
envelope: `{"status": "success", "data": …}`.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from aiohttp import hdrs, web
from multidict import MultiDict
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sidecar.api.problems import ApiError, Word, bad_parameters
from sidecar.promql import LimitExceeded, QueryError
from sidecar.secrets import redact

Q = TypeVar("Q", bound=BaseModel)
A = TypeVar("A")

_OPERATION: Final = "operation"
_FORM: Final = "application/x-www-form-urlencoded"


class Asked(BaseModel):
    """Parameters, each one known: a misspelt one is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class AskedAsPrometheus(Asked):
    """Parameters of which others are ignored, as Prometheus does: its clients send more than we know."""

    model_config = ConfigDict(extra="ignore")


class Nothing(Asked):
    """No parameters."""


class Part(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Answer(Generic[A]):
    """An answer with more to it than its data. *data* may be JSON already, of a value of that type."""

    data: A | bytes
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    status: int = 200


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries."""

    description: str
    types: Mapping[str, Any]  # by content type: the Python type whose schema it has, or None for plain bytes
    required: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route asks for and answers."""

    summary: str
    answers: Any  # the type of what it answers
    asks: type[BaseModel] = Nothing
    enveloped: bool = True  # the answer is the `data` of `{"status": "success", …}`
    content_type: str = "application/json"
    form: bool = False  # parameters may come as a form, too
    body: Body | None = None
    statuses: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """Answers with another status than 200: those of 300 and more are problems, the others have the same type."""
    also: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    """Bad news with the same type of answer."""


Function = Callable[[Q], Awaitable[Any]]
"""Takes its parameters and returns what its annotation says, or an Answer of that."""


def get(path: str, handler: Function[Q], summary: str, statuses: Mapping[int, str] | None = None) -> web.RouteDef:
    """The route that answers GET with what *handler* returns."""
    return _route(hdrs.METH_GET, path, handler, summary, statuses)


def post(path: str, handler: Function[Q], summary: str, statuses: Mapping[int, str] | None = None) -> web.RouteDef:
    """The route that answers POST; the parameters may stand in a form."""
    return _route(hdrs.METH_POST, path, handler, summary, statuses)


def delete(path: str, handler: Function[Q], summary: str, statuses: Mapping[int, str] | None = None) -> web.RouteDef:
    """The route that answers DELETE."""
    return _route(hdrs.METH_DELETE, path, handler, summary, statuses)


def both(
    path: str, handler: Function[Q], summary: str, statuses: Mapping[int, str] | None = None
) -> list[web.RouteDef]:
    """GET and POST, for questions that may be too long for an address."""
    return [get(path, handler, summary, statuses), post(path, handler, summary, statuses)]


def described(route: web.RouteDef, operation: Operation) -> web.RouteDef:
    """*route*, whose handler speaks aiohttp, with its description."""
    setattr(route.handler, _OPERATION, operation)
    return route


def operation_of(route: web.RouteDef) -> Operation | None:
    """What *route* declares."""
    found = getattr(route.handler, _OPERATION, None)
    return found if isinstance(found, Operation) else None


def _route(
    method: str, path: str, handler: Function[Q], summary: str, statuses: Mapping[int, str] | None
) -> web.RouteDef:
    hints = get_type_hints(handler)
    answers = hints.pop("return")
    (asks,) = hints.values()
    if get_origin(answers) is Answer:
        (answers,) = get_args(answers)
    form = method == hdrs.METH_POST and any(f"{{{name}}}" not in path for name in _aliases(asks))
    operation = Operation(summary, answers, asks, form=form, statuses=statuses or {})

    async def respond(request: web.Request) -> web.Response:
        try:
            found = await handler(await _asked(request, asks, form=form))
        except ApiError as exc:
            return exc.response()
        except LimitExceeded as exc:
            return ApiError(Word.EXECUTION, str(exc)).response()
        except QueryError as exc:
            return ApiError(Word.BAD_DATA, str(exc)).response()
        answer: Answer[Any] = found if isinstance(found, Answer) else Answer(found)
        return web.Response(
            body=b"".join(_written(answer, operation)), status=answer.status, content_type="application/json"
        )

    return described(web.RouteDef(method, path, respond, {}), operation)


async def _asked(request: web.Request, asks: type[Q], *, form: bool) -> Q:
    """The parameters: of the path, then of the form, then of the query; of two of one name the first."""
    given: MultiDict[str] = MultiDict(request.match_info)
    if form and request.can_read_body:
        if request.content_type != _FORM:
            raise ApiError(Word.UNSUPPORTED, f"got a body of the type {request.content_type!r}, expected {_FORM}")
        given.extend((name, value) for name, value in (await request.post()).items() if isinstance(value, str))
    given.extend(request.query)
    aliases = _aliases(asks)
    values: dict[str, Any] = {
        name: given[name] for name in given if name not in aliases and asks.model_config.get("extra") == "forbid"
    }
    for alias, many in aliases.items():
        if alias in given:
            values[alias] = given.getall(alias) if many else given[alias]
    try:
        return asks.model_validate(values)
    except ValidationError as exc:
        raise bad_parameters(exc) from None


def _aliases(asks: type[BaseModel]) -> Mapping[str, bool]:
    """The parameters' names as they are sent, and whether one may come more than once."""
    return {f.alias or name: get_origin(f.annotation) is tuple for name, f in asks.model_fields.items()}


def _written(answer: Answer[Any], operation: Operation) -> Iterable[bytes]:
    yield b'{"status":"success","data":'
    yield answer.data if isinstance(answer.data, bytes) else written(answer.data, operation.answers)
    for name, lines in (("warnings", answer.warnings), ("infos", answer.infos)):
        if lines:
            yield f',"{name}":{dumped(list(lines))}'.encode("utf-8", "replace")
    yield b"}"


def written(value: Any, type_: Any) -> bytes:
    """*value* as JSON, with nothing secret in it; what is no number is null."""
    return dumped(adapter(type_).dump_python(value, mode="json", by_alias=True)).encode("utf-8", "replace")


def dumped(value: Any) -> str:
    """*value*, made of lists, dicts and plain values, as JSON with nothing secret in it; what is no number is null."""
    return _dumps(value if _is_harmless(value) else redacted(value))


def _is_harmless(value: Any) -> bool:
    """Whether there is nothing to redact: to look once at the whole is much cheaper than to look at each text."""
    try:
        text = json.dumps(value, allow_nan=False)  # in ASCII, as `redact` knows secrets in JSON
    except ValueError:
        return False
    return redact(text) == text


def redacted(value: Any) -> Any:
    """*value*, made of lists, dicts and plain values, with each text redacted."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {name: redacted(each) for name, each in value.items()}
        case list():
            return [redacted(each) for each in value]
        case float() if value - value != 0:
            return None
    return value


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@lru_cache(256)
def adapter(type_: Any) -> TypeAdapter[Any]:
    """What pydantic knows of a type; made when it is needed for the first time."""
    return TypeAdapter(type_)

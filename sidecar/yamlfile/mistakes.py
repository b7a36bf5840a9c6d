"""What a model says about a document, in words for the person who wrote it."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from sidecar.model import durations
from sidecar.model.credentials import is_telling
from sidecar.model.errors import Mistake
from sidecar.yamlfile.document import Document, join

_KINDS: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}

_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def mistakes_of(
    error: ValidationError,
    document: Document,
    prefix: str = "",
    model: type[BaseModel] | None = None,
    elsewhere: Callable[[str], str] = lambda _: "",
) -> tuple[Mistake, ...]:
    """Each error of *error* as a mistake at its place in *document*, below *prefix*.

    *model* is what was validated; with it an unknown key is answered with the known ones. Values of fields whose name
    looks like a secret's are never shown. *elsewhere* names where a path's value comes from if not from the document.
    """
    errors = error.errors(include_url=False)
    told = [details for details in errors if not _only_follows(details, errors)]
    return tuple({_mistake(details, document, prefix, model, elsewhere): None for details in told})


def suggest(word: str, known: Sequence[str]) -> str:
    """`did you mean 'x'? known: …` for a *word* that is not one of *known*."""
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(known)}" if known else hint.strip()


def _only_follows(details: Any, errors: Sequence[Any]) -> bool:
    """Whether a list is too short only because its entries are wrong, each of which is told for itself."""
    if details["type"] != "too_short" or len(details["input"]) < details["ctx"]["min_length"]:
        return False
    depth = len(details["loc"])
    return any(len(other["loc"]) > depth and other["loc"][:depth] == details["loc"] for other in errors)


def _mistake(
    details: Any, document: Document, prefix: str, model: type[BaseModel] | None, elsewhere: Callable[[str], str]
) -> Mistake:
    loc: tuple[str | int, ...] = details["loc"]
    path = prefix
    place = elsewhere(reduce(join, loc, prefix))
    if place:
        document, path = Document(None, place, {}), reduce(join, loc, prefix)
    for i, step in enumerate(() if place else loc):
        inside = join(path, step)
        if inside in document.lines:
            path = inside
        elif i == len(loc) - 1 and details["type"] != "union_tag_invalid" and step != "[key]":
            path = inside  # a key that is missing has no line; its parent's is the nearest
    secret = any(is_telling(str(step)) for step in loc)
    if details["type"] in _BOUNDS and not secret:
        message = _out_of_bounds(details, written_as_text=path in document.lines and document.text(path) is None)
    else:
        message = _message(details, secret=secret, known=_known(model, loc[:-1]) if model else ())
    return Mistake(document.file_of(path), document.line(path), path, message)


def _message(details: Any, *, secret: bool, known: Sequence[str]) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    got = f"got {'***' if secret else _shown(value)}"
    if kind == "extra_forbidden":
        hint = suggest(str(details["loc"][-1]), known)
        return f"unknown key; {hint}" if hint else "unknown key"
    if kind == "missing":
        return "is missing"
    if kind in ("literal_error", "enum"):
        expected = str(context.get("expected", ""))
        words = re.findall(r"'([^']*)'", expected)
        close = difflib.get_close_matches(str(value), words, n=1) if not secret else ()
        return f"{got}, expected {expected}" + (f"; did you mean {close[0]!r}?" if close else "")
    if kind in ("value_error", "assertion_error"):
        text = str(context.get("error", details["msg"]))
        if secret:
            text = _masked(text, value)
        # Of a secret's {env: NAME} that is not there, the text says what was found; that it is hidden says nothing.
        return text if text.startswith(("got ", "the environment ")) else f"{got}: {text}"
    if kind == "too_short":
        return f"got {context['actual_length']} entries, expected at least {context['min_length']}"
    if kind == "string_pattern_mismatch":
        return f"{got}, expected text that matches {context.get('pattern')}"
    if kind in _KINDS:
        # A text in the place of several things is often one with a credential in it: `headers: "X-Key: …"`.
        whole = isinstance(value, str) and _KINDS[kind] in ("a list", "a mapping")
        return f"{'got a text' if whole else got}, expected {_KINDS[kind]}"
    text = str(details["msg"])
    if secret:
        text = _masked(text, value)
    for opening in ("Input should be ", "Value should be "):
        if text.startswith(opening):
            return f"{got}, expected {text.removeprefix(opening)}"
    return f"{got}: {text[:1].lower()}{text[1:]}"


def _out_of_bounds(details: Any, *, written_as_text: bool) -> str:
    """A number beyond a bound; one that was written as text was a duration and is shown as one."""
    key, words = _BOUNDS[details["type"]]
    value, bound = details["input"], details["ctx"][key]
    if written_as_text and isinstance(value, float):
        return f"got {durations.show(value)}, expected {words} {durations.show(bound)}"
    return f"got {_shown(value)}, expected {words} {bound}"


def _masked(text: str, value: Any) -> str:
    """*text* without *value*, as it is and as Python shows it."""
    for shown in (repr(value), repr(str(value)), repr(value)[1:-1], str(value)):
        if len(shown) > 1:
            text = text.replace(shown, "***")
    return text


def _shown(value: Any) -> str:
    match value:
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str() if len(value) > 60:
            return repr(value[:57] + "…")
        case str() | int() | float():
            return repr(value)[:60]
    return f"a {type(value).__name__}"


def _known(model: type[BaseModel], loc: Sequence[str | int]) -> tuple[str, ...]:
    """The keys of the model at *loc* inside *model*; empty when there is no telling."""
    models: list[type[BaseModel]] = [model]
    for step in loc:
        if not isinstance(step, str):
            continue
        fields = [f for m in models for name, f in m.model_fields.items() if step in (name, f.alias)]
        if fields:
            models = [m for f in fields for m in _models(f.annotation)]
    if len(models) != 1:
        return ()
    return tuple(field.alias or name for name, field in models[0].model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a field's type mentions: `X | None`, `list[X]`, `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)

"""The page about the Python client."""

import inspect
from collections.abc import Iterator
from dataclasses import fields

from sidecar.client import Client, Stats, Timer
from writers.markdown import MADE, block, heading, line, paragraphs


def page() -> Iterator[str]:
    """Every call, from its signature and its docstring."""
    yield "# Python client"
    yield ""
    yield f"{MADE} How to use it: [beside your own gateway](../guides/own-gateway.md)."
    yield "It needs nothing but the standard library: `from sidecar.client import Client`."
    yield from heading("Client")
    yield from _described("Client", Client)
    for name, method in vars(Client).items():
        if inspect.isfunction(method) and not name.startswith("_") and method.__name__ == name:
            yield from heading(f"Client.{name}", 3)
            yield from _described(name, method)
    yield "`histogram` is another name of `observe`. A client is a context manager that closes itself."
    yield from heading("Timer")
    yield line(inspect.cleandoc(Timer.__doc__ or ""))
    yield from heading("Stats")
    yield from paragraphs(inspect.cleandoc(Stats.__doc__ or ""))
    yield f"Fields: {', '.join(f'`{field.name}`' for field in fields(Stats))}."


def _described(name: str, of: object) -> Iterator[str]:
    signature = inspect.signature(of)  # type: ignore[arg-type]  # a class or a function, both of which have one
    shown = [(one.kind, _parameter(one)) for one in signature.parameters.values() if one.name != "self"]
    written = []
    for n, (kind, text) in enumerate(shown):
        if kind is inspect.Parameter.KEYWORD_ONLY and (n == 0 or shown[n - 1][0] is not kind):
            written.append("*")
        written.append(text)
        if kind is inspect.Parameter.POSITIONAL_ONLY and (n + 1 == len(shown) or shown[n + 1][0] is not kind):
            written.append("/")
    yield from block("text", f"{name}({', '.join(written)})")
    yield ""
    yield from paragraphs(inspect.cleandoc(getattr(of, "__doc__", "") or ""))


def _parameter(parameter: inspect.Parameter) -> str:
    """A parameter with its default, where that says something."""
    star = "**" if parameter.kind is inspect.Parameter.VAR_KEYWORD else ""
    if parameter.default is inspect.Parameter.empty:
        return star + parameter.name
    if type(parameter.default) is object:
        return f"{parameter.name}=…"
    return f"{parameter.name}={parameter.default!r}"

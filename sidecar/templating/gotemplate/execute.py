"""Carrying a template out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any, Final

from sidecar.templating.gotemplate.nodes import (
    Action,
    Branch,
    Constant,
    Dot,
    Fields,
    Function,
    Leave,
    Nodes,
    Operand,
    Pipe,
    Template,
    TemplateError,
    Text,
    Variable,
)
from sidecar.templating.gotemplate.printing import show, type_name

MAX_OUTPUT: Final = 64 * 1024
"""How many characters a template may produce."""
MAX_STEPS: Final = 20_000
"""How many actions it may carry out."""

Functions = Mapping[str, Callable[..., Any]]


class _Left(Exception):  # noqa: N818 -- `break` and `continue` on their way to their `range`
    pass


def execute(template: Template, dot: Any, functions: Functions, variables: Mapping[str, Any]) -> str:
    """The text of *template*; raises TemplateError."""
    run = _Run(functions, [("$", dot), *variables.items()])
    try:
        run.nodes(template.nodes, dot)
    except RecursionError as exc:
        raise TemplateError("is nested too deep") from exc
    return "".join(run.out)


class _Run:
    def __init__(self, functions: Functions, variables: list[tuple[str, Any]]) -> None:
        self.functions = functions
        self.variables = variables
        self.out: list[str] = []
        self.size = 0
        self.steps = 0

    def nodes(self, nodes: Nodes, dot: Any) -> None:
        for node in nodes:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise TemplateError(f"takes more than {MAX_STEPS:,} steps")
            match node:
                case Text():
                    self._write(node.text)
                case Action():
                    value = self.pipe(node.pipe, dot)
                    if not node.pipe.declares:
                        self._write("<no value>" if value is None else show(value))
                case Branch():
                    scope = len(self.variables)
                    self._branch(node, dot)
                    del self.variables[scope:]
                case Leave():
                    raise _Left(node.kind)

    def _write(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise TemplateError(f"is longer than {MAX_OUTPUT:,} characters")
        self.out.append(text)

    def _branch(self, node: Branch, dot: Any) -> None:
        if node.kind == "range":
            self._range(node, dot)
            return
        value = self.pipe(node.pipe, dot)
        if truth(value):
            self.nodes(node.body, value if node.kind == "with" else dot)
        else:
            self.nodes(node.orelse, dot)

    def _range(self, node: Branch, dot: Any) -> None:
        scope = len(self.variables)
        pipe = Pipe(node.pipe.commands)
        value = self.pipe(pipe, dot)
        empty = True
        for key, item in _items(value):
            empty = False
            del self.variables[scope:]
            names = node.pipe.declares
            for name, one in zip(names, (key, item) if len(names) > 1 else (item,), strict=False):
                self._set(name, one, assigns=node.pipe.assigns)
            try:
                self.nodes(node.body, item)
            except _Left as left:
                if left.args[0] == "break":
                    break
        if empty:
            self.nodes(node.orelse, dot)

    def _set(self, name: str, value: Any, *, assigns: bool) -> None:
        if assigns:
            for i in range(len(self.variables) - 1, -1, -1):
                if self.variables[i][0] == name:
                    self.variables[i] = (name, value)
                    return
        self.variables.append((name, value))

    def pipe(self, pipe: Pipe, dot: Any) -> Any:
        value: Any = None
        for i, command in enumerate(pipe.commands):
            value = self._command(command, dot, (value,) if i else ())
        for name in pipe.declares:
            self._set(name, value, assigns=pipe.assigns)
        return value

    def _command(self, command: tuple[Operand, ...], dot: Any, last: tuple[Any, ...]) -> Any:
        head, *rest = command
        if isinstance(head, Function):
            if head.name in ("and", "or"):
                return self._and_or(head.name, rest, dot, last)
            values = [self._operand(operand, dot) for operand in rest]
            return self._call(head.name, (*values, *last))
        if rest or last:
            raise TemplateError("a value was given arguments, expected a function")
        return self._operand(head, dot)

    def _and_or(self, name: str, rest: Sequence[Operand], dot: Any, last: tuple[Any, ...]) -> Any:
        """`and` and `or` look at no more than they need."""
        value: Any = None
        if not rest and not last:
            raise TemplateError(f"{name} was given nothing, expected at least one value")
        for operand in rest:
            value = self._operand(operand, dot)
            if truth(value) == (name == "or"):
                return value
        return last[0] if last else value

    def _call(self, name: str, values: tuple[Any, ...]) -> Any:
        function = self.functions[name]
        try:
            signature(function).bind(*values)
        except TypeError as exc:
            raise TemplateError(f"wrong number of args for {name}: got {len(values)}") from exc
        try:
            value = function(*values)
            if isinstance(value, str) and len(value) > MAX_OUTPUT:
                raise TemplateError(f"the result is longer than {MAX_OUTPUT:,} characters")
        except TemplateError as exc:
            raise TemplateError(f"error calling {name}: {exc}") from exc
        return value

    def _operand(self, operand: Operand, dot: Any) -> Any:
        match operand:
            case Dot():
                return dot
            case Constant():
                return operand.value
            case Variable():
                return next(value for name, value in reversed(self.variables) if name == operand.name)
            case Function():
                return self._command((operand,), dot, ())
            case Pipe():
                return self.pipe(operand, dot)
            case Fields():
                value = self._operand(operand.operand, dot)
                for name in operand.names:
                    value = _field(value, name)
                return value


def truth(value: Any) -> bool:
    """Whether Go's templates take *value* for true: not zero, not empty."""
    return bool(value) if isinstance(value, bool | int | float | str | Mapping | Sequence) else value is not None


def _field(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(name, "")
    fields: Mapping[str, Any] = getattr(value, "template_fields", {})
    if name not in fields:
        raise TemplateError(f"can't evaluate field {name} in type {type_name(value)}")
    return fields[name]


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return iter([(key, value[key]) for key in sorted(value)])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return iter(enumerate(value))
    if value is None:
        return iter(())
    raise TemplateError(f"range can't iterate over {show(value)}")

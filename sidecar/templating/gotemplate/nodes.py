"""What a template consists of."""

from dataclasses import dataclass
from typing import Any

from sidecar.model.errors import SidecarError


class TemplateError(SidecarError):
    """A template that cannot be read or carried out."""


@dataclass(frozen=True, slots=True)
class Dot:
    """What `.` stands for."""


@dataclass(frozen=True, slots=True)
class Constant:
    value: Any
    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str  # with its dollar sign


@dataclass(frozen=True, slots=True)
class Function:
    name: str


@dataclass(frozen=True, slots=True)
class Fields:
    """`operand.A.B`; without an operand of its own the operand is the dot."""

    operand: "Operand"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    """`$a, $b := command | command`."""

    commands: tuple[tuple["Operand", ...], ...]
    declares: tuple[str, ...] = ()
    assigns: bool = False  # `=` instead of `:=`


Operand = Dot | Constant | Variable | Function | Fields | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` or `range`, with its `else`."""

    kind: str
    pipe: Pipe
    body: "Nodes"
    orelse: "Nodes"


@dataclass(frozen=True, slots=True)
class Leave:
    """`break` or `continue`."""

    kind: str


Node = Text | Action | Branch | Leave
Nodes = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was read."""

    text: str
    nodes: Nodes

    @property
    def literal(self) -> bool:
        """Whether it is the same whatever it is given."""
        return all(isinstance(node, Text) for node in self.nodes)

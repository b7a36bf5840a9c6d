"""A template's pieces to nodes."""

import ast
import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from sidecar.templating.gotemplate.lexer import Piece, Token, pieces
from sidecar.templating.gotemplate.nodes import (
    Action,
    Branch,
    Constant,
    Dot,
    Fields,
    Function,
    Leave,
    Node,
    Nodes,
    Operand,
    Pipe,
    Template,
    TemplateError,
    Text,
    Variable,
)

MAX_DEPTH: Final = 50
"""How deep blocks and parentheses may nest."""
MAX_LENGTH: Final = 32 * 1024
"""How many characters a template may have."""

_KEYWORDS: Final = frozenset({"if", "with", "range", "else", "end", "break", "continue", "define", "template", "block"})


def parse(text: str, functions: Collection[str], variables: Collection[str] = ()) -> Template:
    """*text* as a template that may call *functions* and use *variables* (`$value`); raises TemplateError."""
    if len(text) > MAX_LENGTH:
        raise TemplateError(f"has {len(text):,} characters, expected at most {MAX_LENGTH:,}")
    parser = _Parser(list(pieces(text)), functions, ["$", *variables])
    nodes, ending = parser.block(depth=0, loop=False)
    if ending is not None:
        raise TemplateError(f"got {{{{ {ending} }}}} without an `if`, `with` or `range` before it")
    return Template(text, nodes)


class _Parser:
    def __init__(self, parts: list[Piece], functions: Collection[str], variables: list[str]) -> None:
        self.parts = parts[::-1]
        self.functions = functions
        self.variables = variables

    def block(self, *, depth: int, loop: bool) -> tuple[Nodes, str | None]:
        """Nodes up to `else`, `end` or the end of the text, and which of them it was: `else`, `else if …`, `end`."""
        nodes: list[Node] = []
        while self.parts:
            piece = self.parts.pop()
            if piece.tokens is None:
                nodes.append(Text(piece.text))
                continue
            action = _Action(piece.tokens, self)
            word = action.keyword()
            if word in ("else", "end"):
                if word == "else" and not action.done():
                    self.parts.append(Piece(piece.at, tokens=action.rest()))  # `else if` is an `if` of its own
                    return tuple(nodes), "else if"
                action.finish(word)
                return tuple(nodes), word
            if word in ("if", "with", "range"):
                nodes.append(self._branch(word, action, depth, loop=loop or word == "range"))
            elif word in ("break", "continue"):
                action.finish(word)
                if not loop:
                    raise TemplateError(f"got {{{{ {word} }}}} outside of a `range`")
                nodes.append(Leave(word))
            elif word is not None:
                raise TemplateError(f"got {{{{ {word} }}}}, which alert templates of this daemon do not have")
            else:
                pipe = action.pipe(depth)
                action.finish("command")
                nodes.append(Action(pipe))
        return tuple(nodes), None

    def _branch(self, kind: str, action: "_Action", depth: int, *, loop: bool) -> Branch:
        if depth >= MAX_DEPTH:
            raise TemplateError(f"is nested deeper than {MAX_DEPTH} blocks")
        scope = len(self.variables)
        pipe = action.pipe(depth, many=kind == "range")
        action.finish(kind)
        body, ending = self.block(depth=depth + 1, loop=loop)
        orelse: Nodes = ()
        if ending == "else":
            orelse, ending = self.block(depth=depth + 1, loop=loop)
            if ending != "end":
                raise TemplateError("got an `else` behind an `else`, expected `end`" if ending else _open(kind))
        elif ending == "else if":
            piece = self.parts.pop()
            inner = _Action(piece.tokens or (), self)
            word = inner.keyword()
            if word != kind or kind == "range":
                raise TemplateError(f"got {{{{ else {word} }}}} in `{kind}`, expected `else`, `else {kind}` or `end`")
            orelse = (self._branch(word, inner, depth + 1, loop=loop),)
        elif ending is None:
            raise TemplateError(_open(kind))
        del self.variables[scope:]
        return Branch(kind, pipe, body, orelse)


def _open(kind: str) -> str:
    return f"got the end of the text inside {{{{ {kind} }}}}, expected {{{{ end }}}}"


class _Action:
    """The tokens of one action, read from left to right."""

    def __init__(self, tokens: Sequence[Token], parser: _Parser) -> None:
        self.tokens = list(tokens)[::-1]
        self.parser = parser
        self._space()

    def keyword(self) -> str | None:
        if self.tokens and self.tokens[-1].kind == "word" and self.tokens[-1].text in _KEYWORDS:
            word = self.tokens.pop().text
            self._space()
            return word
        return None

    def done(self) -> bool:
        return not self.tokens

    def rest(self) -> tuple[Token, ...]:
        return tuple(self.tokens[::-1])

    def finish(self, what: str) -> None:
        """Nothing may be left."""
        if self.tokens:
            raise TemplateError(f"got {self.tokens[-1].text!r} behind the {what}, expected `}}}}`")

    def pipe(self, depth: int, *, many: bool = False) -> Pipe:
        """A pipeline, with the variables it declares; *many* allows `$key, $value :=`."""
        names, assigns = self._declaration(many=many)
        commands = [self._command(depth)]
        while self._take("|"):
            self._space()
            commands.append(self._command(depth))
            if isinstance(commands[-1][0], Constant | Dot):
                raise TemplateError(f"got a value behind `|`, expected a function: {_shown(commands[-1][0])}")
        if not assigns:
            self.parser.variables.extend(names)
        return Pipe(tuple(commands), names, assigns)

    def _declaration(self, *, many: bool) -> tuple[tuple[str, ...], bool]:
        signs = [t for t in self.tokens[::-1] if t.kind != "space"]
        names: list[str] = []
        for i in range(0, 4, 2):
            if len(signs) < i + 2 or signs[i].kind != "variable":
                return (), False
            names.append(signs[i].text)
            if signs[i + 1].text != ",":
                break
        sign = signs[len(names) * 2 - 1].text
        if sign not in (":=", "="):
            if "," in (sign, *(s.text for s in signs[:4])):
                raise TemplateError("got a comma, expected at most two variables before `:=`")
            return (), False
        if len(names) > 1 and not many:
            raise TemplateError("got two variables, expected one; only `range` sets two")
        for name in names:
            if sign == "=" and name not in self.parser.variables:
                raise TemplateError(f"got the variable {name}, which is not set before")
        while self.tokens.pop().text != sign:
            pass
        self._space()
        return tuple(names), sign == "="

    def _command(self, depth: int) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        while self.tokens and self.tokens[-1].text not in ("|", ")"):
            operands.append(self._operand(depth))
            if not self._space() and self.tokens and self.tokens[-1].text not in ("|", ")"):
                raise TemplateError(f"got {self.tokens[-1].text!r}, expected a space before it")
        if not operands:
            raise TemplateError("got nothing, expected a value or a function")
        return tuple(operands)

    def _operand(self, depth: int) -> Operand:
        token = self.tokens.pop()
        operand: Operand
        match token.kind:
            case "dot":
                operand = Dot()
            case "field":
                operand = Fields(Dot(), (token.text[1:],))
            case "variable":
                if token.text not in self.parser.variables:
                    raise TemplateError(f"got the variable {token.text}, which is not set before")
                operand = Variable(token.text)
            case "word":
                operand = self._word(token.text)
            case "string" | "raw" | "char" | "number":
                operand = Constant(_literal(token), token.text)
            case _ if token.text == "(":
                operand = self._parentheses(depth)
            case _:
                raise TemplateError(f"got {token.text!r}, expected a value or a function")
        names: list[str] = []
        while self.tokens and self.tokens[-1].kind == "field":
            names.append(self.tokens.pop().text[1:])
        if not names:
            return operand
        if isinstance(operand, Constant | Dot | Function):
            raise TemplateError(f"got .{names[0]} behind {_shown(operand)}, which has no fields")
        if isinstance(operand, Fields):
            return Fields(operand.operand, (*operand.names, *names))
        return Fields(operand, tuple(names))

    def _word(self, word: str) -> Operand:
        if word in ("true", "false"):
            return Constant(word == "true", word)
        if word == "nil":
            return Constant(None, word)
        if word in _KEYWORDS or word not in self.parser.functions:
            raise TemplateError(
                f"got the function {word!r}, expected one of: {', '.join(sorted(self.parser.functions))}"
            )
        return Function(word)

    def _parentheses(self, depth: int) -> Pipe:
        if depth >= MAX_DEPTH:
            raise TemplateError(f"is nested deeper than {MAX_DEPTH} parentheses")
        self._space()
        pipe = self.pipe(depth + 1)
        if not self._take(")"):
            raise TemplateError("got the end of the action, expected `)`")
        return pipe

    def _take(self, text: str) -> bool:
        self._space()
        if self.tokens and self.tokens[-1].text == text:
            self.tokens.pop()
            return True
        return False

    def _space(self) -> bool:
        found = False
        while self.tokens and self.tokens[-1].kind == "space":
            self.tokens.pop()
            found = True
        return found


def _shown(operand: Operand) -> str:
    match operand:
        case Constant():
            return operand.text
        case Function():
            return operand.name
    return "`.`"


def _literal(token: Token) -> Any:
    text = token.text
    if token.kind == "raw":
        return text[1:-1].replace("\r", "")
    if token.kind == "number":
        if text.lstrip("+-")[:2] in ("0x", "0X"):
            return int(text, 16)
        return float(text) if re.search(r"[.eE]", text) else int(text)
    try:
        value = unquote(text)
    except ValueError as exc:
        raise TemplateError(f"got {text}, expected a literal with Go's escapes") from exc
    if token.kind == "char":
        if len(value) != 1:
            raise TemplateError(f"got {text}, expected one character between single quotes")
        return ord(value)
    return value


_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))", re.DOTALL
)


def unquote(text: str) -> str:
    """What Go reads between the quotes of *text*; raises ValueError for an escape it does not have."""

    def escape(found: re.Match[str]) -> bytes:
        letter, octal, byte, short, long, other = found.groups()
        if letter:
            return str(ast.literal_eval(f'"\\{letter}"')).encode()
        if octal or byte:
            code = int(octal, 8) if octal else int(byte, 16)
            if code > 0xFF:
                raise ValueError(f"\\{octal} is no byte")
            return bytes([code])
        if other is not None:
            raise ValueError(f"\\{other} is no escape")
        return chr(int(short or long, 16)).encode()

    inner, out, at = text[1:-1], b"", 0
    for found in _ESCAPE.finditer(inner):
        out += inner[at : found.start()].encode() + escape(found)
        at = found.end()
    return (out + inner[at:].encode()).decode("utf-8", "replace")

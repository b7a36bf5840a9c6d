"""Says what is wrong with an expression that the parser refuses without a place."""

import re
from typing import Final

from sidecar.promql.errors import QueryError, Unsupported
from sidecar.promql.lexer import WORD_OPERATORS, Token, near

_MODIFIERS: Final = frozenset({"bool", "on", "ignoring", "group_left", "group_right", "by", "without"})
_AFTER_BINARY: Final = frozenset({"bool", "on", "ignoring", "group_left", "group_right"})
_FILLS: Final = frozenset({"fill", "fill_left", "fill_right"})
_AGGREGATIONS: Final = frozenset(
    {
        "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar",
        "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio",
    }
)  # fmt: skip
_TYPE: Final = re.compile(r"(?<!instant )(?<!range )(?<!')\b(?:matrix|vector)\b(?! selector)")
_QUOTED: Final = re.compile(r"'(\w+)'")
_TYPES: Final = {"matrix": "range vector", "vector": "instant vector"}


def refuse_unsupported(text: str, found: list[Token]) -> None:
    """Refuse the syntax of experimental features, which the parser would call a plain mistake."""
    brackets: list[str] = []
    for token, before in zip(found, [None, *found], strict=False):
        if token.text in ("</", ">/"):
            raise Unsupported(f"{near(text, token.start)}: {token.text} trims native histograms, not supported here")
        if token.kind == "open":
            if brackets and brackets[-1] == "[":
                raise _duration_expression(text, token)
            brackets.append(token.text)
        elif token.kind == "close":
            brackets.pop()
        elif token.kind == "operator" and brackets and brackets[-1] == "[":
            raise _duration_expression(text, token)
        elif token.text in ("anchored", "smoothed") and _ends_operand(before):
            raise Unsupported(f"{near(text, token.start)}: {token.text} is experimental and not supported here")
        elif token.text == "@" and not (brackets and brackets[-1] in "{["):
            _refuse_at(text, found, token)


def _duration_expression(text: str, token: Token) -> Unsupported:
    return Unsupported(f"{near(text, token.start)}: expressions as durations are experimental and not supported here")


def _refuse_at(text: str, found: list[Token], at: Token) -> None:
    after = found[found.index(at) + 1 :][:2]
    if after and after[0].text == "-":
        raise Unsupported(f"{near(text, at.start)}: @ before 1970 is not supported here")
    if after and re.fullmatch(r"[0-9.]+([eE][+-]?[0-9]+)?", after[0].text) and float(after[0].text) > 253402300799:
        raise QueryError(
            f"{near(text, at.start)}: timestamp out of bounds for @ modifier, expected one before 10000 AD"
        )


def _ends_operand(token: Token | None) -> bool:
    return token is not None and (
        token.kind in ("number", "string", "close")
        or (token.kind == "word" and token.text.lower() not in WORD_OPERATORS | _MODIFIERS)
    )


def explain(text: str, found: list[Token], message: str) -> str:
    """The parser's *message* in Prometheus' words and with a place, where one can be told."""
    message = _TYPE.sub(lambda match: _TYPES[match.group()], message)
    if "'holt_winters'" in message:
        message += "; Prometheus 3 calls it double_exponential_smoothing, which is experimental"
    named = {match[1] for match in _QUOTED.finditer(message)}
    at = next((token.start for token in found if token.text in named), None)
    if at is not None:
        return f"{near(text, at)}: {message}"
    if message.startswith(("invalid promql query", "invalid syntax", "unexpected", "bad number", "no expression")):
        expected = ", expected a PromQL expression" if message.startswith("invalid") else ""
        return _first_mistake(text, found) or f"{near(text, 0)}: {message}{expected}"
    return message


def _first_mistake(text: str, found: list[Token]) -> str:
    """What stands where something else must; empty when the order of the outer tokens is right."""
    if not found:
        return "got no expression, expected one such as 'up == 0'"
    wanted = True  # an operand is wanted, else an operator
    skip = -1  # tokens deeper than this are inside of a selector or a list of labels
    previous: Token | None = None
    for token in found:
        if skip >= 0 and (token.depth > skip or token.kind == "close"):
            if token.depth == skip:
                skip = -1
                previous = token
            continue
        problem = _misplaced(token, previous, wanted=wanted)
        if problem:
            return f"{near(text, token.start)}: {problem}"
        if token.kind == "open" and (token.text in "{[" or _opens_labels(previous)):
            skip = token.depth
            wanted = wanted and _opens_labels(previous)
        elif token.kind in ("open", "operator", "mark") or token.text.lower() in WORD_OPERATORS | _MODIFIERS:
            wanted = token.text != "@"
        else:
            wanted = False
        previous = token
    return f"{near(text, len(text))}: got the end, expected an operand" if wanted else ""


def _misplaced(token: Token, previous: Token | None, *, wanted: bool) -> str:
    lower = token.text.lower()
    if token.text in ("=", "=~", "!~"):
        return f"got {token.text!r}, expected '==' or another operator; labels are matched in braces"
    if wanted:
        if token.kind == "close" and previous is not None and previous.kind == "open":
            return ""
        if token.kind in ("close", "mark") or (token.kind == "operator" and token.text not in "+-"):
            return f"got {token.text!r}, expected an operand"
        if lower in WORD_OPERATORS:
            return f"got the operator {token.text!r}, expected an operand"
    elif token.kind in ("number", "string") and not (previous and previous.text.lower() in ("offset", "@")):
        return f"got {token.text}, expected an operator"
    elif token.kind == "word" and _ends_operand(previous) and lower not in WORD_OPERATORS | {"offset", "by", "without"}:
        if previous and previous.text.lower() in _AGGREGATIONS:
            return f"got {token.text!r}, expected '(', 'by' or 'without'"
        if previous and previous.text.lower() in ("offset", "@"):
            return ""
        return f"got {token.text!r}, expected an operator"
    return f"got {token.text!r}, which PromQL does not know" if token.kind == "other" else ""


def _opens_labels(previous: Token | None) -> bool:
    return previous is not None and previous.text.lower() in _MODIFIERS | _FILLS

"""Writes a tree as PromQL that reads back as the same tree."""

from sidecar.model.durations import show as duration
from sidecar.promql import ast, floats, lexer


def show(expr: ast.Expr) -> str:
    """*expr* as text; brackets wherever operators meet."""
    match expr:
        case ast.Number(value=value):
            return floats.show(value)
        case ast.Text(value=value):
            return lexer.quoted(value)
        case ast.Selector():
            return _matchers(expr) + _modifiers(expr)
        case ast.Range(selector=selector, range_ms=length):
            return f"{_matchers(selector)}[{duration(length / 1000)}]{_modifiers(selector)}"
        case ast.Subquery(expr=inner, range_ms=length, step_ms=step):
            every = "" if step is None else duration(step / 1000)
            return f"{_operand(inner)}[{duration(length / 1000)}:{every}]{_modifiers(expr)}"
        case ast.Negation(expr=inner):
            number = ast.literal(expr)
            return f"-{_operand(inner)}" if number is None else floats.show(number)
        case ast.Binary(op="right", right=right):
            return show(right)  # the left side only lends its labels
        case ast.Binary():
            return f"{_operand(expr.left)} {_operator(expr)} {_operand(expr.right)}"
        case ast.Aggregate():
            args = [show(expr.expr)] if expr.param is None else [show(expr.param), show(expr.expr)]
            grouping = ""
            if expr.without or expr.labels:
                grouping = f" {'without' if expr.without else 'by'} ({_labels(expr.labels)}) "
            return f"{expr.op}{grouping}({', '.join(args)})"
        case ast.Call():
            return f"{expr.name}({', '.join(map(show, expr.args))})"


def _operand(expr: ast.Expr) -> str:
    text = show(expr)
    signed = text[0] in "+-"  # the parser would make the sign part of a number next to it
    return f"({text})" if signed or isinstance(expr, ast.Binary) else text


def _operator(expr: ast.Binary) -> str:
    matching = expr.matching
    words = [expr.op]
    if expr.as_bool:
        words.append("bool")
    if matching.on or matching.labels:
        words.append(f"{'on' if matching.on else 'ignoring'} ({_labels(matching.labels)})")
    if matching.card in (ast.Card.MANY_TO_ONE, ast.Card.ONE_TO_MANY):
        side = "left" if matching.card is ast.Card.MANY_TO_ONE else "right"
        words.append(f"group_{side} ({_labels(matching.include)})")
    return " ".join(words)


def _matchers(selector: ast.Selector) -> str:
    name = selector.name
    bare = name.isascii() and name.replace(":", "_").isidentifier()
    shown = [
        f"{_label(matcher.name)}{matcher.op}{lexer.quoted(matcher.value)}"
        for matcher in selector.matchers
        if not (bare and matcher.name == ast.NAME)
    ]
    return (name if bare else "") + (f"{{{', '.join(shown)}}}" if shown or not bare else "")


def _modifiers(selector: ast.Selector | ast.Subquery) -> str:
    text = ""
    if selector.at is not None:
        fixed = selector.at.anchor is ast.Anchor.TIME
        text += f" @ {selector.at.ms / 1000:.3f}" if fixed else f" @ {selector.at.anchor}"
    if selector.offset_ms:
        text += f" offset {duration(selector.offset_ms / 1000)}"
    return text


def _labels(labels: tuple[str, ...]) -> str:
    return ", ".join(map(_label, labels))


def _label(label: str) -> str:
    return label if label.isascii() and label.isidentifier() else lexer.quoted(label)

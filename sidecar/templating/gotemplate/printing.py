"""Values as Go's `fmt` prints them."""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

MAX_WIDTH: Final = 1000
"""Width and precision that a verb may ask for; Go's own bound is a million."""

_VERB: Final = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d+|\*)?(?:\.(?P<precision>\d+|\*)?)?(?P<verb>.)?", re.DOTALL)


def show(value: Any) -> str:
    """*value* by `%v`."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return float_text(value, "g", None)
        case Mapping():
            return f"map[{' '.join(f'{key}:{show(value[key])}' for key in sorted(value))}]"
        case Sequence():
            return f"[{' '.join(map(show, value))}]"
    return str(value)


def sprint(values: Sequence[Any]) -> str:
    """*values* by `Sprint`: a space between two that are both no text."""
    out = ""
    for i, value in enumerate(values):
        if i and not isinstance(value, str) and not isinstance(values[i - 1], str):
            out += " "
        out += show(value)
    return out


def float_text(value: float, verb: str, precision: int | None, *, plus: bool = False, sharp: bool = False) -> str:
    """*value* by `%e`, `%f` or `%g`; without a precision `%g` shows the fewest digits that name the value."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    kind = verb.lower()
    sign = "-" if math.copysign(1, value) < 0 else "+" if plus else ""
    value = abs(value)
    if kind == "f":
        return sign + f"{value:.{6 if precision is None else precision}f}"
    if kind == "e":
        text = f"{value:.{6 if precision is None else precision}e}"
    elif precision is None:
        text = _shortest(value)
    elif sharp:
        text = f"{value:#.{precision or 1}g}"
    else:
        text = f"{value:.{precision or 1}g}"
    return sign + (text.upper() if verb.isupper() else text)


def _shortest(value: float) -> str:
    """The fewest digits that read back as *value*; with an exponent from 1e6 on and below 1e-4."""
    if value == 0:
        return "0"
    digits_and_sign = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, digits_and_sign.digits)).rstrip("0") or "0"
    point = len(digits_and_sign.digits) + int(digits_and_sign.exponent)  # digits before the decimal point
    exponent = point - 1
    if exponent < -4 or exponent >= 6:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if point <= 0:
        return "0." + "0" * -point + digits
    return digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}"


def sprintf(text: str, values: Sequence[Any]) -> str:
    """*text* with its verbs filled from *values*; what does not fit is marked as Go marks it (`%!d(float64=1.5)`)."""
    out: list[str] = []
    rest = list(values)
    at = 0
    for found in _VERB.finditer(text):
        out.append(text[at : found.start()])
        at = found.end()
        verb = found["verb"]
        if verb == "%":
            out.append("%")
        elif verb is None:
            out.append("%!(NOVERB)")
        else:
            width = _count(found["width"], rest)
            asked = _count(found["precision"], rest)
            dotted = "." in found[0]
            precision = (0 if asked is None else asked) if dotted else None
            if not rest:
                out.append(f"%!{verb}(MISSING)")
            else:
                out.append(_verb(verb, rest.pop(0), found["flags"], width, precision))
    out.append(text[at:])
    if rest:
        out.append(f"%!(EXTRA {', '.join(f'{type_name(v)}={show(v)}' for v in rest)})")
    return "".join(out)


def _count(text: str | None, rest: list[Any]) -> int | None:
    if text is None:
        return None
    if text == "*":
        count = rest.pop(0) if rest else 0
        return min(count, MAX_WIDTH) if isinstance(count, int) else 0
    return min(int(text[:6]), MAX_WIDTH)


def type_name(value: Any) -> str:
    """The name of *value*'s type in Go."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case Mapping():
            return "map[string]string"
    return type(value).__name__


def _verb(verb: str, value: Any, flags: str, width: int | None, precision: int | None) -> str:
    text = _bare(verb, value, flags, precision)
    if text is None:
        return f"%!{verb}({type_name(value)}={show(value)})" if value is not None else f"%!{verb}(<nil>)"
    if width is None or len(text) >= width:
        return text
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and not (isinstance(value, float) and not math.isfinite(value)):
        sign = text[0] if text[0] in "+- " and not isinstance(value, str) else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _bare(verb: str, value: Any, flags: str, precision: int | None) -> str | None:
    """*value* by *verb* without padding; None when the verb is not for it."""
    if verb == "T":
        return type_name(value)
    if isinstance(value, bool):
        return show(value) if verb in "tv" else None
    if isinstance(value, float):
        return _float(verb, value, flags, precision)
    if isinstance(value, int):
        return _int(verb, value, flags, precision)
    if isinstance(value, str):
        return _str(verb, value, flags, precision)
    return show(value) if verb in "vs" else None


def _float(verb: str, value: float, flags: str, precision: int | None) -> str | None:
    if verb not in "vgGeEfF":
        return None
    plus = "+" in flags and verb != "v"  # `%+v` asks for field names, not for a sign
    text = float_text(value, "g" if verb == "v" else verb, precision, plus=plus, sharp="#" in flags)
    if " " in flags and not plus:
        text = text.removeprefix("+")
        return text if text[0] == "-" else " " + text
    return text


def _int(verb: str, value: int, flags: str, precision: int | None) -> str | None:
    bases = {"d": "d", "v": "d", "x": "x", "X": "X", "o": "o", "b": "b"}
    if verb in bases:
        digits = format(abs(value), bases[verb])
        if precision is not None:
            digits = digits.rjust(precision, "0")
        if "#" in flags:
            digits = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") + digits
        return ("-" if value < 0 else "+" if "+" in flags else " " if " " in flags else "") + digits
    if verb in "cq":
        letter = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else "\ufffd"
        return letter if verb == "c" else f"'{letter}'"
    return f"U+{value:04X}" if verb == "U" else None


def _str(verb: str, value: str, flags: str, precision: int | None) -> str | None:
    if verb in "xX":
        text = value.encode().hex(" ") if " " in flags else value.encode().hex()
        return text.upper() if verb == "X" else text
    cut = value if precision is None else value[:precision]
    if verb in "vs":
        return cut
    return quote(cut) if verb == "q" else None


_ESCAPES: Final = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}


def quote(text: str) -> str:
    """*text* between double quotes, as `%q` writes it."""
    out = []
    for letter in text:
        if letter in '"\\':
            out.append("\\" + letter)
        elif letter in _ESCAPES:
            out.append(_ESCAPES[letter])
        elif letter.isprintable():
            out.append(letter)
        else:
            code = ord(letter)
            out.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(out) + '"'

"""Numbers as people read them."""

import math
import re
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup, escape

from sidecar.secrets import redact

_NONE: Final = "–"
_LONG: Final = 100.0
_MARKED: Final = re.compile(r"`([^`\n]{1,200})`|(https?://[^\s`<>\"']{1,500}[^\s`<>\"'.,;:!?)\]])")


def seconds(value: float | None) -> str:
    """`231 ms`, `1.84 s`, `130 s`; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return _NONE
    if abs(value) < 1:
        return f"{value * 1000:.0f} ms" if abs(value) >= 0.01 or not value else f"{value * 1000:.1f} ms"
    return f"{value:.2f} s" if abs(value) < _LONG else f"{value:.0f} s"


def percent(ratio: float | None) -> str:
    """`99.95 %`; never 100 while anything is missing. A dash for what is not known."""
    if ratio is None or not math.isfinite(ratio):
        return _NONE
    if ratio >= 1:
        return "100 %"
    return f"{math.floor(ratio * 10_000) / 100:.2f} %"


def spent(phases: Mapping[str, float], took: float) -> Mapping[str, float]:
    """Where the *took* seconds of a probe went, one after the other: *phases*, and what it waited for or did beside.

    The time to the first token is counted from the request, as the time to the first byte is.
    """
    if "first_token" in phases and "first_byte" in phases:
        after = max(0.0, phases["first_token"] - phases["first_byte"])
        phases = {("then first_token" if name == "first_token" else name): seconds for name, seconds in phases.items()}
        phases |= {"then first_token": after}
    rest = took - sum(phases.values())
    return {**phases, "the rest": rest} if phases and rest > took / 20 else phases


def dollars(value: float | None) -> str:
    """`$0.0042`, `$12.30`; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return _NONE
    if 0 < value < 0.0001:
        return "under $0.0001"  # a few probes cost that, and not nothing
    return f"${value:.2f}" if value >= 1 or not value else f"${value:.4f}"


def count(value: float | None) -> str:
    """`12,345`, a dash for what is not known."""
    return _NONE if value is None or not math.isfinite(value) else f"{value:,.0f}"


def words(n: float, what: str, plural: str = "") -> str:
    """`1 alert`, `2 alerts`."""
    return f"{count(n)} {what}" if n == 1 else f"{count(n)} {plural or what + 's'}"


def ticks(text: str) -> Markup:
    """*text* of others, escaped and without a secret in it; what stands between backticks is code, and links are."""
    text, at, made = redact(text), 0, []
    for found in _MARKED.finditer(text):
        code, link = found.groups()
        made += [escape(text[at : found.start()]), _code(code) if code else _link(link)]
        at = found.end()
    return Markup("").join([*made, escape(text[at:])])


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _link(url: str) -> Markup:
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(url)

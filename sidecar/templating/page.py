"""A message as HTML, for mail: no scripts, no images, nothing that is fetched from anywhere.

Tables and inline styles, because Outlook lays out with Word; the one style sheet only turns light into dark, and
whoever drops it shows the light one.
"""

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from sidecar.templating.facts import Fact
from sidecar.templating.messages import Item, Message, Tone
from sidecar.templating.plain import footer, label_text

COLOURS: Final = {
    Tone.CRITICAL: "#c5221f",
    Tone.WARNING: "#b35300",
    Tone.INFO: "#1967d2",
    Tone.GOOD: "#188038",
    Tone.NEUTRAL: "#5f6368",
}
"""One colour for each tone, readable with white letters on it."""

_TICKED: Final = re.compile(r"`([^`\n]{1,200})`")
_DARK: Final = (
    ":root{color-scheme:light dark;supported-color-schemes:light dark}"
    "@media (prefers-color-scheme:dark){"
    ".back{background:#15181c !important}"
    ".card{background:#20242a !important;color:#e8eaed !important}"
    ".step{background:#2b313a !important;color:#e8eaed !important}"
    ".code{background:#2b313a !important;color:#e8eaed !important}"
    ".dim{color:#a6adb5 !important}"
    ".card a{color:#8ab4f8 !important}"
    "}"
)
_FONT: Final = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif"
_FIXED: Final = "font-family:Consolas,Menlo,'DejaVu Sans Mono',monospace"
_TEXT: Final = f"{_FONT};font-size:15px;line-height:1.45"
_TABLE: Final = 'role="presentation" cellpadding="0" cellspacing="0" border="0"'
_BREAKS: Final = "overflow-wrap:anywhere;word-break:break-word"  # a request id is one long word
_UNBROKEN: Final = len("Last failed probe")


def page(message: Message) -> str:
    """*message* as an HTML document that is well-formed XML, too."""
    return "\n".join(_document(message)) + "\n"


def _document(message: Message) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8" />'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1" />'
    yield '<meta name="color-scheme" content="light dark" />'
    yield '<meta name="supported-color-schemes" content="light dark" />'
    yield f"<title>{escape(message.headline)}</title>"
    yield f"<style>{_DARK}</style>"
    yield "</head>"
    yield '<body class="back" style="margin:0;padding:0;background:#f1f3f4">'
    if glance := _glance(message):
        hidden = "display:none;max-height:0;overflow:hidden;font-size:1px;line-height:1px;mso-hide:all"
        yield f'<div style="{hidden}">{escape(glance)}</div>'
    yield f'<table {_TABLE} width="100%" class="back" style="background:#f1f3f4"><tr><td align="center">'
    yield f'<table {_TABLE} width="720" style="width:100%;max-width:720px">'
    yield from _rows(message)
    yield "</table>"
    yield "</td></tr></table>"
    yield "</body>"
    yield "</html>"


def _glance(message: Message) -> str:
    """What a list of mails shows behind the subject: the first thing that the subject does not say."""
    first = next(iter(message.items), None)
    if first is None or not message.alone:
        return message.lead
    return " · ".join(f"{fact.name}: {fact.text}" for fact in first.facts[:2])


def _rows(message: Message) -> Iterator[str]:
    colour = COLOURS[message.tone]
    banner = f"padding:14px 16px;background:{colour};{escape(_FONT)}"
    heading = f"margin:0;color:#ffffff;font-size:18px;line-height:1.35;{_BREAKS}"
    yield f'<tr><td bgcolor="{colour}" style="{banner}"><h1 style="{heading}">{escape(message.headline)}</h1></td></tr>'
    if message.lead:
        yield _row(f'<p style="margin:0">{escape(message.lead)}</p>')
    for item in message.items:
        yield _row("\n".join(_item(item, message)), ruled=not message.alone)
    if message.more:
        yield _row(f'<p style="margin:0"><strong>{escape(message.more)}</strong></p>', ruled=True)
    small = f"padding:12px 16px;color:#5f6368;{escape(_FONT)};font-size:12px;{_BREAKS}"
    yield f'<tr><td class="dim" style="{small}">{escape(footer(message))}</td></tr>'


def _row(inside: str, *, ruled: bool = False) -> str:
    line = ";border-top:1px solid #9aa0a6" if ruled else ""
    style = f"padding:14px 16px;background:#ffffff;color:#202124;{escape(_TEXT)}{line}"
    return f'<tr><td class="card" bgcolor="#ffffff" style="{style}">\n{inside}\n</td></tr>'


def _item(item: Item, message: Message) -> Iterator[str]:
    if not message.alone:
        yield f'<h2 style="margin:0 0 6px;font-size:16px">{escape(item.heading)}</h2>'
    if item.summary not in message.headline:
        yield f'<p style="margin:0 0 8px"><strong>{escape(item.summary)}</strong></p>'
    if item.description:
        yield f'<p style="margin:0 0 10px;{_BREAKS}">{_ticks(item.description)}</p>'
    if item.next_step:
        yield from _step(item.next_step, COLOURS[message.tone])
    yield f'<table cellpadding="0" cellspacing="0" border="0" style="{escape(_TEXT)}">'
    for fact in item.facts:
        yield _fact(fact)
    if item.labels:
        yield _fact(Fact("Labels", label_text(item.labels)))
    yield "</table>"
    if item.links:
        links = " · ".join(f'<a href="{escape(link.url)}">{escape(link.text)}</a>' for link in item.links)
        yield f'<p style="margin:12px 0 0">{links}</p>'
    for command in item.commands:
        code = f"padding:2px 5px;background:#f1f3f4;{escape(_FIXED)};font-size:13px;{_BREAKS}"
        line = f'<code class="code" style="{code}">{escape(command.line)}</code>'
        yield f'<p style="margin:8px 0 0">{escape(command.text)}: {line}</p>'


def _step(text: str, colour: str) -> Iterator[str]:
    cell = f"padding:8px 12px;border-left:4px solid {colour};background:#f1f3f4;{escape(_TEXT)};{_BREAKS}"
    yield f'<table {_TABLE} width="100%" style="margin:0 0 12px"><tr>'
    yield f'<td class="step" bgcolor="#f1f3f4" style="{cell}"><strong>What to do next:</strong> {_ticks(text)}</td>'
    yield "</tr></table>"


def _ticks(text: str) -> str:
    """*text*, in which what stands between backticks is to be typed."""
    return _TICKED.sub(rf'<code style="{escape(_FIXED)}">\1</code>', escape(text))


def _fact(fact: Fact) -> str:
    cell = "padding:2px 14px 2px 0;vertical-align:top"
    # Our own names stay on one line beside a long value; what somebody else named may be too long for a phone.
    wrap = "white-space:nowrap" if len(fact.name) <= _UNBROKEN else _BREAKS
    style = f"{cell};text-align:left;color:#5f6368;font-weight:normal;{wrap}"
    drawing = f"{escape(_FIXED)};white-space:nowrap;letter-spacing:1px"
    strip = f'<span style="{drawing}">{escape(fact.strip)}</span><br />' if fact.strip else ""
    told = f'<td style="padding:2px 0;vertical-align:top;{_BREAKS}">{strip}{escape(fact.value)}</td>'
    return f'<tr><th scope="row" class="dim" style="{style}">{escape(fact.name)}</th>{told}</tr>'

"""A message as HTML, for mail: no scripts, no images, nothing that is fetched from anywhere."""

from collections.abc import Iterator
from html import escape
from typing import Final

from sidecar.templating.messages import Item, Message, Tone
from sidecar.templating.plain import footer, label_text

COLOURS: Final = {
    Tone.CRITICAL: "#c5221f",
    Tone.WARNING: "#e37400",
    Tone.INFO: "#1967d2",
    Tone.GOOD: "#188038",
    Tone.NEUTRAL: "#5f6368",
}
"""One colour for each tone, readable with white letters on it."""

_FONT: Final = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-size:15px;line-height:1.45"

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
    yield f"<title>{escape(message.headline)}</title>"
    yield "</head>"
    yield f'<body style="margin:0;padding:16px;{escape(_FONT)}">'
    banner = f"margin:0 0 12px;padding:10px 14px;color:#ffffff;background:{COLOURS[message.tone]};font-size:18px"
    yield f'<h1 style="{banner}">{escape(message.headline)}</h1>'
    if message.lead:
        yield f"<p>{escape(message.lead)}</p>"
    for item in message.items:
        yield from _item(item, message)
    if message.more:
        yield f"<p>{escape(message.more)}</p>"
    yield f'<p style="color:#5f6368;font-size:12px">{escape(footer(message))}</p>'
    yield "</body>"
    yield "</html>"


def _item(item: Item, message: Message) -> Iterator[str]:
    if not message.alone:
        yield f'<h2 style="margin:18px 0 4px;font-size:16px">{escape(item.state)}: {escape(item.title)}</h2>'
    if item.summary not in message.headline:
        yield f"<p><strong>{escape(item.summary)}</strong></p>"
    if item.description:
        yield f"<p>{escape(item.description)}</p>"
    if item.next_step:
        yield f"<p><strong>What to do next:</strong> {escape(item.next_step)}</p>"
    yield '<table style="border-collapse:collapse">'
    for name, value in item.facts:
        yield _row(name, escape(value))
    if item.labels:
        yield _row("Labels", escape(label_text(item.labels)))
    yield "</table>"
    if item.links:
        links = " · ".join(f'<a href="{escape(link.url)}">{escape(link.text)}</a>' for link in item.links)
        yield f"<p>{links}</p>"


def _row(name: str, value: str) -> str:
    cell = "padding:2px 14px 2px 0;vertical-align:top"
    # Our own names stay on one line beside a long value; what somebody else named may be too long for a phone.
    wrap = ";white-space:nowrap" if len(name) <= _UNBROKEN else ""
    style = f"{cell};text-align:left;color:#5f6368;font-weight:normal{wrap}"
    # A request id is one long word; unbroken, it would be wider than a phone.
    told = f'<td style="{cell};overflow-wrap:anywhere">{value}</td>'
    return f'<tr><th scope="row" style="{style}">{escape(name)}</th>{told}</tr>'

"""Messages as a person sees them: what Slack, a mail program or a terminal makes of what arrived."""

import email
import email.policy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sidecar.cli.demo.mailserver import Mail


@dataclass(frozen=True, slots=True)
class Seen:
    """One message, read."""

    channel: str  # slack, email or webhook
    to: str
    headline: str
    body: tuple[str, ...]
    alerts: tuple[dict[str, Any], ...] = ()  # of a webhook: as Alertmanager writes them

    @property
    def opens(self) -> bool:
        """Whether it says that something is wrong, not that it is over."""
        return self.headline.startswith("FIRING")


def slack(payload: dict[str, Any]) -> Seen:
    """What Slack shows of an incoming webhook's *payload*."""
    blocks = list(payload.get("blocks") or [])
    for attachment in payload.get("attachments") or []:
        blocks += attachment.get("blocks") or []
    lines = [line for block in blocks for line in _block(block)]
    return Seen("slack", "#oncall", _marked(str(payload.get("text", ""))), tuple(lines))


def mail(received: Mail) -> Seen:
    """What a mail program shows of the plain text."""
    message = email.message_from_bytes(received.content, policy=email.policy.default)
    part = message.get_body(preferencelist=("plain",))
    text = str(part.get_content()) if part is not None else ""
    return Seen("email", ", ".join(received.recipients), clean(str(message["subject"] or "")), _lines(text))


def webhook(payload: dict[str, Any]) -> Seen:
    """What a program gets, as the few fields that one looks at first."""
    alerts = tuple(payload.get("alerts") or ())
    names = ", ".join(sorted({str(alert.get("labels", {}).get("alertname", "?")) for alert in alerts}))
    state = "FIRING" if payload.get("status") == "firing" else "RESOLVED"
    shown = {
        name: payload.get(name)
        for name in ("version", "status", "receiver", "kind", "id", "groupKey")
        if name in payload
    }
    lines = [json.dumps(shown)]
    for alert in alerts:
        few = {n: alert.get(n) for n in ("labels", "startsAt", "endsAt", "valueText", "endText") if alert.get(n)}
        lines.append(json.dumps(few))
    return Seen("webhook", "your program", f"{state}: {clean(names)}", tuple(map(clean, lines)), alerts)


def clean(text: str) -> str:
    """*text* without what a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def _lines(text: str) -> tuple[str, ...]:
    lines = [clean(line).rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _block(block: dict[str, Any]) -> Iterator[str]:
    match block.get("type"):
        case "header" | "section":
            yield from _marked(_text(block.get("text"))).splitlines()
            for field in block.get("fields") or []:
                name, _, value = _marked(_text(field)).partition("\n")
                yield f"{name}: {value}" if value else name
        case "context":
            yield " · ".join(_marked(_text(element)) for element in block.get("elements") or [])
        case "actions":
            yield " ".join(f"[{_text(element.get('text'))}]" for element in block.get("elements") or [])
        case "divider":
            yield "-" * 20
        case _:
            return


def _text(value: Any) -> str:
    return str(value.get("text", "")) if isinstance(value, dict) else ""


def _marked(text: str) -> str:
    """Slack's marks as plain text: links with their address, no asterisks, entities resolved."""
    text = re.sub(r"<([^|>]+)\|([^>]+)>", r"\2 (\1)", text)
    text = re.sub(r"<([^>]+)>", r"\1", text)
    text = re.sub(r"\*([^*\n]+)\*", r"\1", text)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return "\n".join(clean(line) for line in text.splitlines())

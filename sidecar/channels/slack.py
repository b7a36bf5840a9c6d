"""Messages to Slack through an incoming webhook; Mattermost and Rocket.Chat take the same form."""

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any, Final, Literal

from pydantic import Field

from sidecar.channels import Channel, DeliveryError, Draft, SecretUrl, SendContext, post, reveal, words
from sidecar.model.notifications import Notification
from sidecar.templating.facts import Fact
from sidecar.templating.messages import Item, Message
from sidecar.templating.page import COLOURS
from sidecar.templating.plain import footer, label_text

# Slack refuses a whole message for one text that is too long: https://docs.slack.dev/reference/block-kit/blocks
_LONGEST_SECTION: Final = 3000
_LONGEST_FIELD: Final = 2000
_LONGEST_CONTEXT: Final = 2000
_MOST_FIELDS: Final = 10
_MENTION: Final = re.compile(r"(?<![\w.+-])@(?=\w)")


class SlackChannel(Channel):
    """POSTs to an incoming webhook, whose address is itself the secret."""

    type: Literal["slack"] = "slack"
    webhook_url: SecretUrl = Field(
        description="The incoming webhook's address; text, {env: NAME} or {file: /path}.",
        examples=["https://hooks.slack.com/services/T000/B000/XXXX"],
    )

    async def send(self, notification: Notification, ctx: SendContext) -> str:
        body = json.dumps(payload(words(notification, ctx)), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": notification.id}
        answer = await post(ctx, reveal(self.webhook_url), body, headers)
        if answer.text.lstrip().startswith("<"):
            # Slack says `ok`. A page is a proxy's or a login's, which took the message for itself.
            raise DeliveryError("got an HTML page, expected 'ok'; is there a proxy in between?", retryable=True)
        return str(answer)

    def draft(self, notification: Notification, ctx: SendContext) -> Draft:
        sent = payload(words(notification, ctx))
        return Draft(unescape("\n\n".join(_read(sent))), sent)


def payload(message: Message) -> dict[str, Any]:
    """The body of the webhook: a line for the notification on a phone, and the rest beside a coloured bar."""
    blocks = list(_blocks(message))
    return {
        "text": escape(message.headline),
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "attachments": [{"color": COLOURS[message.tone], "fallback": escape(message.headline), "blocks": blocks}],
    }


def escape(text: str) -> str:
    """*text* as Slack shows it literally: no links, no commands, nobody mentioned."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A full-width sign: Slack leaves a plain @here alone, but what else takes this form of webhook does not.
    return _MENTION.sub("＠", text)


def _read(body: Mapping[str, Any]) -> Iterator[str]:
    """The texts of *body*, from the top."""
    yield body["text"]
    for block in body["attachments"][0]["blocks"]:
        parts = block.get("fields") or block.get("elements") or [block["text"]]
        yield "\n".join(part["text"] for part in parts)


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    if message.lead:
        yield _section(escape(message.lead))
    for item in message.items:
        yield from _item(item, message)
    if message.more:
        yield _section(escape(message.more))
    yield _context(escape(footer(message)))


def _item(item: Item, message: Message) -> Iterator[dict[str, Any]]:
    lines = []
    if not message.alone:
        lines.append(f"*{_unstyled(item.heading)}*")
    if item.summary not in message.headline:
        lines.append(escape(item.summary))
    if item.description:
        lines.append(escape(item.description))
    if item.next_step:
        lines.append(f"*What to do next:* {escape(item.next_step)}")
    if lines:
        yield _section("\n".join(lines))
    fields = [_text(_field(fact), _LONGEST_FIELD) for fact in item.facts]
    # Fifty blocks are the most of a message: with ten alerts, four for each and a few around them.
    blocks = 2 if message.alone else 1
    for start in range(0, min(len(fields), blocks * _MOST_FIELDS), _MOST_FIELDS):
        yield {"type": "section", "fields": fields[start : start + _MOST_FIELDS]}
    if item.labels:
        yield _context(escape(label_text(item.labels)))
    if item.links or item.commands:
        yield _section(_ways(item))


def _field(fact: Fact) -> str:
    strip = f"`{fact.strip}`\n" if fact.strip else ""
    return f"*{_unstyled(fact.name)}*\n{strip}{escape(fact.value)}"


def _ways(item: Item) -> str:
    """Where to go from here: the item's links, then its commands; as many as fit, since one that is cut is none."""
    shown = ""
    ways = [f"<{link.url.replace('&', '&amp;')}|{escape(link.text)}>" for link in item.links]
    commands = [f"{escape(command.text)}: `{_literal(command.line)}`" for command in item.commands]
    for way, between in [(way, " · ") for way in ways] + [(command, "\n") for command in commands]:
        more = f"{between if shown else ''}{way}"
        if len(shown) + len(more) <= _LONGEST_SECTION:
            shown += more
    return shown or "(links too long to show)"


def _literal(line: str) -> str:
    """*line* to be copied: with no character changed that Slack shows as it is."""
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text, _LONGEST_SECTION)}


def _context(*texts: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_text(text, _LONGEST_CONTEXT) for text in texts]}


def _text(text: str, limit: int) -> dict[str, Any]:
    # verbatim: Slack makes no links and no mentions of its own out of the words.
    return {"type": "mrkdwn", "text": _cut(text, limit), "verbatim": True}


def _cut(text: str, limit: int) -> str:
    """*text*, already escaped, in at most *limit* characters and with no half of an `&amp;` at the end."""
    if len(text) <= limit:
        return text
    return re.sub(r"&[a-z]{0,3}$", "", text[: limit - 1]) + "…"


def _unstyled(text: str) -> str:
    """*text* inside asterisks, which it must not end early."""
    return escape(text).replace("*", "∗")

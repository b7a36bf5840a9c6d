"""The four forms are one family: the same words in the same order."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest
import structlog

from sidecar.channels import words
from sidecar.channels.log import LogChannel
from sidecar.channels.slack import payload
from sidecar.channels.webhook import WebhookChannel
from sidecar.templating.messages import Message
from sidecar.templating.page import page
from sidecar.templating.plain import label_text, plain
from tests.channels.receiver import URL
from tests.channels.stories import STORIES, Ctx, Fixed, sent_at

ORDINARY = [name for name in STORIES if name != "hostile"]  # whose words no form has to change


def told(story: str) -> tuple[Message, Ctx]:
    ctx = Ctx(clock=Fixed(sent_at(story)))
    return words(STORIES[story], ctx), ctx


def order(message: Message) -> list[str]:
    """Everything that a form has to say, from the top."""
    found = [message.headline, message.lead]
    for item in message.items:
        found += [] if message.alone else [item.heading]
        found += [item.summary if item.summary not in message.headline else "", item.description, item.next_step]
        for fact in item.facts:
            found += [fact.name, *filter(None, (fact.strip, fact.value))]
        found += [label_text(item.labels), *(link.url for link in item.links)]
        found += [command.line for command in item.commands]
    return [*filter(None, [*found, message.more]), message.id]


def assert_in_order(text: str, parts: Sequence[str]) -> None:
    """Each of *parts* stands in *text* behind the one before."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is missing behind {text[max(0, at - 60) : at]!r}"
        at = found + len(part)


@pytest.mark.parametrize("story", ORDINARY)
def test_plain_text(story):
    """Mail as text."""
    message, _ = told(story)

    assert_in_order(plain(message), order(message))


@pytest.mark.parametrize("story", ORDINARY)
def test_html(story):
    """Mail as HTML; links stand in their attributes."""
    message, _ = told(story)
    body = ET.fromstring(page(message).partition("\n")[2])[1]
    text = "".join(f" {each.get('href', '')}{each.text or ''} {each.tail or ''}" for each in body.iter())
    text = text[text.index("presentation") :] if "presentation" in text else text[text.index(message.headline) :]

    assert_in_order(text, order(message))


@pytest.mark.parametrize("story", ORDINARY)
def test_slack(story):
    """Slack, less its markup."""
    message, _ = told(story)
    body = payload(message)
    blocks = body["attachments"][0]["blocks"]
    texts = [
        part["text"] for block in blocks for part in block.get("fields") or block.get("elements") or [block["text"]]
    ]
    text = "\n".join([body["text"], *texts]).replace("*", "").replace("`", "")

    assert_in_order(re.sub("&(amp|lt|gt);", lambda m: {"amp": "&", "lt": "<", "gt": ">"}[m[1]], text), order(message))


@pytest.mark.parametrize("story", ORDINARY)
async def test_log(story):
    """The log, whose id comes before the words."""
    message, ctx = told(story)
    with structlog.testing.capture_logs() as events:
        await LogChannel(type="log", name="log").send(STORIES[story], ctx)
    (event,) = events
    expected = [part for item in message.items for fact in item.facts for part in (fact.name, fact.text)]

    text = json.dumps(event, ensure_ascii=False)

    assert_in_order(text, [message.headline, *([message.lead] if message.lead else []), *expected])
    assert [list(alert["links"].values()) for alert in event["alerts"]] == [
        [link.url for link in item.links] for item in message.items
    ]
    assert [alert["next_step"] for alert in event["alerts"]] == [item.next_step for item in message.items]
    assert [list(alert["commands"].values()) for alert in event["alerts"]] == [
        [command.line for command in item.commands] for item in message.items
    ]


@pytest.mark.parametrize("story", ORDINARY)
def test_webhook(story):
    """What the webhook has in words are the words of the others."""
    message, ctx = told(story)
    channel = WebhookChannel.model_validate({"type": "webhook", "name": "hook", "url": URL})
    alerts = {alert["generatorURL"]: alert for alert in channel.payload(STORIES[story], ctx)["alerts"]}
    for item in message.items:
        alert = alerts[item.links[0].url]
        facts = {fact.name: fact for fact in item.facts}
        for name, fact in facts.items():
            if name.startswith("Last ") and fact.strip:
                assert alert["trend"]["text"] == fact.text
        if "Value" in facts:
            assert alert["valueText"] == facts["Value"].value
        if "Whose fault" in facts:
            assert facts["Whose fault"].value == f"{alert['blame']['who']} ({alert['blame']['ground']})"
        if "Why it ended" in facts:
            assert alert["endText"] == facts["Why it ended"].value
        assert [link.url for link in item.links[1:]] == [
            *filter(None, (alert["runbookURL"], alert["dashboardURL"])),
        ]
        assert [command.line for command in item.commands] == [
            *filter(None, (alert["ackCommand"], alert["silenceCommand"])),
        ]

"""Messages to Slack."""

import json
import re
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.channels import DeliveryError, words
from sidecar.channels.slack import SlackChannel, escape, payload
from sidecar.model.labels import Labels
from sidecar.model.notifications import Blame, NotifyKind
from tests.channels import golden
from tests.channels.receiver import URL, Receiver, context
from tests.channels.stories import DOWN, GREW, NOON, SLOW, STORIES, Ctx, Fixed, hostile, notification, sent_at, told

SIZES: Final = st.sampled_from([1, 60, 700])


def slack(**changes) -> SlackChannel:
    return SlackChannel.model_validate({"type": "slack", "name": "team", "webhook_url": URL} | changes)


def texts(value) -> list[str]:
    """Every text object in a payload."""
    match value:
        case {"type": "mrkdwn" | "plain_text", "text": text}:
            return [text]
        case dict():
            return [t for item in value.values() for t in texts(item)]
        case list():
            return [t for item in value for t in texts(item)]
    return []


@pytest.mark.parametrize("story", STORIES)
def test_the_body_is_as_agreed(story):
    """Each kind of message has the body that the golden file shows."""
    body = payload(words(STORIES[story], Ctx(clock=Fixed(sent_at(story)))))

    golden.check(f"slack_{story}.json", json.dumps(body, indent=2, ensure_ascii=False) + "\n")


async def test_a_message_is_posted(wire):
    """The webhook gets the payload as JSON, and what Slack says stands in the history."""
    receiver = Receiver()

    said = await slack().send(STORIES["opening"], context(wire, receiver))

    (heard,) = receiver.heard
    assert said == "HTTP 200: ok"
    assert json.loads(heard.body)["text"] == "FIRING: ClaudeDown (critical) – Claude does not answer"
    assert heard.path.startswith("/services/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a < b & c > d", "a &lt; b &amp; c &gt; d", id="its three special characters"),
        pytest.param("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;".replace("@", "＠"), id="commands"),
        pytest.param("@here, (@all) @channel", "＠here, (＠all) ＠channel", id="mentions"),
        pytest.param("oncall@example.com @ 5", "oncall@example.com @ 5", id="what only looks like one"),
        pytest.param("&lt;!here&gt;", "&amp;lt;!here&amp;gt;", id="what was escaped before"),
    ],
)
def test_words_are_shown_and_not_obeyed(text, expected):
    """Nothing from outside is a link, a command or a mention in Slack."""
    assert escape(text) == expected


def test_hostile_words_command_nobody():
    """Whatever the words, the only links are ours, and nobody is called."""
    body = json.dumps(payload(words(hostile(), Ctx())), ensure_ascii=False)

    assert "<!" not in body
    assert "<@" not in body
    assert not re.search(r"@(here|channel|everyone)", body)
    assert re.findall(r"<([^|>]*)\|", body) == [
        f"https://sidecar.example.com/alerts/{hostile().alerts[0].alert.fingerprint}",
        "https://dash.example.com/%22%3E%3Cscript%3Ealert(1)%3C/script%3E%7Cx",
    ]


def test_slack_is_told_to_parse_nothing():
    """Slack's own search for links and names is switched off in every text."""
    body = payload(words(hostile(), Ctx()))

    assert (body["parse"], body["link_names"], body["unfurl_links"]) == ("none", False, False)
    assert json.dumps(body).count('"verbatim": true') == len(texts(body))


@pytest.mark.parametrize(
    "told_",
    [
        pytest.param(hostile("&" * 2**20), id="a megabyte of what grows when it is escaped"),
        pytest.param(
            notification(
                NotifyKind.OPENING,
                *(
                    told(
                        replace(
                            DOWN, labels=DOWN.labels.with_({f"label{j}": "&" * 200 for j in range(40)} | {"i": str(i)})
                        )
                    )
                    for i in range(60)
                ),
            ),
            id="a storm with many labels",
        ),
        pytest.param(
            notification(
                NotifyKind.REMINDER,
                *(
                    told(
                        replace(
                            SLOW,
                            labels=SLOW.labels.with_(i=str(i)),
                            annotations=Labels(
                                {f"note{n}": "x" for n in range(20)} | {"runbook_url": "https://r.example/"}
                            ),
                            note="x",
                        ),
                        flips=2,
                        reason="silence ended",
                    )
                    for i in range(60)
                ),
            ),
            id="a storm with many annotations",
        ),
        pytest.param(
            notification(
                NotifyKind.OPENING,
                told(
                    replace(
                        SLOW,
                        annotations=Labels(
                            {f"note{i}": "<" * 500 for i in range(50)}
                            | {
                                "runbook_url": "https://r.example/" + "a" * 1950,
                                "dashboard_url": "https://d.example/" + "b" * 1950,
                            }
                        ),
                    )
                ),
            ),
            id="many annotations and long links",
        ),
    ],
)
def test_slacks_limits_are_kept(told_):
    """Slack refuses the whole message for one text that is too long, so none is."""
    within_limits(payload(words(told_, Ctx())))


LONG = st.builds(lambda part, times: part * times, st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), SIZES)


@given(
    alerts=st.lists(
        st.builds(
            lambda labels, notes, kind, evidence, note: told(
                replace(DOWN, labels=Labels(labels), annotations=Labels(notes), note=note, condition=kind),
                evidence=evidence,
                flips=3,
                trend=GREW,
                blame=Blame(kind, evidence, note),
            ),
            st.dictionaries(LONG | st.sampled_from(["alertname", "severity", "check"]), LONG, max_size=5),
            st.dictionaries(
                LONG | st.sampled_from(["summary", "description", "next_step", "runbook_url"]), LONG, max_size=5
            ),
            *[LONG] * 3,
        ),
        min_size=1,
        max_size=3,
    ),
    times=st.sampled_from([1, 4, 20]),
    kind=st.sampled_from(NotifyKind),
)
@settings(max_examples=20)
def test_slacks_limits_are_kept_whatever_the_words_are(alerts, times, kind):
    """However long and hostile labels, annotations and evidence are, Slack takes the message."""
    within_limits(payload(words(notification(kind, *alerts * times), Ctx())))


def within_limits(body: dict[str, Any]) -> None:
    """Assert that Slack takes *body*: its own limits, and nothing that is half a link or half an entity."""
    blocks = body["attachments"][0]["blocks"]

    assert len(blocks) <= 50
    assert all(1 <= len(t) <= 3000 for t in texts(blocks))
    assert all(1 <= len(b["fields"]) <= 10 for b in blocks if "fields" in b)
    assert all(1 <= len(b["elements"]) <= 10 for b in blocks if b["type"] == "context")
    assert all(len(e["text"]) <= 2000 for b in blocks for e in b.get("elements", ()))
    assert all(len(f["text"]) <= 2000 for b in blocks for f in b.get("fields", ()))
    assert len(body["text"]) <= 4000
    assert not [t for t in texts(blocks) if re.search(r"&(?!amp;|lt;|gt;)", t)]
    assert not [t for t in texts(blocks) if t.count("<") != t.count(">")]
    assert len(json.dumps(body)) < 300_000


async def test_a_page_is_not_slack(wire):
    """A proxy that answers 200 with a page of its own has not delivered anything."""
    with pytest.raises(DeliveryError, match="expected 'ok'") as failure:
        await slack().send(STORIES["opening"], context(wire, Receiver(200, "<html>Sign in</html>")))

    assert failure.value.retryable


async def test_a_webhook_that_was_removed_is_not_tried_again(wire):
    """404 no_service says that somebody removed the webhook; the error says what to do."""
    with pytest.raises(DeliveryError, match=r"HTTP 404, nobody listens there any more; .*: no_service") as failure:
        await slack().send(STORIES["opening"], context(wire, Receiver(404, "no_service")))

    assert not failure.value.retryable
    assert "canary" not in str(failure.value)


def test_a_mended_time_zone_changes_only_the_words():
    """Local times stand beside UTC."""
    body = json.dumps(payload(words(STORIES["opening"], Ctx(timezone="Asia/Tokyo", clock=Fixed(NOON)))))

    assert "11:59:00 UTC (20:59:00 JST)" in body

"""Messages as JSON to any URL."""

import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from sidecar.channels import DeliveryError
from sidecar.channels.webhook import WebhookChannel, signature
from sidecar.model.notifications import NotifyKind
from tests.channels import golden
from tests.channels.receiver import URL, Receiver, context
from tests.channels.stories import EVIL, NOON, SLOW, STORIES, Ctx, Fixed, hostile, notification, sent_at, told


def channel(**settings) -> WebhookChannel:
    return WebhookChannel.model_validate({"type": "webhook", "name": "hook", "url": URL} | settings)


@pytest.mark.parametrize("story", STORIES)
def test_the_body_is_as_agreed(story):
    """Each kind of message has the body that the golden file shows."""
    payload = channel().payload(STORIES[story], Ctx(clock=Fixed(sent_at(story))))

    golden.check(f"webhook_{story}.json", json.dumps(payload, indent=2) + "\n")


async def test_what_is_sent_is_json_with_the_messages_name(wire):
    """The body is the payload, and the id travels in Idempotency-Key, too, for whoever must not act twice."""
    receiver = Receiver()

    said = await channel().send(STORIES["opening"], context(wire, receiver))

    (heard,) = receiver.heard
    assert said == "HTTP 200: ok"
    assert heard.headers["Idempotency-Key"] == STORIES["opening"].id == json.loads(heard.body)["id"]
    assert heard.headers["Content-Type"] == "application/json"
    assert json.loads(heard.body)["alerts"][0]["labels"]["cluster"] == "prod"


def test_alertmanagers_words_are_all_there():
    """Whatever reads Alertmanager's version 4 finds each key of it, with the type that it has there."""
    payload = channel().payload(STORIES["resolve"], Ctx())
    alert = payload["alerts"][0]

    assert {name: type(payload[name]) for name in list(payload)[:10]} == {
        "version": str,
        "groupKey": str,
        "truncatedAlerts": int,
        "status": str,
        "receiver": str,
        "groupLabels": dict,
        "commonLabels": dict,
        "commonAnnotations": dict,
        "externalURL": str,
        "alerts": list,
    }
    assert list(alert)[:7] == ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"]
    assert (payload["status"], alert["status"], alert["endReason"]) == ("resolved", "resolved", "recovered")


def test_raw_words_come_back_as_they_were():
    """JSON carries what a label says, to the last control character; making it harmless is the receiver's part."""
    body = json.dumps(channel().payload(hostile(), Ctx()), allow_nan=False)

    alert = json.loads(body)["alerts"][0]
    assert body.isascii()
    assert alert["labels"]["path"] == EVIL
    assert alert["annotations"]["summary"] == EVIL
    assert alert["value"] is None


def test_an_endless_annotation_is_cut():
    """A receiver that refuses large bodies must not lose the alert."""
    body = json.dumps(channel().payload(hostile("x" * 2**20), Ctx()))

    assert len(body) < 300_000


def test_alerts_beyond_the_limit_are_counted():
    """max_alerts bounds the list, and truncatedAlerts says how many are missing, as in Alertmanager."""
    alerts = [told(replace(SLOW, labels=SLOW.labels.with_(model=f"m{i}"))) for i in range(5)]
    group = notification(NotifyKind.OPENING, *alerts)

    payload = channel(max_alerts=2).payload(group, Ctx())

    assert (len(payload["alerts"]), payload["truncatedAlerts"]) == (2, 3)
    assert "model" not in payload["commonLabels"]
    assert payload["commonLabels"]["alertname"] == "ClaudeSlow"


async def test_a_message_is_signed(wire):
    """The signature is HMAC-SHA256 over the time and the body, so that neither can be changed or sent again later."""
    receiver = Receiver()
    ctx = context(wire, receiver, clock=Fixed(NOON + 0.9))

    await channel(signing_secret="canary-6f1d0c").send(STORIES["opening"], ctx)

    (heard,) = receiver.heard
    digest = hmac.new(b"canary-6f1d0c", b"1767614400." + heard.body, hashlib.sha256).hexdigest()
    assert heard.headers["X-Sidecar-Signature"] == f"t=1767614400,v1={digest}"


def test_a_signature_can_be_checked_by_hand():
    """The form of the signature is a promise; `printf '1.{}' | openssl dgst -sha256 -hmac key` says the same."""
    expected = "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"

    assert signature("key", 1.9, b"{}") == f"t=1,v1={expected}"


async def test_own_headers_are_sent_and_never_shown(wire, monkeypatch):
    """A credential in a header goes out, and into no print of the settings."""
    monkeypatch.setenv("SIDECAR_TEST_TOKEN", "Bearer canary-6f1d0c")
    receiver = Receiver()
    hook = channel(headers={"Authorization": {"env": "SIDECAR_TEST_TOKEN"}, "X-Env": "production"})

    await hook.send(STORIES["opening"], context(wire, receiver))

    assert receiver.heard[0].headers["Authorization"] == "Bearer canary-6f1d0c"
    assert receiver.heard[0].headers["X-Env"] == "production"
    assert "canary" not in repr(hook) + str(hook.model_dump()) + hook.model_dump_json()


async def test_a_missing_file_is_waited_for(wire, tmp_path):
    """A secret that is not mounted yet delays the message; it does not lose it."""
    with pytest.raises(DeliveryError, match="cannot be read") as failure:
        await channel(url={"file": str(tmp_path / "url")}).send(STORIES["opening"], context(wire, Receiver()))

    assert failure.value.retryable


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"url": "hooks.example.com/canary"}, "expected one that begins with https://", id="no scheme"),
        pytest.param({"url": "ftp://canary"}, "expected one that begins with https://", id="another scheme"),
        pytest.param(
            {"url": {"env": "SIDECAR_TEST_URL"}}, "expected one that begins with", id="a variable without a URL"
        ),
        pytest.param({"headers": {"Idempotency-Key": "x"}}, "set by the channel itself", id="a header of ours"),
        pytest.param({"headers": {"a b": "canary"}}, "expected letters, digits and dashes", id="no header name"),
        pytest.param({"headers": {"X-A": 5}}, "expected a text", id="a number"),
        pytest.param({"headers": ["canary"]}, "valid dictionary", id="a list"),
        pytest.param({"max_alerts": -1}, "greater than or equal to 0", id="a negative limit"),
        pytest.param({"uri": "x"}, "Extra inputs", id="an unknown key"),
    ],
)
def test_wrong_settings_are_refused(settings, words, monkeypatch):
    """A mistake is found when the settings are read, and the message shows no secret."""
    monkeypatch.setenv("SIDECAR_TEST_URL", "canary")

    with pytest.raises(ValidationError, match=words) as failure:
        channel(**settings)

    assert "canary" not in str(failure.value)

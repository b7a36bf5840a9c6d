"""The page about the JSON that webhooks get."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sidecar.channels.webhook import WebhookChannel
from sidecar.model.alerts import EndReason
from sidecar.model.notifications import NotifyKind
from writers import example
from writers.markdown import MADE, block, code, heading, table

MESSAGE: Final = {
    "version": "Always 4, Alertmanager's.",
    "groupKey": "The incident: the same in every message about it.",
    "truncatedAlerts": "Alerts that `max_alerts` left out.",
    "status": "firing or resolved.",
    "receiver": "The channel's name.",
    "groupLabels": "Labels by which the message is grouped.",
    "commonLabels": "Labels that all its alerts share.",
    "commonAnnotations": "Texts that all its alerts share.",
    "externalURL": "`external_url`.",
    "alerts": "The alerts, below.",
    "id": "Of the message, as in `Idempotency-Key`: one that comes twice has it twice.",
    "kind": f"What the message is: {', '.join(NotifyKind)}. [Examples](messages.md).",
    "createdAt": "When it was decided.",
    "externalLabels": "`external_labels`.",
}
ALERT: Final = {
    "status": "firing or resolved.",
    "labels": "The alert's labels, with the external ones.",
    "annotations": "The alert's texts.",
    "startsAt": "When it began to fire.",
    "endsAt": "When it ended; year 1 while it fires.",
    "generatorURL": "Where to read more.",
    "fingerprint": "Of its labels.",
    "reason": "Why it is told.",
    "failingSince": "When its condition began to hold.",
    "openedAt": "When this channel was told of it first.",
    "value": "The value; null when it is no finite number.",
    "valueText": "The value in words.",
    "quantile": "Which percentile the value is, where it is one.",
    "peak": "The worst value.",
    "condition": "What the value is held against.",
    "samples": "How many observations stand behind the value.",
    "flips": "How often it ended and began again.",
    "endReason": f"One of {', '.join(EndReason)}; null while it fires.",
    "endText": "The same in words.",
    "replacedBy": "The alert that took its place.",
    "note": "What else there is to say.",
    "lastProbe": "Evidence of the check's last failed probe.",
    "group": "The rule's group.",
    "nextStep": "What to do.",
    "trend": "How the value got there.",
    "blame": "Whose fault it is, where that is known.",
    "runbookURL": "The annotation `runbook_url`.",
    "dashboardURL": "The annotation `dashboard_url`.",
    "ackCommand": "The command that acknowledges it.",
    "silenceCommand": "The command that silences it.",
    "silenceMatchers": "The matchers of that silence.",
}


def page() -> Iterator[str]:
    """Headers, an opening and its end, and what each field means."""
    yield "# Webhook messages"
    yield ""
    yield f"{MADE} A [webhook channel](channels.md#type-webhook) POSTs what Alertmanager sends to its receivers,"
    yield "version 4, and more beside it. Any 2xx is an arrival. To check the signature, see"
    yield "[receivers](../guides/receivers.md)."
    yield from heading("Headers")
    yield from table(
        ("header", "is"),
        (
            ("`Content-Type`", "`application/json`."),
            ("`Idempotency-Key`", "The message's `id`. A message that may have arrived is sent again under the same."),
            ("`X-Sidecar-Signature`", "With `signing_secret`: `t=<unix>,v1=<hex>`, HMAC-SHA256 over `<unix>.<body>`."),
        ),
    )
    yield from heading("The message")
    yield from _fields(MESSAGE, messages()["opening"])
    yield from heading("Its alerts")
    yield from _fields(ALERT, messages()["opening"]["alerts"][0])
    for kind, found in messages().items():
        yield from heading(f"Example: {kind}")
        yield from block("json answer", json.dumps(found, indent=2, ensure_ascii=False))


def messages() -> Mapping[str, Mapping[str, Any]]:
    """An opening and its end, as a channel of the shipped rules would send them."""
    (channel,) = example.configuration().channels
    assert isinstance(channel, WebhookChannel)
    kinds = (NotifyKind.OPENING, NotifyKind.RESOLVE)
    return {kind.value: channel.payload(example.notification(kind, channel.name), example.context()) for kind in kinds}


def _fields(meanings: Mapping[str, str], found: Mapping[str, Any]) -> Iterator[str]:
    yield from table(("field", "is"), ((code(key), meanings.get(key, "")) for key in found))

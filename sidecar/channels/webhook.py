"""Messages as JSON to any URL, in the form that Alertmanager's webhook has, with more beside it."""

import hashlib
import hmac
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import Field, field_validator

from sidecar.channels import Channel, Draft, SecretUrl, SendContext, post, reveal
from sidecar.model.alerts import Alert
from sidecar.model.labels import Labels
from sidecar.model.notifications import Blame, Notification, NotifyKind, Told, Trend
from sidecar.secrets import Secret
from sidecar.templating import links, safe
from sidecar.templating.facts import end_words, trend_text, value_words
from sidecar.templating.messages import next_step
from sidecar.templating.times import rfc3339

_LONGEST: Final = 16 * 1024  # of one annotation; more would make receivers refuse the whole message
_NEVER: Final = "0001-01-01T00:00:00Z"  # Alertmanager's word for an end that has not come
_CREDENTIAL: Final = re.compile(r"auth|key|token|secret|cookie|password|signature", re.IGNORECASE)
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OURS: Final = ("content-type", "content-length", "host", "idempotency-key", "x-sidecar-signature")


class WebhookChannel(Channel):
    """POSTs Alertmanager's version-4 JSON, so that whatever receives Alertmanager's webhooks understands it."""

    type: Literal["webhook"] = "webhook"
    url: SecretUrl = Field(
        description="Where to POST; text, {env: NAME} or {file: /path}.", examples=["https://example.com/alerts"]
    )
    headers: dict[str, Secret] = Field(
        default_factory=dict,
        description="More headers, such as Authorization; never shown.",
        examples=[{"Authorization": {"file": "/run/secrets/pager"}}],
    )
    signing_secret: Secret | None = Field(
        None,
        description="Signs each message: X-Sidecar-Signature: t=<unix>,v1=<hex of HMAC-SHA256 over 't.body'>.",
        examples=[{"file": "/run/secrets/signing"}],
    )
    max_alerts: int = Field(0, description="The most alerts in one message; all when 0. The rest is counted.", ge=0)

    @field_validator("headers", mode="before")
    @classmethod
    def _headers(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        for name in value:
            if not isinstance(name, str) or not _HEADER.fullmatch(name):
                raise ValueError("got a header whose name is not one, expected letters, digits and dashes")
            if name.lower() in _OURS:
                raise ValueError(f"the header {name} is set by the channel itself")
        # A header such as `X-Env: production` is hidden like the others, but its word stays readable elsewhere.
        return {
            name: Secret(text, known=False) if isinstance(text, str) and not _CREDENTIAL.search(name) else text
            for name, text in value.items()
        }

    async def send(self, notification: Notification, ctx: SendContext) -> str:
        body = json.dumps(self.payload(notification, ctx), separators=(",", ":"), allow_nan=False).encode()
        headers = {name: reveal(secret) for name, secret in self.headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": notification.id}
        if self.signing_secret is not None:
            headers["X-Sidecar-Signature"] = signature(reveal(self.signing_secret), ctx.clock.time(), body)
        return str(await post(ctx, reveal(self.url), body, headers))

    def draft(self, notification: Notification, ctx: SendContext) -> Draft:
        sent = self.payload(notification, ctx)
        return Draft(json.dumps(sent, indent=2, ensure_ascii=False), sent)

    def payload(self, notification: Notification, ctx: SendContext) -> dict[str, Any]:
        """The message; Alertmanager's keys first, ours after them."""
        told = notification.alerts[: self.max_alerts or None]
        alerts = [_alert(t, notification, ctx) for t in told]
        return {
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": len(notification.alerts) - len(told),
            "status": "firing" if notification.firing else "resolved",
            "receiver": self.name,
            "groupLabels": dict(notification.group_labels),
            "commonLabels": _common([alert["labels"] for alert in alerts]),
            "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
            "externalURL": ctx.external_url,
            "alerts": alerts,
            "id": notification.id,
            "kind": notification.kind.value,
            "createdAt": rfc3339(notification.created_at),
            "externalLabels": dict(ctx.external_labels),
        }


def signature(secret: str, at: float, body: bytes) -> str:
    """The header's value: when it was signed, and HMAC-SHA256 over `<t>.<body>`."""
    stamp = str(int(at))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def _alert(told: Told, notification: Notification, ctx: SendContext) -> dict[str, Any]:
    alert = told.alert
    fired_at = alert.fired_at if alert.fired_at is not None else told.opened_at
    ended_at = alert.ended_at if alert.ended_at is not None else notification.created_at
    return {
        "status": "firing" if notification.firing else "resolved",
        "labels": dict(Labels(ctx.external_labels).with_(alert.labels)),
        "annotations": {name: _bounded(text) for name, text in alert.annotations.items()},
        "startsAt": rfc3339(fired_at),
        "endsAt": _NEVER if notification.firing else rfc3339(ended_at),
        "generatorURL": links.alert_url(ctx.external_url, alert),
        "fingerprint": alert.fingerprint,
        "reason": _bounded(told.reason),
        "failingSince": rfc3339(alert.active_at),
        "openedAt": rfc3339(told.opened_at),
        "value": _finite(alert.value),
        "valueText": value_words(alert),
        "peak": _finite(alert.peak),
        "condition": _bounded(alert.condition),
        "samples": _finite(alert.samples),
        "quantile": _finite(alert.quantile),
        "flips": told.flips,
        "endReason": None if notification.firing else (alert.end_reason or ""),
        "endText": None if notification.firing else end_words(alert),
        "replacedBy": alert.replaced_by,
        "note": _bounded(alert.note),
        "lastProbe": "" if notification.kind is NotifyKind.RESOLVE else safe.line(told.evidence),
        "group": alert.rule.group,
        "nextStep": next_step(told),
        "trend": _trend(told.trend),
        "blame": None if notification.kind is NotifyKind.RESOLVE else _blame(told.blame),
        "runbookURL": links.annotated(alert.annotations, "Runbook"),
        "dashboardURL": links.annotated(alert.annotations, "Dashboard"),
        "ackCommand": links.ack(alert) if notification.firing else "",
        "silenceCommand": links.silence(alert) if notification.firing else "",
        "silenceMatchers": list(_matchers(alert)) if notification.firing else [],
    }


def _trend(trend: Trend | None) -> dict[str, Any] | None:
    """How the value got there: for people, and as Prometheus' pairs of time and value."""
    if trend is None:
        return None
    return {"text": trend_text(trend), "step": trend.step, "values": [list(point) for point in trend.points]}


def _blame(blame: Blame | None) -> dict[str, str] | None:
    if blame is None:
        return None
    return {"fault": safe.line(blame.fault, 40), "who": safe.line(blame.who, 80), "ground": safe.line(blame.ground)}


def _matchers(alert: Alert) -> Iterator[dict[str, Any]]:
    """What silences *alert* and no other of its rule, in the form of Alertmanager's silences."""
    for name in ("alertname", *links.silenced(alert.labels)):
        yield {"name": name, "value": alert.labels.text(name), "isRegex": False, "isEqual": True}


def _common(maps: list[dict[str, str]]) -> dict[str, str]:
    """What every one of *maps* says alike."""
    first, *others = maps or [{}]
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in others)}


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity; `valueText` tells them apart."""
    return value if value is not None and math.isfinite(value) else None

"""Our values as the text of a column, and back."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import Notification, NotifyKind, Told

T = TypeVar("T")

_PLAIN = (
    "active_at",
    "value",
    "fired_at",
    "ended_at",
    "keep_firing_since",
    "peak",
    "condition",
    "samples",
    "note",
    "replaced_by",
)


def dump_alert(alert: Alert) -> str:
    """*alert* as text."""
    return _text(_alert(alert))


def load_alert(text: str) -> Alert:
    """The alert in *text*; ValueError when there is none."""
    return _read(text, _to_alert)


def dump_notification(notification: Notification) -> str:
    """*notification* as text."""
    return _text(
        {
            "id": notification.id,
            "channel": notification.channel,
            "kind": notification.kind.value,
            "group_key": notification.group_key,
            "alerts": [_told(told) for told in notification.alerts],
            "created_at": notification.created_at,
            "group_labels": dict(notification.group_labels),
            "expires_at": notification.expires_at,
        }
    )


def load_notification(text: str) -> Notification:
    """The notification in *text*; ValueError when there is none."""
    return _read(text, _to_notification)


def _text(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True)  # NaN and Infinity as Python's json has them


def _read(text: str, to_value: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        return to_value(json.loads(text))
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"got a row that is none of ours: {type(exc).__name__}: {exc}") from exc


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "rule": [alert.rule.group, alert.rule.name],
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "end_reason": alert.end_reason.value if alert.end_reason else None,
        **{name: getattr(alert, name) for name in _PLAIN},
    }


def _to_alert(fields: Mapping[str, Any]) -> Alert:
    group, name = fields["rule"]
    return Alert(
        rule=RuleKey(group, name),
        labels=Labels(fields["labels"]),
        annotations=Labels(fields["annotations"]),
        state=AlertState(fields["state"]),
        end_reason=EndReason(fields["end_reason"]) if fields["end_reason"] else None,
        **{name: fields[name] for name in _PLAIN if name in fields},
    )


def _told(told: Told) -> dict[str, Any]:
    return {
        "alert": _alert(told.alert),
        "opened_at": told.opened_at,
        "n": told.n,
        "flips": told.flips,
        "reason": told.reason,
    }


def _to_told(fields: Mapping[str, Any]) -> Told:
    return Told(_to_alert(fields["alert"]), fields["opened_at"], fields["n"], fields["flips"], fields["reason"])


def _to_notification(fields: Mapping[str, Any]) -> Notification:
    return Notification(
        id=fields["id"],
        channel=fields["channel"],
        kind=NotifyKind(fields["kind"]),
        group_key=fields["group_key"],
        alerts=tuple(map(_to_told, fields["alerts"])),
        created_at=fields["created_at"],
        group_labels=Labels(fields["group_labels"]),
        expires_at=fields.get("expires_at"),
    )

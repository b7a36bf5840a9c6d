"""Our values as the text of a column, and back."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import Blame, Notification, NotifyKind, Told, Trend

T = TypeVar("T")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"got {type(value).__name__}, expected text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"got {type(value).__name__}, expected a number")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"got {type(value).__name__}, expected an integer")
    return value


def _finite(value: Any) -> float:
    if not math.isfinite(_number(value)):
        raise TypeError(f"got {value}, expected a finite number")
    return float(value)


def _maybe(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else check(value)


_PLAIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "active_at": _number,
    "value": _number,
    "fired_at": _maybe(_number),
    "ended_at": _maybe(_number),
    "keep_firing_since": _maybe(_number),
    "peak": _maybe(_number),
    "condition": _string,
    "samples": _maybe(_number),
    "quantile": _maybe(_number),
    "note": _string,
    "replaced_by": _string,
}
"""What is written as it is. It is checked when it is read: a text in place of a time would end the daemon later on."""


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
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as exc:
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
        rule=RuleKey(_string(group), _string(name)),
        labels=_labels(fields["labels"]),
        annotations=_labels(fields["annotations"]),
        state=AlertState(fields["state"]),
        end_reason=EndReason(fields["end_reason"]) if fields["end_reason"] else None,
        **{name: check(fields[name]) for name, check in _PLAIN.items() if name in fields},
    )


def _labels(value: Any) -> Labels:
    return Labels({name: _string(text) for name, text in value.items()})


def _told(told: Told) -> dict[str, Any]:
    return {
        "alert": _alert(told.alert),
        "opened_at": told.opened_at,
        "n": told.n,
        "flips": told.flips,
        "reason": told.reason,
        "evidence": told.evidence,
        "trend": _trend(told.trend) if told.trend else None,
        "blame": _blame(told.blame) if told.blame else None,
        "advice": told.advice,
    }


def _trend(trend: Trend) -> dict[str, Any]:
    return {"end": trend.end, "step": trend.step, "values": list(trend.values), "up": trend.up}


def _to_told(fields: Mapping[str, Any]) -> Told:
    return Told(
        alert=_to_alert(fields["alert"]),
        opened_at=_finite(fields["opened_at"]),
        n=_count(fields["n"]),
        flips=_count(fields["flips"]),
        reason=_string(fields["reason"]),
        # Rows of versions before have none of these.
        evidence=_string(fields.get("evidence", "")),
        trend=_maybe(_to_trend)(fields.get("trend")),
        blame=_maybe(_to_blame)(fields.get("blame")),
        advice=_string(fields.get("advice", "")),
    )


def _to_trend(fields: Any) -> Trend:
    values = tuple(_maybe(_finite)(value) for value in fields["values"])
    return Trend(_finite(fields["end"]), _finite(fields["step"]), values, fields["up"] is True)


def _blame(blame: Blame) -> dict[str, Any]:
    return {"fault": blame.fault, "who": blame.who, "ground": blame.ground}


def _to_blame(fields: Any) -> Blame:
    return Blame(_string(fields["fault"]), _string(fields["who"]), _string(fields["ground"]))


def _to_notification(fields: Mapping[str, Any]) -> Notification:
    return Notification(
        id=_string(fields["id"]),
        channel=_string(fields["channel"]),
        kind=NotifyKind(fields["kind"]),
        group_key=_string(fields["group_key"]),
        alerts=tuple(map(_to_told, fields["alerts"])),
        created_at=_finite(fields["created_at"]),
        group_labels=_labels(fields["group_labels"]),
        expires_at=_maybe(_finite)(fields.get("expires_at")),
    )

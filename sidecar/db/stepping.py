"""A message on a clock that was set back."""

from dataclasses import replace

from sidecar.model.alerts import Alert
from sidecar.model.notifications import Notification, Told


def moved(notification: Notification, seconds: float) -> Notification:
    """*notification* as it would be, had its times been read from a clock that is *seconds* ahead.

    Its id stays: it may have arrived under that one.
    """
    return replace(
        notification,
        alerts=tuple(_told(told, seconds) for told in notification.alerts),
        created_at=notification.created_at + seconds,
        expires_at=_time(notification.expires_at, seconds),
    )


def _told(told: Told, seconds: float) -> Told:
    return replace(told, alert=_alert(told.alert, seconds), opened_at=told.opened_at + seconds)


def _alert(alert: Alert, seconds: float) -> Alert:
    """As the rules move the alerts that they hold, so that the resolve speaks of the same times as the opening."""
    return replace(
        alert,
        active_at=alert.active_at + seconds,
        fired_at=_time(alert.fired_at, seconds),
        ended_at=_time(alert.ended_at, seconds),
        keep_firing_since=_time(alert.keep_firing_since, seconds),
    )


def _time(at: float | None, seconds: float) -> float | None:
    return None if at is None else at + seconds

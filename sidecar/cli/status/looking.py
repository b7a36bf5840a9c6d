"""What `sidecar status` asks the daemon."""

from collections.abc import Mapping
from typing import Any, Final

from sidecar.cli.client import Client, Refused

Known = Mapping[str, Any]

_MANY: Final = 100
"""Checks from which on their last probes are not asked for: that would be megabytes, every two seconds."""


def look(client: Client, window: str, recent: int) -> Known:
    """Everything that is shown, and what `--json` prints, with so many probes of each check; NoAnswer or Refused."""
    summary = client.data("/api/v1/summary", {"window": window})
    alerts = client.data("/api/v1/alerts")["alerts"]
    somebody = any(channel["open"] for alert in alerts for channel in alert["channels"])
    return {
        "summary": summary,
        "checks": _checks(client, recent if sum(summary["checks"].values()) <= _MANY else 0),
        "alerts": alerts,
        "waiting": client.data("/api/v1/notifications", {"limit": "1000"})["waiting"] if somebody else [],
        "silences": [one for one in client.data("/api/v1/silences")["silences"] if one["state"] != "expired"],
    }


def _checks(client: Client, recent: int) -> Any:
    try:
        return client.data("/api/v1/checks", {"recent": str(recent)})
    except Refused:  # a daemon older than we are has no such parameter
        return client.data("/api/v1/checks")


def is_fine(known: Known) -> bool:
    """Whether nothing is down, nothing fires, and health is known."""
    summary = known["summary"]
    return summary["health"] == "healthy" and not summary["checks"]["down"] and not summary["alerts"]["firing"]

"""What a daemon may know, as its API tells it."""

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 5, 1, 9, 40, tzinfo=UTC).timestamp()


def stamp(seconds: float) -> str:
    """So many seconds ago."""
    return datetime.fromtimestamp(NOW - seconds, UTC).isoformat().replace("+00:00", "Z")


def check(name: str, state: str, since: float = 60.0, **more: Any) -> dict[str, Any]:
    """A check that is in *state* since so many seconds."""
    why = "3 failures in a row: connect: no connection to 10.0.0.7:443: connection refused by the gateway's own proxy"
    last = {"at": stamp(2), "ok": state != "down", "seconds": 0.0351, "text": "succeeded in 35 ms"}
    recent = [("success", 0.2), ("success", 0.4), ("unknown", 0.0), ("failure" if state == "down" else "success", 0.1)]
    shown: dict[str, Any] = {
        "name": name,
        "state": state,
        "since": stamp(since),
        "critical": False,
        "reason": why if state != "up" else "the last probe succeeded",
        "last": None if state == "unknown" else last,
        "target": f"https://{name}.example/health",
        "uptime": {"24h": {"ratio": 0.99996, "seen": 86400.0, "down": 3.0}},
        "recent": [{"at": stamp(9), "outcome": outcome, "seconds": seconds} for outcome, seconds in recent],
    }
    return shown | more


def alert(name: str, **more: Any) -> dict[str, Any]:
    """An alert that fires, as a daemon with the channels oncall and mail tells it."""
    shown: dict[str, Any] = {
        "labels": {"alertname": name, "check": "claude", "severity": "critical"},
        "annotations": {"summary": "Claude does not answer the check claude"},
        "state": "firing",
        "severity": "critical",
        "rule": name,
        "text": "firing for 3m12s",
        "fingerprint": "1f2e3d4c5b6a7988",
        "fired_at": stamp(192),
        "verdict": "provider",
        "evidence": "overloaded: HTTP 529 after 1.2 s: the API says that it is overloaded",
        "next_step": "Switch the gateway to its fallback model and follow https://status.example before anything else",
        "channels": [{"channel": "oncall", "open": True}, {"channel": "mail", "open": True}],
        "next": [{"what": "reminder", "channel": "oncall", "at": stamp(-3400)}],
    }
    return shown | more


def percentiles(metric: str, target: str = "https://gateway.example/v1/messages") -> dict[str, Any]:
    """How long Claude took over the window."""
    labels = {"model": "claude-haiku-5-5", "source": "probe", "target": target}
    return {"metric": metric, "labels": labels, "samples": 60, "quantiles": {"0.5": 0.7512, "0.95": 1.5, "0.99": 120.4}}


def known(checks: list[dict[str, Any]], alerts: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """All that `sidecar status` asks for."""
    states = [check["state"] for check in checks]
    model = {"model": "claude-haiku-5-5", "source": "probe"}
    summary: dict[str, Any] = {
        "at": stamp(0),
        "window": "5m",
        "health": "critical",
        "critical_failures": ["claude"],
        "checks": {state: states.count(state) for state in ("up", "down", "unknown")},
        "alerts": {"firing": len(alerts or ()), "pending": 0},
        "percentiles": [percentiles("claude_request_duration_seconds"), percentiles("claude_time_to_first_token")],
        "requests": [
            {"labels": model | {"outcome": "ok"}, "count": 60.0},
            {"labels": model | {"outcome": "error", "error_type": "overloaded"}, "count": 7.0},
        ],
        "cost_dollars": [{"labels": model, "count": 0.0123}],
        "deliveries": [
            {"labels": {"channel": "oncall", "result": "delivered"}, "count": 2.0},
            {"labels": {"channel": "mail", "result": "failed"}, "count": 1.0},
        ],
        "outbox": [{"channel": "mail", "waiting": 2.0, "oldest_seconds": 75.0}],
    }
    return {"summary": summary | more, "checks": checks, "alerts": alerts or [], "silences": []}


INCIDENT = known(
    [
        check("api", "up", 86_400.0 * 3),
        check("claude", "down", 192.0, critical=True),
        check("redis-of-the-gateway-in-the-other-region", "unknown", 5.0),
    ],
    [alert("ClaudeDown"), alert("ClaudeSlow", state="pending", severity="warning", next=[], evidence="", next_step="")],
)
INCIDENT["silences"] = [
    {
        "id": "7c1f0b1e-6d0f-4c5e-9b43-0a0f4c6f2d11",
        "state": "active",
        "matchers": ['alertname="RedisDown"', 'check=~"redis.*"'],
        "starts_at": stamp(60),
        "ends_at": stamp(-3600),
        "created_by": "ann",
        "comment": "moving house",
    }
]

"""An alert as it might be, and the messages about it."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from sidecar import config
from sidecar.cli.notify import sample
from sidecar.cli.notify.testing import Ctx
from sidecar.model.notifications import Notification, NotifyKind
from sidecar.rules.evaluation import Surroundings
from sidecar.services import probing

_AT: Final = 1_770_000_000.0
_RULE: Final = "GatewayDown"
_CONFIGURATION: Final = """
external_url: https://sidecar.example
checks:
  - {name: gateway, type: http, url: "http://127.0.0.1:4000/health/readiness", critical: true}
channels:
  - {name: pager, type: webhook, url: "https://pager.example/hook"}
rules:
  - pack: availability
"""


@dataclass(frozen=True, slots=True)
class _Clock:
    """A clock that stands: a page is the same whenever it is made."""

    at: float

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@cache
def configuration() -> config.Config:
    """The configuration under which the messages are made."""
    return config.parse(_CONFIGURATION, "sidecar.yml", folder=Path())


def context() -> Ctx:
    """The other end of a delivery, two seconds after the message was decided."""
    return Ctx.of(configuration().settings, _Clock(_AT + 2.0))


def notification(kind: NotifyKind, channel: str) -> Notification:
    """The message of *kind* that *channel* would get."""
    found = configuration()
    rule = next(rule for rule in found.rules.alerting if rule.name == _RULE)
    element = sample.sample(rule, [probing.labels(check, "") for check in found.checks], {})
    alert = sample.alert(rule, element, kind, _AT, Surroundings({}, found.settings.external_url))
    made = sample.notification(alert, channel, kind, _AT)
    return replace(made, alerts=tuple(replace(told, reason="first") for told in made.alerts))

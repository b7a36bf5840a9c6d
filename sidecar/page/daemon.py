"""The daemon as the page sees it."""

from collections.abc import Mapping
from typing import Protocol

from sidecar.api import v1
from sidecar.api.health import Configuration
from sidecar.model.history import CheckHistory
from sidecar.services.pace import Pace


class Daemon(v1.Daemon, Protocol):
    """What the API asks for, and what the page shows beside it. What a reload changes is asked anew each time."""

    @property
    def pod(self) -> str:
        """The name of this pod."""
        ...

    @property
    def external_url(self) -> str:
        """Where people reach this daemon; empty when nobody said."""
        ...

    @property
    def external_labels(self) -> Mapping[str, str]:
        """Labels on whatever leaves: cluster, region."""
        ...

    @property
    def timezone(self) -> str:
        """The zone of the people who are told; times are said in it beside UTC."""
        ...

    @property
    def configuration(self) -> Configuration:
        """What runs, and how the last attempt to take up another configuration went."""
        ...

    @property
    def channels(self) -> Mapping[str, str]:
        """The type of each channel of the configuration, by its name."""
        ...

    @property
    def paces(self) -> Mapping[str, Pace]:
        """The circuit breaker of each channel, by its name."""
        ...

    @property
    def retention(self) -> float:
        """For how many seconds samples are kept."""
        ...

    def history(self, check: str, /) -> CheckHistory:
        """What the check's last probes came to, and how long it was up."""
        ...

    def effective(self) -> str:
        """What the daemon runs with, as YAML, with nothing secret in it."""
        ...

"""The daemon as the page sees it."""

import socket
from collections.abc import Mapping
from typing import Protocol

from sidecar.api.health import Configuration
from sidecar.app.reloading import Reloader
from sidecar.app.view import Parts, View
from sidecar.services.delivery import Delivery
from sidecar.services.pace import Pace


class Seen(Parts, Protocol):
    """What is asked of the daemon's parts beside what the API asks."""

    reloader: Reloader
    delivery: Delivery


class Overview(View):
    """Answers what the page asks about *daemon*; fits `sidecar.page.daemon.Daemon`."""

    def __init__(self, daemon: Seen) -> None:
        super().__init__(daemon)
        self._seen = daemon
        self._pod = daemon.config.settings.pod or socket.gethostname()

    @property
    def pod(self) -> str:
        """The name of this pod."""
        return self._pod

    @property
    def external_url(self) -> str:
        """Where people reach this daemon; empty when nobody said."""
        return self._seen.config.settings.external_url

    @property
    def external_labels(self) -> Mapping[str, str]:
        """Labels on whatever leaves."""
        return self._seen.config.settings.external_labels

    @property
    def timezone(self) -> str:
        """The zone of the people who are told."""
        return self._seen.config.settings.timezone

    @property
    def configuration(self) -> Configuration:
        """What runs, and how the last attempt to take up another configuration went."""
        return self._seen.reloader.status

    @property
    def channels(self) -> Mapping[str, str]:
        """The type of each channel, by its name."""
        return {channel.name: channel.type for channel in self._seen.config.channels}

    @property
    def paces(self) -> Mapping[str, Pace]:
        """The circuit breaker of each channel, by its name."""
        return self._seen.delivery.paces

    @property
    def retention(self) -> float:
        """For how many seconds samples are kept."""
        return self._seen.store.retention

    def effective(self) -> str:
        """What the daemon runs with, as YAML, with nothing secret in it."""
        import yaml

        from sidecar.config import showing

        config = self._seen.config
        found = showing.effective(config.settings, config.checks, config.channels)
        return str(yaml.safe_dump(found, sort_keys=False, allow_unicode=True))

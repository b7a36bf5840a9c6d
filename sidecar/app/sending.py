"""What channels get to know, and what becomes of them when nothing is to be sent."""

from dataclasses import dataclass, replace

from sidecar.clock import Clock
from sidecar.config import Config
from sidecar.outbound import Outbound


@dataclass(frozen=True, slots=True)
class Sending:
    """Fits `sidecar.channels.SendContext`."""

    clock: Clock
    outbound: Outbound
    external_url: str
    external_labels: dict[str, str]
    timezone: str

    @classmethod
    def under(cls, config: Config, clock: Clock, outbound: Outbound) -> "Sending":
        """As *config* has it."""
        settings = config.settings
        url, labels = settings.external_url.rstrip("/"), dict(settings.external_labels)
        return cls(clock, outbound, url, labels, settings.timezone)


def unsent(config: Config) -> Config:
    """*config* with channels of the same names that take the same messages and only log them."""
    from sidecar.channels.log import LogChannel

    channels = tuple(
        LogChannel(name=channel.name, severities=channel.severities, send_resolved=channel.send_resolved)
        for channel in config.channels
    )
    return replace(config, channels=channels)

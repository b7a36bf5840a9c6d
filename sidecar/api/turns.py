"""Whether every service still turns."""

from collections.abc import Callable
from dataclasses import dataclass

_PATIENCE = 60.0  # seconds; a service is late after ten of its periods, but never sooner than this


@dataclass(slots=True)
class _Service:
    period: float
    started: float
    last: float | None = None


class Turns:
    """The last turn of each service; what `/health/ready` and `/health/live` are made of.

    *monotonic* says the time in seconds: a clock that was set must not make a service look stuck.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._services: dict[str, _Service] = {}
        self._loaded = self._stopping = False

    def expect(self, service: str, period: float) -> Callable[[], None]:
        """A service starts whose turns are *period* seconds apart; call what is returned after each turn."""
        entry = self._services[service] = _Service(period, self._monotonic())

        def done() -> None:
            entry.last = self._monotonic()

        return done

    def dismiss(self, service: str) -> None:
        """A service ends, as asked."""
        self._services.pop(service, None)

    def loaded(self) -> None:
        """The configuration is in use."""
        self._loaded = True

    def stopping(self) -> None:
        """The shutdown has begun: whoever balances load goes elsewhere."""
        self._stopping = True

    def ready(self, *, listening: bool = True) -> list[str]:
        """What stands between the daemon and its work; never the state of a check."""
        if self._stopping:
            return ["shutting down"]
        problems = [] if self._loaded else ["the configuration is not loaded"]
        if not listening:
            problems.append("the listeners are not bound")
        waiting = sorted(name for name, service in self._services.items() if service.last is None)
        return problems + [f"{name} has not finished a turn" for name in waiting]

    def alive(self) -> list[str]:
        """The services whose last turn is longer ago than max(60 s, 10 × their period)."""
        now = self._monotonic()
        problems = []
        for name, service in sorted(self._services.items()):
            patience = max(_PATIENCE, 10 * service.period)
            silence = now - (service.started if service.last is None else service.last)
            if silence > patience:
                problems.append(f"{name} finished no turn for {silence:.0f} s, expected one within {patience:.0f} s")
        return problems

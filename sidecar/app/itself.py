"""What the daemon tells of itself beside what its parts tell: its build, its files, its database, its alerts."""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version

from sidecar.model.alerts import Alert
from sidecar.model.families import BUILD_INFO, DATABASE_WRITABLE, SIDECAR_ALERTS
from sidecar.model.labels import Labels
from sidecar.model.samples import Update


class Itself:
    """The facts of one process."""

    def __init__(self) -> None:
        # Read once: it is a file, and there may be none left to open when we have to tell so.
        self._build = Labels(version=version("claude-sidecar"), python=platform.python_version())

    def facts(self, files: Iterable[Update], alerts: Iterable[Alert], *, writable: bool) -> Iterator[Update]:
        """*files* are those of the configuration; *writable* is the database."""
        yield Update(BUILD_INFO, 1.0, self._build)
        yield from files
        yield Update(DATABASE_WRITABLE, float(writable))
        counts = Counter((alert.name, alert.severity, alert.state.value) for alert in alerts)
        for (name, severity, state), n in counts.items():
            yield Update(SIDECAR_ALERTS, n, Labels(alertname=name, severity=severity, state=state))

"""The page about the configuration file."""

from collections.abc import Iterator

from sidecar.config import Settings
from writers.markdown import MADE, heading
from writers.models import nested, sample, section


def page() -> Iterator[str]:
    """Everything but checks, channels and rules, which have pages of their own."""
    yield "# Configuration file"
    yield ""
    yield f"{MADE} Durations are written as Prometheus writes them: `30s`, `5m`, `1h30m`."
    yield "A secret is a text, `{env: NAME}` or `{file: /path}`; a file is read again when it changes."
    yield "[Checks](checks.md), [channels](channels.md) and [rule files](rule-files.md) have pages of their own."
    yield "`sidecar config check` names every mistake; `sidecar config schema` is for editors."
    yield from heading("Example")
    yield from sample("configuration")
    yield from section("Top level", Settings)
    for path, model in nested(Settings):
        yield from section(f"`{path}:`", model)

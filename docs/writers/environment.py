"""The page about environment variables and exit codes."""

from collections.abc import Iterator
from typing import Any, Final

import click
from pydantic import BaseModel

from sidecar.cli import failing
from sidecar.config import Settings
from sidecar.config.settings import PREFIX
from writers.commands import commands
from writers.markdown import MADE, code, heading, table
from writers.models import default

_FOREIGN: Final = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Where telemetry goes when `otlp.endpoint` is empty; the other OTEL_EXPORTER_OTLP_… "
    "variables that belong to it (headers, and those for one signal) are read then, too.",
    "HTTPS_PROXY, HTTP_PROXY, NO_PROXY": "Proxies, where `network.proxy` is not set; small letters do as well.",
    "SSL_CERT_FILE, SSL_CERT_DIR": "Certificates to trust instead of the system's, where `network.ca_file` is not set.",
    "SIDECAR_DEBUG": "When a command crashes: its traceback.",
    "NO_COLOR": "No colours on a terminal.",
    "COLUMNS": "How wide tables are.",
}


def page() -> Iterator[str]:
    """Variables that are read, and codes that are returned."""
    yield "# Environment variables and exit codes"
    yield ""
    yield MADE
    yield from heading("Settings")
    yield "A setting's variable wins over the file, a flag wins over both. Lists and mappings are JSON."
    yield ""
    yield from table(("variable", "setting", "default"), _settings(Settings, PREFIX, ""))
    yield ""
    yield "In the file, `${NAME}` and `${NAME:-default}` stand for any variable's value, `{env: NAME}` for a secret's."
    yield from heading("Commands")
    yield from table(("variable", "stands for", "of"), _options())
    yield from heading("More")
    yield from table(("variable", "means"), ((code(name), text) for name, text in _FOREIGN.items()))
    yield from heading("Exit codes")
    yield from table(
        ("code", "means"),
        (
            ("0", "Fine."),
            ("1", "The answer is bad: a check failed, an alert fires, nothing was found; or we crashed."),
            (str(failing.WRONG), "Wrong use, a configuration that cannot be used, or no daemon that answers."),
            (str(failing.INTERRUPTED), "Interrupted by Ctrl-C."),
            (str(failing.UNREAD), "Whoever read the output has gone, as `head` does."),
        ),
    )
    yield ""
    yield "What is bad for a command, [its help](commands.md) says."


def _settings(model: type[BaseModel], before: str, path: str) -> Iterator[tuple[str, str, str]]:
    """A line for each value that a variable can give."""
    for name, field in model.model_fields.items():
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _settings(inner, f"{before}{name.upper()}__", f"{path}{name}.")
        else:
            yield code(f"{before}{name.upper()}"), code(f"{path}{name}"), default(field)


def _options() -> Iterator[tuple[str, str, str]]:
    """Every variable that a command reads instead of an option or an argument."""
    found: dict[tuple[str, str], list[str]] = {}
    for ctx, command in commands():
        for param in command.params:
            if isinstance(param.envvar, str):
                said = param.opts[0] if isinstance(param, click.Option) else (param.name or "").upper()
                found.setdefault((param.envvar, said), []).append(ctx.command_path)
    for (variable, said), of in found.items():
        yield code(variable), code(said), ", ".join(code(path) for path in of)

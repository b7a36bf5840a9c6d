"""Writes the reference from the code: `make docs`."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from writers import (
    alerts,
    api,
    client,
    commands,
    configuration,
    environment,
    index,
    languages,
    logs,
    messages,
    metrics,
    plugged,
    rule_files,
    webhook,
)

HERE: Final = Path(__file__).parent
PAGES: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "reference.md": index.page,
    "reference/configuration.md": configuration.page,
    "reference/checks.md": plugged.checks,
    "reference/channels.md": plugged.channels,
    "reference/rule-files.md": rule_files.page,
    "reference/languages.md": languages.page,
    "reference/alerts.md": alerts.page,
    "reference/metrics.md": metrics.page,
    "reference/commands.md": commands.page,
    "reference/api.md": api.page,
    "reference/client.md": client.page,
    "reference/messages.md": messages.page,
    "reference/webhook.md": webhook.page,
    "reference/logs.md": logs.page,
    "reference/environment.md": environment.page,
    "openapi.json": api.as_json,
}


def text(page: str) -> str:
    """The whole of *page*."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(PAGES[page]())).rstrip("\n") + "\n"


def main() -> None:
    """Write every page that is not as it should be."""
    for page in PAGES:
        path, said = HERE / page, text(page)
        if not path.exists() or path.read_text("utf-8") != said:
            path.parent.mkdir(exist_ok=True)
            path.write_text(said, "utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()

"""Writes dashboards/*.json from dashboards/source: `make docs`."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.source import alerts, claude, overview, sidecar, traffic

FOLDER = Path(__file__).parent
SOURCES = (overview, claude, traffic, alerts, sidecar)


def texts() -> dict[str, str]:
    """Each dashboard as JSON, by the name of its file."""
    return {
        f"{source.__name__.rpartition('.')[2]}.json": json.dumps(source.made(), cls=JSONEncoder, indent=2) + "\n"
        for source in SOURCES
    }


def main() -> None:
    written = texts()
    for old in FOLDER.glob("*.json"):
        if old.name not in written:
            old.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()

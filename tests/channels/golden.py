"""Expected texts in files: `UPDATE_GOLDEN=1 pytest tests/channels` writes them anew; read the difference, commit it."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Assert that *text* is what the file *name* holds."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert path.exists(), f"no {path.name}; write it with UPDATE_GOLDEN=1"
    assert text == path.read_bytes().decode(), f"{path.name} differs; if that is meant, write it with UPDATE_GOLDEN=1"

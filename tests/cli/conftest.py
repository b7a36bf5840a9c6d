"""The command line as the shell sees it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sidecar.cli import main


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _nobody_says_how_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a terminal of any width, or say that he has."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def sidecar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Call `sidecar` with words, as its entry point does."""

    def call(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["sidecar", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        said = capsys.readouterr()
        return Said(code if isinstance(code, int) else int(code is not None), said.out, said.err)

    return call

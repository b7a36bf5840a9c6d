"""What the shell offers when somebody presses Tab, tried in the shells themselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import program

CONFIG = """
checks:
  - {type: tcp, name: gateway, address: "127.0.0.1:1"}
  - {type: tcp, name: gate-2, address: "127.0.0.1:1"}
  - {type: tcp, name: redis, address: "127.0.0.1:1"}
channels:
  - {type: webhook, name: oncall, url: "http://127.0.0.1:1/"}
rules: [{pack: availability}]
"""

BASH = """
source <(sidecar completion bash)
complete_() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
  _sidecar_completion sidecar 2>/dev/null
  printf '%s\\n' "${COMPREPLY[*]}"
}
complete_ sidecar st
complete_ sidecar check sidecar.yml gate
complete_ sidecar notify test on
"""
FISH = """
sidecar completion fish | source
complete -C "sidecar st"
complete -C "sidecar check sidecar.yml gate"
"""
ZSH = """
autoload -Uz compinit && compinit -u -D
source <(sidecar completion zsh)
print -r -- ${_comps[sidecar]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a configuration in it, and with `sidecar` as a program."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "sidecar.yml").write_text(CONFIG)
    (folder / "sidecar").write_text(f'#!/bin/sh\nexec {sys.executable} -m sidecar "$@"\n')
    (folder / "sidecar").chmod(0o755)
    return folder


def said(shell: list[str], script: str, folder: Path) -> list[str]:
    """What *script* prints in that shell."""
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb"}
    done = subprocess.run(
        [*shell, script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.realtime
def test_bash_completes(folder):
    """Commands, and the names that the configuration has."""
    shown = said([program("bash"), "-c"], BASH, folder)

    assert shown == ["status", "gateway gate-2", "oncall"]


@pytest.mark.realtime
def test_fish_completes(folder):
    """Names come with what they are, up to a comma."""
    shown = said([program("fish"), "-c"], FISH, folder)

    assert shown[0] == "status\tWhat a running daemon knows"
    assert sorted(shown[1:]) == ["gate-2\ttcp", "gateway\ttcp"]


@pytest.mark.realtime
def test_zsh_takes_the_script(folder):
    """Zsh knows whom to ask for the words of `sidecar`."""
    assert said([program("zsh"), "-f", "-c"], ZSH, folder) == ["_sidecar_completion"]


@pytest.fixture
def offered(sidecar, monkeypatch, folder):
    """What is offered for the last of these words."""
    monkeypatch.chdir(folder)

    def call(*words: str) -> list[str]:
        monkeypatch.setenv("_SIDECAR_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["sidecar", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        answered = sidecar()
        assert answered.err == ""
        return [line.partition(",")[2] or line for line in answered.out.splitlines() if line]

    return call


@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param(["on"], [], id="no such command"),
        pytest.param(["--tr"], ["--traceback"], id="an option of all"),
        pytest.param(["check", "sidecar.yml", "re"], ["redis"], id="a check"),
        pytest.param(["check", "missing.yml", "re"], [], id="a file that is not there"),
        pytest.param(["notify", "test", ""], ["oncall"], id="a channel"),
        pytest.param(["notify", "preview", "GatewayD"], ["GatewayDown"], id="a rule of a pack"),
        pytest.param(["notify", "preview", "CheckDown", "--channel", ""], ["oncall"], id="a channel of an option"),
        pytest.param(["rules", "show", "--pack", "lat"], ["latency"], id="a pack"),
        pytest.param(["rules", "check", "s"], ["sidecar", "sidecar.yml"], id="a pack and a file"),
        pytest.param(["status", "--window", "5"], ["5m"], id="a choice"),
    ],
)
def test_names_are_offered(offered, words, names):
    """Names come from the configuration in the folder; whatever fails offers nothing and says nothing."""
    assert offered(*words) == names

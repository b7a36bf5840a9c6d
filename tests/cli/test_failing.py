"""How commands fail: one screen of words or one object, the right exit code, never a traceback."""

import errno
import json
import os
import subprocess
import sys

import pytest

from tests.canaries import CANARIES

CONFIG = """
checks: [{type: tcp, name: gateway, address: "127.0.0.1:1"}]
channels: [{type: webhook, name: oncall, url: "http://127.0.0.1:1/"}]
rules: [{pack: availability}]
"""
NOBODY = ["--url", "http://127.0.0.1:1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with good and bad files in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sidecar.yml").write_text(CONFIG)
    (tmp_path / "binary.yml").write_bytes(b"\x00\x01\xff\xfe")
    (tmp_path / "broken.yml").write_text("checks: [")
    (tmp_path / "list.yml").write_text("- 1\n")
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "many.yml").write_text("\n".join(["checks:", *(f"  - {{type: tcp, name: a{n}}}" for n in range(60))]))
    return tmp_path


COMMANDS = ["run", "check", "config check", "config show", "diagnose", "notify test x", "notify preview X"]
COMMANDS += ["rules check", "rules test", "rules list", "rules import"]
FILES = ["binary", "broken", "list", "empty", "many", "missing", "ÿ"]


@pytest.mark.parametrize(
    ("command", "file"), [*((command, "folder") for command in COMMANDS), *(("config show", file) for file in FILES)]
)
def test_no_file_ends_in_a_traceback(sidecar, folder, command, file):
    """Whatever a file is, each command names it within one screen."""
    said = sidecar(*command.split(), f"{file}.yml")

    shown = said.out + said.err
    assert said.code == (1 if command == "diagnose" else 2)
    assert file in shown
    assert "unexpected" not in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) <= 24


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["staus"], 2, "Did you mean 'status'?", id="a misspelt command"),
        pytest.param(["config", "chekc"], 2, "Did you mean 'check'?", id="a misspelt command of a group"),
        pytest.param(["status", "--wacth"], 2, "Did you mean '--watch'?", id="a misspelt option"),
        pytest.param(["check", "sidecar.yml", "gatway"], 2, "did you mean gateway?", id="a misspelt check"),
        pytest.param(["notify", "test", "oncal"], 2, "did you mean oncall?", id="a misspelt channel"),
        pytest.param(["notify", "preview", "Gateway"], 2, "did you mean GatewayDown?", id="a misspelt alert"),
        pytest.param(["rules", "show", "availability", "--rule", "x"], 2, "known: ", id="a rule like no other"),
        pytest.param(["status", "--token-file", "folder.yml"], 2, "is a directory", id="a token's file"),
        pytest.param(["status", *NOBODY], 2, "is it running? Start it with", id="no daemon"),
        pytest.param(["query", "up", "--url", "https://["], 2, "--url: ", id="no URL"),
        pytest.param(["simulator", "--fault", "x"], 2, "--fault", id="no fault"),
        pytest.param(["run", "--listen", "x"], 2, "http.listen", id="no address"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_right(sidecar, folder, words, code, message):
    """A misspelt name is answered with the nearest, a daemon that is away with how to find it."""
    said = sidecar(*words)

    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert len(said.err.splitlines()) <= 6


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        pytest.param(["status", "--json", *NOBODY], "no_answer", id="no daemon"),
        pytest.param(["status", "--json", "--wacth"], "usage", id="an option"),
        pytest.param(["check", "sidecar.yml", "gatway", "--json"], "usage", id="a name"),
        pytest.param(["config", "show", "broken.yml", "--json"], "configuration", id="a configuration"),
        pytest.param(["explain", "X", "--json", "--token-file", "missing"], "usage", id="a token's file"),
    ],
)
def test_machines_get_an_object(sidecar, folder, words, kind):
    """With --json standard output has the promised shape or nothing, and standard error one object."""
    said = sidecar(*words)

    error = json.loads(said.err)["error"]
    assert (said.code, said.out) == (2, "")
    assert error["type"] == kind
    assert error["message"]
    if kind == "configuration":
        assert [mistake["file"] for mistake in error["mistakes"]] == ["broken.yml"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(KeyboardInterrupt(), 130, "", id="Ctrl-C"),
        pytest.param(BrokenPipeError(), 141, "", id="a pipe that nobody reads any more"),
        pytest.param(
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 2, "No space left on device; make room", id="a full disk"
        ),
        pytest.param(
            ValueError(f"no {CANARIES['api key']}"),
            1,
            "sidecar's own",
            id="a mistake of ours",
        ),
    ],
)
def test_every_end_has_its_code(sidecar, monkeypatch, error, code, said):
    """However a command ends, nothing but a sentence is seen, and no secret is in it."""

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("sidecar.cli.demo.demo.invoke", fail)

    ended = sidecar("demo")

    assert ended.code == code
    assert said in ended.err
    assert CANARIES["api key"] not in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 3


def test_a_developer_sees_where_it_was(sidecar, monkeypatch):
    """--traceback shows all of a mistake of ours."""
    monkeypatch.setattr("sidecar.cli.demo.demo.invoke", lambda _: 1 / 0)

    assert "Traceback (most recent call last)" in sidecar("--traceback", "demo").err


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("exec 3>&1; {{ {sidecar} --help; echo $? >&3; }} | true", "141", id="nobody reads"),
        pytest.param("{sidecar} completion bash >&-; echo $?", "0", id="standard output is closed"),
        pytest.param("{sidecar} nonsense 2>&-; echo $?", "2", id="standard error is closed"),
        pytest.param(
            "{sidecar} rules import - <&- 2>&1; echo $?", "standard input: is closed", id="standard input is closed"
        ),
    ],
)
def test_streams_that_are_not_there(script, expected, tmp_path):
    """A shell may close what it wants."""
    command = script.format(sidecar=f"{sys.executable} -m sidecar")
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.startswith(expected)
    assert done.stderr == ""


def test_the_words_of_a_file_may_be_of_any_encoding(sidecar, folder):
    """A name that is no text of this machine is shown as far as it can be."""
    assert "?.yml: cannot be read" in sidecar("config", "show", "\udcff.yml").err

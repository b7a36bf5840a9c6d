"""`sidecar check`."""

import json
import re

import pytest

from sidecar.checks import CheckUnknown, ProbeContext
from sidecar.checks.http import HttpCheck

CONFIG = """
checks:
  - {type: http, name: one, url: "http://127.0.0.1:1/secret-less", timeout: 5s}
  - {type: http, name: two, url: "http://127.0.0.1:1/?key=planted-secret", timeout: 5s}
"""
THERE = "http://127.0.0.1:1/secret-less"


@pytest.fixture
def file(tmp_path):
    """Two checks of a port where nobody listens."""
    path = tmp_path / "sidecar.yml"
    path.write_text(CONFIG)
    return path


def test_failed_probes_are_said(sidecar, file):
    """Each failed probe is told with its word and its sentence, and the exit code is 1."""
    said = sidecar("check", file)

    assert said.code == 1
    assert said.out.count("FAILED") == 2
    assert "connect: no connection to http://127.0.0.1:1/" in said.out
    assert "planted-secret" not in said.out + said.err


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        pytest.param(
            60,
            [
                "FAILED  one  ms  http://127.0.0.1:1/secret-less",
                "        connect: no connection to",
                "        http://127.0.0.1:1/secret-less: connection refused",
            ],
            id="a narrow terminal",
        ),
        pytest.param(
            None,
            [
                f"FAILED  one  ms  {THERE}  connect: no connection to {THERE}: connection refused",
            ],
            id="a pipe",
        ),
    ],
)
def test_a_probe_is_as_wide_as_the_terminal(sidecar, file, monkeypatch, columns, lines):
    """On a terminal the reason stands below its probe; in a pipe each probe is one line."""
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))

    said = sidecar("check", file, "one")

    assert re.sub(r" +\d+ms", "  ms", said.out).splitlines() == lines


def test_one_by_name(sidecar, file):
    """Only the named check is probed."""
    said = sidecar("check", file, "two", "--json")

    assert [json.loads(line)["check"] for line in said.out.splitlines()] == ["two"]
    assert json.loads(said.out)["error_type"] == "connect"


def test_unknown_name(sidecar, file):
    """A name that no check has is wrong use, answered with the names that there are."""
    said = sidecar("check", file, "three")

    assert said.code == 2
    assert "; known: one, two" in said.err


def test_no_verdict_is_no_failure(sidecar, file, monkeypatch):
    """A probe that comes to no verdict says why, and fails nothing."""

    async def wait(_check: HttpCheck, _ctx: ProbeContext) -> None:
        raise CheckUnknown("waiting", "no call came yet")

    monkeypatch.setattr(HttpCheck, "probe", wait)

    said = sidecar("check", file, "two")

    assert said.code == 0
    assert said.out.startswith("unknown two")
    assert "waiting: no call came yet" in said.out
    fields = json.loads(sidecar("check", file, "two", "--json").out)
    assert (fields["ok"], fields["verdict"], fields["reason"]) == (False, "unknown", "waiting")


def test_names_of_checks_are_completed(sidecar, file, monkeypatch):
    """The shell hears the names of the file's checks; a broken file has none."""
    monkeypatch.setenv("_SIDECAR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"sidecar check {file} t")
    monkeypatch.setenv("COMP_CWORD", "3")

    assert sidecar().out.split() == ["plain,two"]
    file.write_text("checks: nonsense")
    assert sidecar().out.strip() == ""

"""The configuration: read whole, every mistake at once."""

from pathlib import Path

import pytest

from sidecar import config
from sidecar.model.errors import ConfigError

GOOD = """
checks:
  - {type: http, name: gateway, url: "http://gateway:8080/health", every: 5s}
channels:
  - {type: log, name: log}
"""


def mistakes(text: str, folder: Path = Path()) -> list[str]:
    """What is wrong with *text*, each as the user reads it."""
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "sidecar.yml", folder=folder)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_built():
    """Durations, types and defaults are what the file says."""
    found = config.parse(GOOD, "sidecar.yml")

    assert [(check.name, check.type, check.every) for check in found.checks] == [("gateway", "http", 5.0)]
    assert [channel.name for channel in found.channels] == ["log"]
    assert found.settings.http.listen == "127.0.0.1:9797"


def test_every_mistake_at_once():
    """All mistakes are named together, each with file, line, key, what was found and what was expected."""
    found = mistakes(
        """
timezone: Mars/Olympus
chanels: []
checks:
  - {type: http, name: gateway, url: "http://gateway/", every: 5}
  - {type: htp, name: other}
  - {name: third}
  - {type: http, name: gateway, url: "http://gateway/", labels: {check: x}}
channels:
  - {type: log, name: log, colour: red}
rules:
  - {pack: availabilty}
"""
    )

    text = "\n".join(found)
    for expected in (
        "sidecar.yml:2: timezone: ",
        "sidecar.yml:3: chanels: ",
        "did you mean",
        "sidecar.yml:5: checks[0].every: ",
        "with its unit",
        "sidecar.yml:6: checks[1].type: got type 'htp', expected one of: ",
        "sidecar.yml:7: checks[2]: has no `type`",
        "sidecar.yml:8: checks[3].name: 'gateway' is also the name at line 5",
        "sidecar.yml:8: checks[3].labels.check: ",
        "sidecar.yml:10: channels[0].colour: ",
        "sidecar.yml:12: rules[0].pack: ",
    ):
        assert expected in text, text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("- a\n", "got a list", id="a list"),
        pytest.param("a: [1\n", "sidecar.yml:", id="broken YAML"),
        pytest.param("a: \x00\n", "sidecar.yml", id="binary"),
        pytest.param("checks: 5\n", "sidecar.yml:1: checks: ", id="a number for a list"),
        pytest.param("checks: [5]\n", "sidecar.yml:1: checks[0]", id="a number for a check"),
        pytest.param("tick: 15s\ntick: 30s\n", "tick", id="a key given twice"),
    ],
)
def test_not_a_configuration(text, expected):
    """What is no configuration at all gets one clear sentence."""
    assert expected in "\n".join(mistakes(text))


def test_flags_over_environment_over_file(monkeypatch):
    """Flags win over the environment, the environment over the file, the file over the defaults."""
    text = GOOD + "database: file.db\ntimezone: Europe/Berlin\nexternal_url: http://file\n"
    monkeypatch.setenv("SIDECAR_DATABASE", "environment.db")
    monkeypatch.setenv("SIDECAR_EXTERNAL_URL", "http://environment")

    found = config.parse(text, "sidecar.yml", {"database": "flag.db"}).settings

    assert (found.database, found.external_url, found.timezone) == ("flag.db", "http://environment", "Europe/Berlin")


def test_variables(monkeypatch):
    """`${NAME}` is taken from the environment, with a default if there is one; `$$` is a dollar sign."""
    monkeypatch.setenv("GATEWAY", "gateway:8080")
    text = 'checks: [{type: http, name: a, url: "http://${GATEWAY}/${PATH_OF_IT:-health}$$"}]'

    found = config.parse(text, "sidecar.yml")

    assert found.checks[0].target == "http://gateway:8080/health$"


def test_missing_variable(monkeypatch):
    """A variable that is not there is a mistake at its line, with what to do."""
    monkeypatch.delenv("NOT_THERE", raising=False)

    found = mistakes("\nexternal_url: http://${NOT_THERE}\n")

    assert found == [
        "sidecar.yml:2: external_url: the environment has no NOT_THERE; set it, or write ${NOT_THERE:-default}"
    ]


def test_unreadable_file(tmp_path):
    """A file that is not there is said by name, with what to do."""
    with pytest.raises(ConfigError, match=r"nothing\.yml: cannot be read: No such file"):
        config.read(tmp_path / "nothing.yml")

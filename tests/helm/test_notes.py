"""What helm says after an installation."""

import json
import re
import shutil

import pytest
import yaml

from helm.generate import CHART
from tests.helm import charts


@pytest.fixture(scope="module")
def as_manifest(tmp_path_factory):
    """The chart with its notes as a manifest: helm shows them only to whoever has a cluster."""
    copy = shutil.copytree(CHART, tmp_path_factory.mktemp("notes") / "chart", ignore=shutil.ignore_patterns("files"))
    notes = copy / "templates" / "NOTES.txt"
    text = notes.read_text("utf-8")
    notes.unlink()
    (copy / "templates" / "notes.yaml").write_text(
        f'{{{{- define "notes" }}}}{text}{{{{ end -}}}}\nnotes: {{{{ include "notes" . | toJson }}}}\n'
    )
    return copy


@pytest.mark.parametrize(
    ("values", "words", "never"),
    [
        pytest.param(
            {},
            ["WHAT A DELETED POD LOSES", "the claim watcher-claude-sidecar", "claim stays when", "NEXT:"],
            [],
            id="a claim",
        ),
        pytest.param(
            {"persistence": {"enabled": False}},
            [
                "Everything: the database is on an emptyDir",
                "silences and\n  acknowledgements",
                "`persistence.enabled: true`",
            ],
            ["the claim"],
            id="an emptyDir",
        ),
        pytest.param(
            {"mode": "sidecar", "config": {"checks": [{"name": "a", "type": "tcp", "address": "localhost:1"}]}},
            ["Each pod probes and tells by itself", "on an emptyDir", "claude-sidecar.initContainers"],
            ["NEXT:", "persistence.enabled", "rollout status"],
            id="a gateway's",
        ),
        pytest.param(
            {"http": {"expose": True, "token": {"existingSecret": "api"}}},
            ["http://watcher-claude-sidecar.llm:9797", "Secret api"],
            ["port-forward"],
            id="an exposed API",
        ),
    ],
)
def test_the_notes_say_what_comes_next_and_what_may_be_lost(values, words, never, as_manifest, tmp_path):
    """The notes name the next step, and what a deleted pod loses where its database is."""
    file = tmp_path / "values.yml"
    file.write_text(json.dumps(values))
    result = charts.helm("template", "watcher", as_manifest, "--namespace", "llm", "--values", file)
    (notes,) = [m["notes"] for m in yaml.load_all(result.stdout, yaml.CSafeLoader) if m and "notes" in m]

    assert [word for word in words if word not in notes] == []
    assert [word for word in never if word in notes] == []


def test_the_readme_names_every_template():
    """Each named template that a gateway's chart needs is in the README, as the example includes it."""
    readme = (CHART / "README.md").read_text("utf-8")
    example = (charts.EXAMPLE / "templates" / "deployment.yaml").read_text("utf-8")
    included = set(re.findall(r'include "(claude-sidecar\.\w+)"', example))

    assert included == set(re.findall(r'include "(claude-sidecar\.\w+)"', readme))
    assert included == {
        f"claude-sidecar.{name}" for name in ("podLabels", "annotations", "initContainers", "containers", "volumes")
    }

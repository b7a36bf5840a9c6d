"""Values: what is refused, with which words; and that what is described is there."""

import json
import re

import pytest
import yaml

from helm.generate import CHART, described
from sidecar.config import Settings
from tests.helm import charts

SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))


WRONG = [
    pytest.param("mode=daemonset", 'mode must be one of the following: "deployment", "sidecar"', id="an unknown mode"),
    pytest.param("replicaCount=3", "Additional property replicaCount is not allowed", id="a value that is not there"),
    pytest.param("config.check=x", "config: Additional property check is not allowed", id="a key of no configuration"),
    pytest.param("image.digest=abc", "image.digest: Does not match pattern", id="a digest that is none"),
    pytest.param("http.publicPort=80", "http.publicPort: Must be greater than or equal to 1024", id="a port of root's"),
    pytest.param("secretFiles.a.value=x", "secretFiles.a: existingSecret is required", id="a secret's value"),
    pytest.param("secretEnv.A.existingSecret=x", "secretEnv.A: key is required", id="a secret without its key"),
    pytest.param("rules.mine=x", 'Property name of "mine" does not match', id="a rule file that is not YAML"),
    pytest.param("sidecar.quietAtTheEnd=soon", "quietAtTheEnd: Does not match pattern", id="no duration"),
    pytest.param("terminationGracePeriodSeconds=1", "Must be greater than or equal to 6", id="no time to end"),
    pytest.param("podMonitor.enabled=yes", "Expected: boolean, given: string", id="a text for a truth"),
]


@pytest.fixture(scope="module")
def objections():
    """What helm says to all wrong values at once."""
    return charts.helm("template", "watcher", CHART, "--set", ",".join(str(wrong.values[0]) for wrong in WRONG)).stderr


@pytest.mark.parametrize(("setting", "said"), WRONG)
def test_wrong_values_are_refused(setting, said, objections):
    """A value that cannot be meant is refused by its name, with what was expected, and all of them at once."""
    assert said in objections


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        pytest.param("config.http.listen=x", "found config.http, which the chart writes itself", id="the chart's key"),
        pytest.param(r"rules.sidecar\.yml=x", "found rules.sidecar.yml", id="a rule file by the configuration's name"),
        pytest.param("secretFiles.api-token.existingSecret=x", "found secretFiles.api-token", id="the token's folder"),
        pytest.param("http.expose=true", "found http.expose without http.token.existingSecret", id="an open API"),
        pytest.param("http.apiPort=9798", "expected two ports", id="one port for two listeners"),
        pytest.param("ingress.enabled=true", "found ingress.enabled without http.expose", id="an Ingress to nowhere"),
        pytest.param("podMonitor.enabled=true,serviceMonitor.enabled=true", "scraped twice", id="two monitors"),
        pytest.param(
            "service.enabled=false,serviceMonitor.enabled=true", "use podMonitor", id="a monitor of no Service"
        ),
        pytest.param("mode=sidecar,serviceMonitor.enabled=true", "use podMonitor", id="a Service of a sidecar"),
        pytest.param("mode=sidecar,networkPolicy.enabled=true", "would limit the gateway", id="a policy of a sidecar"),
        pytest.param("mode=sidecar,readinessProbe.enabled=true", "out of service", id="readiness of a sidecar"),
        pytest.param(
            "prometheusRule.enabled=true,prometheusRule.packs={errors,nonsense}",
            'found the pack "nonsense" in prometheusRule.packs; expected some of availability, dependencies',
            id="a pack that is not there",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(setting, said):
    """Values that are right by themselves and wrong together are refused in words."""
    result = charts.helm("template", "watcher", CHART, "--set", setting)

    assert result.returncode != 0
    assert said in result.stderr


def test_every_value_is_described_and_known():
    """Each value has a comment of its own or above it, and a place in the schema."""
    paths = {path for path, _, _ in described((CHART / "values.yaml").read_text("utf-8"))}

    def undescribed(tree, properties, path=""):
        for key, value in tree.items():
            here = f"{path}{key}"
            if key not in properties:
                yield f"{here}: not in the schema"
            elif here not in paths:
                if isinstance(value, dict):
                    yield from undescribed(value, properties[key]["properties"], f"{here}.")
                else:
                    yield f"{here}: no comment"

    assert list(undescribed(VALUES, SCHEMA["properties"])) == []


def test_every_value_of_the_schema_is_there():
    """What the schema allows has a default, but for what is for charts around this one."""
    assert SCHEMA["properties"].keys() - VALUES.keys() == {"global", "enabled"}


def test_the_schema_knows_every_key_of_the_configuration():
    """The top level of `config` is that of the daemon's own file."""
    assert SCHEMA["properties"]["config"]["properties"].keys() == Settings.model_fields.keys()


def test_every_value_is_used():
    """No value is without effect: each is named in a template."""
    templates = "".join(path.read_text("utf-8") for path in (CHART / "templates").rglob("*") if path.is_file())

    def leaves(tree, path=""):
        for key, value in tree.items():
            here = f"{path}{key}"
            if isinstance(value, dict) and value and key not in WHOLE:
                yield from leaves(value, f"{here}.")
            else:
                yield here

    missing = [
        path
        for path in leaves(VALUES)
        if not re.search(rf"\b{re.escape(path)}\b|\"{path}\"|\.{path.rpartition('.')[2]}\b", templates)
    ]
    assert missing == []


WHOLE = {"config", "resources", "securityContext", "podSecurityContext"}


def test_chart_and_daemon_have_one_version():
    """The chart installs the version of the daemon that it comes with, and the image says that it is that."""
    project = (CHART.parents[1] / "pyproject.toml").read_text("utf-8")
    (version,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    (dependency,) = yaml.safe_load((charts.EXAMPLE / "Chart.yaml").read_text("utf-8"))["dependencies"]

    (image,) = re.findall(r"^ARG VERSION=(.+)$", (CHART.parents[1] / "Containerfile").read_text("utf-8"), re.MULTILINE)

    assert (chart["version"], chart["appVersion"], dependency["version"], image) == (version,) * 4

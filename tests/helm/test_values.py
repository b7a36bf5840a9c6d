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
    pytest.param("persistence=null", "persistence is required", id="nothing in place of several values"),
    pytest.param("sidecar.name=null", "sidecar: name is required", id="nothing in place of what is needed"),
    pytest.param("http.address=::", "http.address: Does not match pattern", id="an address without its brackets"),
    pytest.param("config.pod=$(id)", "config.pod: Does not match pattern", id="a pod that a shell would run"),
    pytest.param("fullnameOverride=a b", "fullnameOverride: Does not match pattern", id="a name that is none"),
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


CONTRADICTIONS = [
    pytest.param("config.http.listen=x", "found config.http, which the chart writes itself", id="the chart's key"),
    pytest.param(r"rules.sidecar\.yml=x", "found rules.sidecar.yml", id="a rule file by the configuration's name"),
    pytest.param("secretFiles.api-token.existingSecret=x", "found secretFiles.api-token", id="the token's folder"),
    pytest.param("http.expose=true", "found http.expose without http.token.existingSecret", id="an open API"),
    pytest.param("http.apiPort=9798", "expected two ports", id="one port for two listeners"),
    pytest.param("ingress.enabled=true", "found ingress.enabled without", id="an Ingress to nowhere"),
    pytest.param("podMonitor.enabled=true,serviceMonitor.enabled=true", "scraped twice", id="two monitors"),
    pytest.param("service.enabled=false", "without service.enabled; enable the Service", id="a monitor of no Service"),
    pytest.param("extraEnv[0].value=sk-ant-api03-0123456789abcdef", "make a new key", id="a key of Claude"),
    pytest.param(
        "prometheusRule.enabled=true,prometheusRule.packs={errors,nonsense}",
        'found the pack "nonsense" in prometheusRule.packs; expected some of availability, dependencies',
        id="a pack that is not there",
    ),
]

OF_A_SIDECAR = [
    pytest.param("serviceMonitor.enabled=true", "use podMonitor", id="a Service of a sidecar"),
    pytest.param("networkPolicy.enabled=true", "would limit the gateway", id="a policy of a sidecar"),
    pytest.param("ingress.enabled=true", "expose the API of a release of its own", id="an Ingress of a sidecar"),
    pytest.param("readinessProbe.enabled=true", "out of service", id="readiness of a sidecar"),
]


@pytest.fixture(scope="module")
def contradictions():
    """What the chart says to all values that contradict each other, by mode."""

    def said(wrong, mode):
        values = ",".join([f"mode={mode}", *(str(one.values[0]) for one in wrong)])
        return charts.helm("template", "watcher", CHART, "--set", values).stderr

    return {"deployment": said(CONTRADICTIONS, "deployment"), "sidecar": said(OF_A_SIDECAR, "sidecar")}


@pytest.mark.parametrize(("setting", "said"), CONTRADICTIONS)
def test_values_that_contradict_each_other_are_refused(setting, said, contradictions):
    """Values that are right by themselves and wrong together are refused in words, all at once."""
    assert said in contradictions["deployment"]


@pytest.mark.parametrize(("setting", "said"), OF_A_SIDECAR)
def test_what_a_gateways_pod_cannot_have_is_refused(setting, said, contradictions):
    """What would change the gateway's pod as a whole, or needs a Service, is refused with `mode: sidecar`."""
    assert said in contradictions["sidecar"]


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


def test_every_value_that_is_named_exists():
    """What the READMEs and the chart's own words call a value is one."""
    words = [path.read_text("utf-8") for path in (CHART / "README.md", charts.EXAMPLE / "README.md")]
    words += [str(param.values[1]) for param in (*CONTRADICTIONS, *OF_A_SIDECAR)]
    named = {
        name
        for text in words
        for name in re.findall(r"(?<![\w./-])(?:claude-sidecar\.)?([a-z]\w+(?:\.[a-z]\w+)+)", text, re.IGNORECASE)
        if name.partition(".")[0] in SCHEMA["properties"] and not re.search(r"\.ya?ml$", name)
    }

    def known(name):
        place = SCHEMA
        for key in name.split("."):
            place = place.get("properties", {}).get(key, {} if "properties" not in place else None)
            if place is None:
                return False
        return True

    assert len(named) > 60
    assert [name for name in sorted(named) if not known(name)] == []


def test_the_schema_knows_every_key_of_the_configuration():
    """The top level of `config` is that of the daemon's own file."""
    assert SCHEMA["properties"]["config"]["properties"].keys() == Settings.model_fields.keys()


def test_chart_and_daemon_have_one_version():
    """The chart installs the version of the daemon that it comes with, and the image says that it is that."""
    project = (CHART.parents[1] / "pyproject.toml").read_text("utf-8")
    (version,) = re.findall(r'^version = "(.+)"$', project, re.MULTILINE)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    (dependency,) = yaml.safe_load((charts.EXAMPLE / "Chart.yaml").read_text("utf-8"))["dependencies"]

    (image,) = re.findall(r"^ARG VERSION=(.+)$", (CHART.parents[1] / "Containerfile").read_text("utf-8"), re.MULTILINE)

    assert (chart["version"], chart["appVersion"], dependency["version"], image) == (version,) * 4

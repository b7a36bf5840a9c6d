"""The named templates in charts of others: under another name, with the wrong scope, beside what is there already."""

import pytest
import yaml

from tests.helm import charts, variants


@pytest.mark.parametrize(
    ("scope", "mode", "said"),
    [
        pytest.param(
            '(index .Subcharts "typo")', "sidecar", 'expected {{ index .Subcharts "claude-sidecar" }}', id="none"
        ),
        pytest.param(
            ".", "sidecar", "found the scope of the chart all for the templates of claude-sidecar", id="theirs"
        ),
        pytest.param(".Subcharts.watcher", "deployment", "expected mode: sidecar in the values", id="another mode's"),
    ],
)
def test_the_wrong_scope_is_refused(scope, mode, said, tmp_path):
    """A template that is given what is not this chart's scope, or that of a release of its own, says so."""
    include = f'{{{{ include "claude-sidecar.containers" {scope} }}}}'
    result = charts.helm("template", "x", variants.around({"watcher": {"mode": mode}}, tmp_path, include))

    assert result.returncode != 0
    assert said in result.stderr


def test_one_pod_may_hold_several(tmp_path):
    """Aliases written as keys are, releases with dots: names are names, and two daemons of one pod do not meet."""
    several = {
        "claudeWatcher": {"mode": "sidecar", "sidecar": {"name": "claude"}},
        "gateway_watcher": {"mode": "sidecar", "sidecar": {"name": "gateway"}},
    }
    result = charts.helm("template", "my.release", variants.around(several, tmp_path, variants.INCLUDED))
    manifests = list(yaml.safe_load_all(result.stdout))
    pods = [manifest["spec"] for manifest in manifests if manifest["kind"] == "Pod"]
    volumes = [volume["name"] for pod in pods for volume in pod["volumes"]]

    assert [manifest["metadata"]["name"] for manifest in manifests if manifest["kind"] == "ConfigMap"] == [
        "my-release-claudewatcher",
        "my-release-gateway-watcher",
    ]
    assert [pod["initContainers"][0]["name"] for pod in pods] == ["claude", "gateway"]
    assert len(volumes) == len(set(volumes)) == 6


def test_commands_in_the_container_find_the_daemon():
    """Where the daemon is and its token are in the environment, so that `kubectl exec` needs no more."""
    plain, exposed = charts.container("as it comes")["env"], charts.container("everything")["env"]

    assert {"name": "SIDECAR_URL", "value": "http://127.0.0.1:9797"} in plain
    assert "SIDECAR_TOKEN_FILE" not in {variable["name"] for variable in plain}
    assert {"name": "SIDECAR_TOKEN_FILE", "value": "/run/secrets/sidecar/api-token/bearer"} in exposed

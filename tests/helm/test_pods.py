"""What the pods are: the container, its rights, its probes, its volumes."""

import json

import pytest

from tests.helm import charts

FILE = "/etc/sidecar/sidecar.yml"
BESIDE = tuple(charts.GATEWAYS)
OWN = tuple(charts.RELEASES)


@pytest.mark.parametrize("name", charts.ALL)
def test_nothing_is_mounted_by_sub_path(name):
    """A file that is mounted by subPath would never change again; the configuration is a folder, and read-only."""
    found = charts.container(name)
    (config,) = [mount for mount in found["volumeMounts"] if mount["mountPath"] == "/etc/sidecar"]

    assert config == {"name": "claude-sidecar-config", "mountPath": "/etc/sidecar", "readOnly": True}
    assert '"subPath' not in json.dumps(charts.rendered(name))


@pytest.mark.parametrize("name", charts.ALL)
def test_the_container_may_do_nothing(name):
    """It is nobody, writes only where a volume is, gains nothing, and has no token of Kubernetes."""
    rights = charts.container(name)["securityContext"]

    assert rights == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert charts.pod(name)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", charts.ALL)
def test_the_processor_has_no_limit(name):
    """Memory has a limit and the processor has none: throttled, the daemon would measure its own waiting."""
    assert charts.container(name)["resources"] == {
        "requests": {"cpu": "50m", "memory": "96Mi"},
        "limits": {"memory": "192Mi"},
    }


@pytest.mark.parametrize("name", charts.ALL)
def test_liveness_asks_the_public_listener(name):
    """The kubelet asks /health/live on the port where nothing else is served, and never waits for a start."""
    found = charts.container(name)
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}

    assert found["livenessProbe"]["httpGet"] == {"path": "/health/live", "port": "sidecar-metrics"}
    assert ports["sidecar-metrics"] == 9798
    assert "startupProbe" not in found


@pytest.mark.parametrize("name", BESIDE)
def test_the_watcher_never_takes_the_watched_out_of_service(name):
    """In a gateway's pod there is no readiness probe, and the daemon may end without the container's ending."""
    found = charts.container(name)
    probe = found["livenessProbe"]

    assert "readinessProbe" not in found
    assert found["command"][:2] == ["/bin/sh", "-c"]
    assert found["command"][3:] == ["sidecar"]
    # Kubernetes would fill in what is in the first, and halve the second.
    assert "$(" not in found["command"][2]
    assert "$$" not in found["command"][2]
    # Below ten minutes the kubelet would hold the container back, longer each time.
    assert probe["periodSeconds"] * probe["failureThreshold"] > 600


@pytest.mark.parametrize("name", BESIDE)
def test_a_sidecar_is_native_where_there_are_some(name):
    """It is an init container that goes on, with Kubernetes 1.29 and newer and unless values say otherwise."""
    plain = [container["name"] for container in charts.pod(name)["containers"]]
    found = charts.container(name)

    assert ("claude-sidecar" in plain) == (name not in charts.NATIVE)
    assert (found.get("restartPolicy") == "Always") == (name in charts.NATIVE)
    assert ("lifecycle" in found) == (name in charts.NATIVE)
    assert plain[0] == "gateway"


@pytest.mark.parametrize("name", BESIDE)
def test_a_gateways_pod_holds_no_claim(name):
    """In a gateway's pod the database is on an emptyDir without a limit, which the autoscaler may throw away."""
    volumes = {volume["name"]: volume for volume in charts.pod(name)["volumes"]}
    (deployment,) = charts.of_kind(name, "Deployment")
    template = deployment["spec"]["template"]["metadata"]

    assert volumes["claude-sidecar-data"] == {"name": "claude-sidecar-data", "emptyDir": {}}
    assert template["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"] == (
        "claude-sidecar-data,claude-sidecar-tmp"
    )
    assert charts.of_kind(name, "PersistentVolumeClaim") == []
    assert not any(key.startswith("claude-sidecar") for key in template["annotations"])


def test_secrets_of_a_sidecar_may_be_missing():
    """A Secret that is not there does not keep the gateway's pod from starting; of a release of its own it does."""

    def optional(name):
        sources = {v["name"]: v["secret"] for v in charts.pod(name)["volumes"] if "secret" in v}
        env = charts.container(name)["env"]
        sources |= {v["name"]: v["valueFrom"]["secretKeyRef"] for v in env if "secretKeyRef" in v.get("valueFrom", {})}
        return {name: source.get("optional") for name, source in sources.items()}

    beside = optional("a gateway with everything")
    assert {"claude-sidecar-api-token", "claude-sidecar-secret-claude", "GATEWAY_KEY"} <= beside.keys()
    assert set(beside.values()) == {True}
    assert optional("everything") == {
        "GATEWAY_KEY": False,
        "claude-sidecar-api-token": False,
        "claude-sidecar-secret-claude": False,
        "claude-sidecar-secret-slack": True,
    }


@pytest.mark.parametrize(
    ("name", "volume"),
    [
        pytest.param(
            "as it comes", {"persistentVolumeClaim": {"claimName": "watcher-claude-sidecar"}}, id="its own claim"
        ),
        pytest.param(
            "with somebody's claim", {"persistentVolumeClaim": {"claimName": "theirs"}}, id="somebody's claim"
        ),
        pytest.param("without a claim", {"emptyDir": {}}, id="no claim"),
    ],
)
def test_the_database_is_where_values_say(name, volume):
    """The database is on a claim of ours, on somebody's, or on an emptyDir; only the first is made."""
    (data,) = [found for found in charts.pod(name)["volumes"] if found["name"] == "claude-sidecar-data"]
    claims = [claim["metadata"]["name"] for claim in charts.of_kind(name, "PersistentVolumeClaim")]

    assert data == {"name": "claude-sidecar-data"} | volume
    assert claims == (["watcher-claude-sidecar"] if name == "as it comes" else [])


@pytest.mark.parametrize("name", OWN)
def test_one_daemon_ends_before_the_next_begins(name):
    """A release of its own never has two pods at once, and its pods keep one name among the series."""
    (deployment,) = charts.of_kind(name, "Deployment")
    found = charts.container(name)

    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert {"name": "SIDECAR_POD", "value": "watcher-claude-sidecar"} in found["env"]
    assert found["args"][:2] == ["run", FILE]
    assert "command" not in found


def test_everything_that_can_be_said_of_a_pod_is():
    """Values of the pod and of the container are found in them."""
    (deployment,) = charts.of_kind("everything", "Deployment")
    template = deployment["spec"]["template"]
    spec = template["spec"]
    found = charts.container("everything")
    given = charts.RELEASES["everything"]

    for key in ("nodeSelector", "tolerations", "affinity", "dnsConfig", "hostAliases", "priorityClassName"):
        assert spec[key] == given[key], key
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert template["metadata"]["labels"].items() >= {"tier": "watcher", "team": "llm"}.items()
    assert template["metadata"]["annotations"]["note"] == "yes"
    assert found["image"] == "registry.example.com/claude-sidecar@sha256:" + "a" * 64
    assert found["args"] == ["run", FILE, "--log-level=debug"]
    assert found["envFrom"] == given["extraEnvFrom"]
    assert given["extraEnv"][0] in found["env"]
    assert given["extraVolumes"][0] in spec["volumes"]
    assert given["extraVolumeMounts"][0] in found["volumeMounts"]
    assert found["readinessProbe"]["periodSeconds"] == 20
    assert found["livenessProbe"]["timeoutSeconds"] == 9

"""The charts as the real helm renders them; each way of installing is rendered once in a process."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from helm.generate import CHART

HELM: Final = Path(sys.executable).with_name("helm")
EXAMPLE: Final = CHART.parent / "examples" / "gateway"
GATEWAY: Final = "claude-sidecar"  # the key of our values in a gateway's

Manifest = dict[str, Any]

_EVERYTHING: Final[Mapping[str, Any]] = {
    "image": {"registry": "registry.example.com/", "digest": "sha256:" + "a" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "commonLabels": {"team": "llm"},
    "http": {"expose": True, "token": {"existingSecret": "api", "key": "bearer"}},
    "secretFiles": {"claude": {"existingSecret": "anthropic"}, "slack": {"existingSecret": "slack", "optional": True}},
    "secretEnv": {"GATEWAY_KEY": {"existingSecret": "gateway", "key": "key"}},
    "rules": {"mine.yml": "groups: []\n"},
    "extraArgs": ["--log-level=debug"],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
    "podLabels": {"tier": "watcher"},
    "podAnnotations": {"note": "yes"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    ],
    "priorityClassName": "system-cluster-critical",
    "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["gateway.example"]}],
    "readinessProbe": {"enabled": True, "periodSeconds": 20},
    "livenessProbe": {"timeoutSeconds": 9},
    "persistence": {"storageClass": "fast", "annotations": {"backup": "yes"}},
    "serviceAccount": {"annotations": {"role": "watcher"}},
    "service": {"annotations": {"note": "yes"}},
    "ingress": {"enabled": True, "className": "nginx", "host": "status.example.com", "tlsSecret": "status-tls"},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
        "apiFrom": [{"podSelector": {}}],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
    "serviceMonitor": {
        "enabled": True,
        "interval": "15s",
        "scrapeTimeout": "10s",
        "labels": {"release": "prometheus"},
        "relabelings": [{"action": "labeldrop", "regex": "endpoint"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.+"}],
    },
    "prometheusRule": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "alertLabels": {"team": "llm"},
        "packs": sorted(path.stem for path in (CHART / "files" / "rules").glob("*.yml")),
    },
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "LLM"}, "namespace": "grafana"},
    "checkFirst": {"enabled": True},
}

_BESIDE: Final[Mapping[str, Any]] = {
    "mode": "sidecar",
    "http": {"token": {"existingSecret": "api"}},
    "secretFiles": {"claude": {"existingSecret": "anthropic"}},
    "secretEnv": {"GATEWAY_KEY": {"existingSecret": "gateway", "key": "key"}},
    "dashboards": {"enabled": True},
    "checkFirst": {"enabled": True},
}

RELEASES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "as it comes": {},
        "everything": _EVERYTHING,
        "without a claim": {"persistence": {"enabled": False}, "service": {"enabled": False}},
        "with somebody's claim": {
            "persistence": {"existingClaim": "theirs"},
            "serviceAccount": {"create": False},
            "podMonitor": {"enabled": True},
        },
    }
)
GATEWAYS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = MappingProxyType(
    {
        "a gateway": ("1.37", {}),
        "a gateway with everything": ("v1.29.0-gke.1", _BESIDE),
        "a gateway of old": ("1.28", _BESIDE),
        "a gateway that wants none": ("1.37", {"sidecar": {"native": False, "quietAtTheEnd": "0s"}}),
    }
)
NATIVE: Final = ("a gateway", "a gateway with everything")
ALL: Final = (*RELEASES, *GATEWAYS)


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What helm says; it fails only by its exit code."""
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


@cache
def rendered(name: str) -> tuple[Manifest, ...]:
    """What one of RELEASES or GATEWAYS installs, hooks and notes left where they are."""
    if name in RELEASES:
        return tuple(_rendered(CHART, RELEASES[name], "--api-versions", "v1"))
    version, values = GATEWAYS[name]
    return tuple(_rendered(example(), {GATEWAY: values}, "--kube-version", version))


@cache
def example() -> Path:
    """The example with its dependency, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="sidecar-helm-"))
    root = CHART.parent
    shutil.copytree(CHART, folder / CHART.relative_to(root))
    shutil.copytree(EXAMPLE, folder / EXAMPLE.relative_to(root), ignore=shutil.ignore_patterns("charts", "*.lock"))
    built = helm("dependency", "build", folder / EXAMPLE.relative_to(root))
    assert built.returncode == 0, built.stderr
    return folder / EXAMPLE.relative_to(root)


def _rendered(chart: Path, values: Mapping[str, Any], *more: str) -> Iterator[Manifest]:
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump(dict(values), file)
        file.flush()
        result = helm("template", "watcher", chart, "--namespace", "llm", "--values", file.name, *more)
    assert result.returncode == 0, result.stderr
    yield from (manifest for manifest in yaml.load_all(result.stdout, yaml.CSafeLoader) if manifest)


def of_kind(name: str, kind: str) -> list[Manifest]:
    """The manifests of one kind."""
    return [manifest for manifest in rendered(name) if manifest["kind"] == kind]


def pod(name: str) -> Manifest:
    """The pod's spec, of the gateway's Deployment or our own."""
    (deployment,) = of_kind(name, "Deployment")
    spec: Manifest = deployment["spec"]["template"]["spec"]
    return spec


def container(name: str) -> Manifest:
    """Our container, wherever it stands."""
    spec = pod(name)
    found: list[Manifest] = [
        container
        for container in [*spec.get("initContainers", []), *spec["containers"]]
        if container["name"] == "claude-sidecar"
    ]
    assert len(found) == 1
    return found[0]


def configuration(name: str) -> dict[str, str]:
    """The files of the ConfigMap that the daemon reads."""
    (volume,) = [volume for volume in pod(name)["volumes"] if volume["name"] == "claude-sidecar-config"]
    (found,) = [m for m in of_kind(name, "ConfigMap") if m["metadata"]["name"] == volume["configMap"]["name"]]
    files: dict[str, str] = found["data"]
    return files

"""Many ways of installing at the price of one run of helm: a chart that has ours as a dependency under many aliases."""

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from helm.generate import CHART
from tests.helm.charts import helm

# What a gateway's chart would include, as a manifest of its own.
INCLUDED: Final = """
{{- range $alias, $scope := .Subcharts }}
{{- if eq $scope.Values.mode "sidecar" }}
---
# Source: all/charts/{{ $alias }}/included
apiVersion: v1
kind: Pod
metadata:
  name: {{ $alias }}
  labels:
    {{- include "claude-sidecar.podLabels" $scope | nindent 4 }}
  annotations:
    {{- include "claude-sidecar.annotations" $scope | nindent 4 }}
spec:
  initContainers:
    {{- include "claude-sidecar.initContainers" $scope | nindent 4 }}
  containers:
    {{- include "claude-sidecar.containers" $scope | nindent 4 }}
  volumes:
    {{- include "claude-sidecar.volumes" $scope | nindent 4 }}
{{- end }}
{{- end }}
"""


def rendered(variants: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, str]:
    """What each of *variants*, values by an alias of our chart, installs; the alias is written as `ALIAS` in it."""
    result = helm("template", "release", around(variants, folder, INCLUDED), "--namespace", "llm")
    assert result.returncode == 0, result.stderr
    return _by_alias(result.stdout, variants)


def around(variants: Mapping[str, Mapping[str, Any]], folder: Path, template: str) -> Path:
    """A chart that has ours under the names and with the values of *variants*, and *template*."""
    chart = folder / "all"
    shutil.copytree(CHART, chart / "charts" / CHART.name, ignore=_most_files)
    depends = [{"name": CHART.name, "version": "0.1.0", "alias": alias} for alias in variants]
    about = {"apiVersion": "v2", "name": "all", "version": "0.1.0", "dependencies": depends}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    (chart / "values.yaml").write_text(yaml.safe_dump(dict(variants)))
    (chart / "templates").mkdir()
    (chart / "templates" / "included.yaml").write_text(template)
    return chart


def _most_files(folder: str, names: list[str]) -> set[str]:
    """One pack and one dashboard are enough, and are read for every alias."""
    kept = ("sidecar.yml", "sidecar.json")
    return {name for name in names if Path(folder).parent.name == "files" and name not in kept}


def _by_alias(output: str, aliases: Iterable[str]) -> dict[str, str]:
    found = dict.fromkeys(aliases, "")
    for manifest in re.split(r"^---\n", output, flags=re.MULTILINE):
        if source := re.search(r"^# Source: all/charts/([^/]+)/.*\n", manifest, re.MULTILINE):
            found[source[1]] += "---\n" + manifest[source.end() :].replace(source[1], "ALIAS")
    return found

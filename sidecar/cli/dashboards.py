"""`sidecar dashboards`: the Grafana dashboards, as files and as resources of Kubernetes."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import click

from sidecar.cli import screen
from sidecar.cli.failing import WrongError
from sidecar.cli.groups import notes

_ALERT: Final = re.compile(r"`([A-Z]\w+)`")
_URL: Final = re.compile(r"https?://[^\s\"'<>`]+")
_LABEL: Final = "grafana_dashboard=1"


def _address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _URL.fullmatch(value):
        raise click.BadParameter(f"got {value!r}, expected an address such as https://sidecar.example.com")
    return value.rstrip("/") if value else value


def _named(_: click.Context, __: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    for label in value:
        if not label.partition("=")[0] or "=" not in label:
            raise click.BadParameter(f"got {label!r}, expected NAME=VALUE")
    return dict(label.split("=", 1) for label in value)


@click.command(
    epilog=notes(
        "sidecar dashboards --output /var/lib/grafana/dashboards",
        "sidecar dashboards --configmap --namespace monitoring | kubectl apply -f -",
        "sidecar dashboards --output . --status-page https://sidecar.example.com",
        json='{"dashboards": [{"name", "uid", "title", "description", "panels"}]}, the files written in "written".',
    )
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a file for each into DIR, which is made if need be.",
)
@click.option("--configmap", is_flag=True, help="Print a ConfigMap for each, for the sidecar of Grafana's chart.")
@click.option("--namespace", default="", help="Namespace of the ConfigMaps.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    default=[_LABEL],
    show_default=True,
    callback=_named,
    help="Label of the ConfigMaps, by which Grafana's sidecar finds them; repeatable.",
)
@click.option("--folder", default="", help="Grafana's folder, as the annotation grafana_folder of the ConfigMaps.")
@click.option("--status-page", metavar="URL", callback=_address, help="Where links to the status page lead.")
@click.option("--runbooks", metavar="URL", callback=_address, help="A page with a heading for each alert.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")
def dashboards(
    output: Path | None,
    *,
    configmap: bool,
    namespace: str,
    labels: Mapping[str, str],
    folder: str,
    status_page: str | None,
    runbooks: str | None,
    as_json: bool,
) -> None:
    """List the Grafana dashboards, write them as files, or print them as ConfigMaps.

    They need Grafana 10.3 or later and a Prometheus that scrapes /metrics; nothing in them has to be edited.
    """
    if configmap and (output or as_json):
        raise click.UsageError("--configmap prints YAML; give it without --output and --json")
    if (namespace or folder) and not configmap:
        raise click.UsageError("--namespace and --folder are of a resource; add --configmap")
    found = {name: _fitted(board, status_page, runbooks) for name, board in shipped().items()}
    if configmap:
        click.echo(_resources(found, namespace, labels, folder), nl=False)
        return
    written = _write(found, output) if output else []
    if as_json:
        told = [_summary(name, board) for name, board in found.items()]
        click.echo(json.dumps({"dashboards": told, "written": written}, indent=2))
    else:
        click.echo("\n".join(written or _listed(found)))


def shipped() -> dict[str, dict[str, Any]]:
    """The dashboards that we bring, by name."""
    inside = resources.files("sidecar") / "_data" / "dashboards"
    folder: Traversable = inside if inside.is_dir() else Path(__file__).parent.parent.parent / "dashboards"
    files = [file for file in folder.iterdir() if file.name.endswith(".json")]
    return {
        file.name.removesuffix(".json"): json.loads(file.read_text("utf-8"))
        for file in sorted(files, key=lambda file: file.name)
    }


def _fitted(board: dict[str, Any], status_page: str | None, runbooks: str | None) -> dict[str, Any]:
    """*board* with links that lead where things are here."""
    if status_page is not None:
        option = {"selected": True, "text": status_page, "value": status_page}
        for variable in board["templating"]["list"]:
            if variable["name"] == "status_page":
                variable |= {"query": status_page, "current": option, "options": [option]}
    if runbooks is not None:
        for panel in _panels(board):
            panel["description"] = _ALERT.sub(lambda alert: _runbook(alert[1], runbooks), panel["description"])
    return board


def _runbook(alert: str, page: str) -> str:
    """A link to the heading of *alert*, as the makers of pages name it."""
    return f"[{alert}]({page}#{alert.lower()})"


def _panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All but the rows, and those within rows."""
    every = [panel for one in board["panels"] for panel in (one, *one.get("panels", ()))]
    return [panel for panel in every if panel["type"] != "row"]


def _write(found: Mapping[str, Any], folder: Path) -> list[str]:
    """Write each dashboard into *folder*; the paths."""
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, board in found.items():
            path = folder / f"claude-sidecar-{name}.json"
            path.write_text(json.dumps(board, indent=2) + "\n", "utf-8")
            paths.append(str(path))
    except OSError as exc:
        raise WrongError(f"cannot write to {folder}: {exc.strerror}; choose a folder that can be written") from exc
    return paths


def _resources(found: Mapping[str, Any], namespace: str, labels: Mapping[str, str], folder: str) -> str:
    """A ConfigMap for each: what `kubectl apply` remembers of one resource is bounded to 256 KiB."""
    return "".join(f"---\n{_resource(name, board, namespace, labels, folder)}" for name, board in found.items())


def _resource(name: str, board: Any, namespace: str, labels: Mapping[str, str], folder: str) -> str:
    from sidecar.rules import writing

    metadata: dict[str, Any] = {"name": f"claude-sidecar-dashboard-{name}", "labels": dict(labels)}
    if namespace:
        metadata["namespace"] = namespace
    if folder:
        metadata["annotations"] = {"grafana_folder": folder}
    head = writing.dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    # One line, which a writer of YAML would fold into thousands.
    return f"{head}data:\n  claude-sidecar-{name}.json: |-\n    {json.dumps(board, separators=(',', ':'))}\n"


def _summary(name: str, board: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: board[key] for key in ("uid", "title", "description")}
    return {"name": name, **told, "panels": len(_panels(board))}


def _listed(found: Mapping[str, Any]) -> list[str]:
    lines = [line for name, board in found.items() for line in (name, *screen.wrapped(board["description"]))]
    return [*lines, "", "Write them with --output DIR, or print ConfigMaps with --configmap."]

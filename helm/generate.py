"""Writes what of the chart is made from the rest of the repository: `make docs`.

The chart has copies, since it is packaged from its own folder: links out of it are refused by Flux and warned about by
Helm at every use.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from helm.perpod import per_pod
from sidecar import config
from sidecar.rules import exporting, writing
from sidecar.rules.files import Source, load_rules

ROOT: Final = Path(__file__).parents[1]
CHART: Final = ROOT / "helm" / "claude-sidecar"
_BEGIN: Final = "<!-- values, from values.yaml -->\n"
_KEY: Final = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]\w*):")


def written() -> dict[Path, str]:
    """Every file of the chart that is made, with its text."""
    files = CHART / "files"
    rules = {files / "rules" / f"{name}.yml": text for name, text in _rules()}
    boards = {files / "dashboards" / path.name: _compact(path) for path in (ROOT / "dashboards").glob("*.json")}
    readme = CHART / "README.md"
    head = readme.read_text("utf-8").partition(_BEGIN)[0]
    return {**rules, **boards, readme: head + _BEGIN + table((CHART / "values.yaml").read_text("utf-8"))}


def stale(made: Mapping[Path, str]) -> set[Path]:
    """Files that were made once, and are not among *made* any more."""
    return {path for path in (CHART / "files").rglob("*.*") if path.is_file()} - made.keys()


def _rules() -> Iterator[tuple[str, str]]:
    for name, pack in config.packs().items():
        rules = load_rules([Source(((f"{name}.yml", pack.read_text("utf-8")),))])
        yield name, writing.dump(per_pod(exporting.prometheus(rules)))


def _compact(path: Path) -> str:
    """Without its indentation: a release with its files has to fit into one Secret."""
    return json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False, separators=(",", ":")) + "\n"


def table(values: str) -> str:
    """The values as a table: what stands in `# --` above a key, and the key's default."""
    rows = "".join(
        f"| `{path}` | {_cell(default, said)} | {_bare(said)} |\n" for path, default, said in described(values)
    )
    return f"\n| value | default | meaning |\n| --- | --- | --- |\n{rows}"


def described(values: str) -> Iterator[tuple[str, Any, str]]:
    """Path, default and comment of each key that has one."""
    tree = yaml.safe_load(values)
    path: list[str] = []
    comment: list[str] = []
    for line in values.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif comment and stripped.startswith("# "):
            comment.append(stripped.removeprefix("# "))
        elif found := _KEY.match(line):
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            if comment:
                yield ".".join(path), _at(tree, path), " ".join(comment)
            comment = []


def _at(tree: Any, path: list[str]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _cell(default: Any, said: str) -> str:
    """The default in short; what `@default --` says where it is long."""
    _, told, words = said.partition(" @default -- ")
    return words if told else f"`{json.dumps(default)}`"


def _bare(said: str) -> str:
    return said.partition(" @default -- ")[0].replace("|", "\\|")


def main() -> None:
    made = written()
    for path in stale(made):
        path.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()

"""The container file: that it can be built from what is here, and runs as the chart expects."""

import asyncio
import json
import os
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from aiohttp import web
from hatchling.builders.wheel import WheelBuilder

from tests.helm import charts
from tests.integration.harness import serve, within

ROOT = Path(__file__).parents[2]
LINES = re.sub(r"\\\n", "", (ROOT / "Containerfile").read_text("utf-8")).splitlines()
STEPS = [line.split(maxsplit=1) for line in LINES if line and not line.startswith("#")]
STAGES = [index for index, step in enumerate(STEPS) if step[0] == "FROM"]
FINAL = STEPS[STAGES[-1] :]
SAFE = re.compile(r"[\w.-]+==[^ ]+(?: ;.*)? \\$")


def said(instruction: str) -> list[str]:
    """What the final stage says with one instruction."""
    return [rest for word, rest in FINAL if word == instruction]


def test_every_source_is_there_and_is_sent():
    """What is copied exists, and .dockerignore, which leaves out everything, lets it through."""
    copied = [name for word, rest in STEPS if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]

    assert {"sidecar", "rules", "dashboards", "pyproject.toml", "requirements/run.txt"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists(), name
        assert any(fnmatch(name, pattern) or name.startswith(f"{pattern}/") for pattern in allowed), name


def test_the_package_has_all_that_it_is_built_from():
    """What pyproject.toml takes into the wheel is copied before the wheel is built."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    inside = re.findall(r'^"(\w+)" = "sidecar/_data', project, re.MULTILINE)
    copied = {name for word, rest in STEPS[: STAGES[-1]] if word == "COPY" for name in rest.split()[:-1]}

    assert inside
    assert {*inside, "README.md", "LICENSE"} <= copied


def test_the_wheel_holds_what_is_not_code():
    """Pages, styles, rule packs and dashboards are in the wheel, and so in the image, which misses nothing."""
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    inside = {"sidecar": "sidecar", "rules": "sidecar/_data/rules", "dashboards": "sidecar/_data/dashboards"}
    needed = {
        f"{place}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, place in inside.items()
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in {".html", ".css", ".js", ".svg", ".yml", ".json", ".typed"}
    }

    assert needed - packed == set()
    assert {path.rpartition(".")[2] for path in needed} == {"html", "css", "js", "svg", "yml", "json", "typed"}


@pytest.mark.parametrize("name", ["run", "all", "build"])
def test_every_wheel_is_locked(name):
    """What is installed has one version and its hashes, the version that is tested."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==([^ ;]+)", text, re.MULTILINE))
    tested = dict(
        re.findall(r"^([\w.-]+)==([^ ;]+)", (ROOT / "requirements" / "test.txt").read_text("utf-8"), re.MULTILINE)
    )

    assert pins
    assert {package: tested.get(package) for package in pins} == pins
    assert all(SAFE.match(line) for line in text.splitlines() if re.match(r"\w", line))


def test_everybody_is_the_charts_user():
    """The image's user is the one that the chart names, by number, so that it can be seen not to be root."""
    rights = charts.container("as it comes")["securityContext"]

    assert said("USER") == [f"{rights['runAsUser']}:{rights['runAsGroup']}"]
    assert charts.container("as it comes")["args"] == json.loads(said("CMD")[0])


def test_the_last_stage_installs_nothing():
    """No compiler and no package manager runs in the final stage, which is the base and what was built."""
    assert not any(re.search(r"\b(apt|apt-get|pip|gcc|make)\b", rest) for rest in said("RUN"))
    assert STEPS[STAGES[0]][1].startswith("${BASE}")
    assert FINAL[0][1] == "${BASE}"


def test_what_is_compiled_is_never_looked_at_again():
    """Modules are compiled in the build and not checked against their sources: a read-only root keeps no new ones."""
    (compiled,) = [rest for word, rest in STEPS[: STAGES[-1]] if "compileall" in rest]

    assert "--invalidation-mode unchecked-hash" in compiled
    assert any("PYTHONDONTWRITEBYTECODE=1" in rest for rest in said("ENV"))


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(200, 0, id="alive"),
        pytest.param(401, 0, id="alive, and wants a token"),
        pytest.param(503, 1, id="not alive"),
    ],
)
async def test_the_health_check_asks_whether_it_lives(status, code):
    """The image's own health check asks /health/live, and wants no more than that somebody is there."""
    (check,) = said("HEALTHCHECK")
    (python, *arguments) = json.loads(check.partition("CMD")[2])

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status if request.path == "/health/live" else 500)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with serve(app) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=os.environ | {"HEALTH": url.removeprefix("http://")}
        )
        assert python == "python"
        assert await within(20, process.wait(), "the health check") == code

"""What the chart says to the daemon is what the daemon understands."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import pytest
import yaml

from helm.generate import CHART
from sidecar import config
from tests.helm import charts
from tests.integration.harness import Daemon, environment, until, within


@pytest.mark.parametrize("name", charts.ALL)
def test_the_configuration_is_one(name, tmp_path, monkeypatch):
    """The ConfigMap holds a configuration without a mistake, with the rule files that it names."""
    monkeypatch.setenv("GATEWAY_KEY", "sk-example")
    for file, text in charts.configuration(name).items():
        (tmp_path / file).write_text(text)
    found = config.parse((tmp_path / "sidecar.yml").read_text(), "sidecar.yml", folder=tmp_path)
    http = found.settings.http

    assert found.settings.database == "/var/lib/sidecar/sidecar.db"
    assert http.public == "0.0.0.0:9798"
    assert http.listen == ("0.0.0.0:9797" if name == "everything" else "127.0.0.1:9797")
    assert (http.token is not None) == (name in ("everything", "a gateway with everything", "a gateway of old"))
    assert "SidecarMemoryHigh" in {rule.name for rule in found.rules.rules}


@pytest.mark.parametrize("name", charts.ALL)
def test_memory_is_told_before_it_ends(name):
    """The alert about memory comes at three quarters of the container's limit, by the daemon and by Prometheus."""
    rules = yaml.safe_load(charts.configuration(name)["sidecar.yml"])["rules"]
    (told,) = [entry["override"]["SidecarMemoryHigh"] for entry in rules if entry.get("pack") == "sidecar"]
    outside = [
        rule
        for manifest in charts.of_kind(name, "PrometheusRule")
        for rule in manifest["spec"]["groups"][0]["rules"]
        if rule.get("alert") == "SidecarMemoryHigh"
    ]

    assert charts.container(name)["resources"]["limits"]["memory"] == "192Mi"
    assert told == {"vars": {"bytes": 144 * 2**20}}
    assert all(rule["expr"].endswith(f" > {144 * 2**20}") for rule in outside)
    assert all(f"the limit is {144 * 2**20} bytes" in rule["annotations"]["description"] for rule in outside)


@pytest.mark.parametrize(
    ("limit", "override", "told"),
    [
        pytest.param("1Gi", None, {"SidecarMemoryHigh": {"vars": {"bytes": 768 * 2**20}}}, id="another limit"),
        pytest.param("200M", None, {"SidecarMemoryHigh": {"vars": {"bytes": 150_000_000}}}, id="a decimal unit"),
        pytest.param(2**28, None, {"SidecarMemoryHigh": {"vars": {"bytes": 192 * 2**20}}}, id="bytes"),
        pytest.param("0.5e9", None, None, id="one that cannot be read"),
        pytest.param(None, None, None, id="no limit"),
        pytest.param(
            "1Gi",
            {"SidecarMemoryHigh": {"vars": {"bytes": 1}}, "SidecarSlow": {"for": "5m"}},
            {"SidecarMemoryHigh": {"vars": {"bytes": 1}}, "SidecarSlow": {"for": "5m"}},
            id="somebody's own word",
        ),
    ],
)
def test_the_word_about_memory_follows_the_limit(limit, override, told, tmp_path):
    """Another limit moves the alert; the configuration's own word wins; without a limit the shipped rule stays."""
    entry = {"pack": "sidecar"} | ({"override": override} if override else {})
    values = tmp_path / "values.yml"
    values.write_text(json.dumps({"config": {"rules": [entry]}, "resources": {"limits": {"memory": limit}}}))
    result = charts.helm("template", "x", CHART, "--values", values, "--show-only", "templates/configmap.yaml")
    (rules,) = yaml.safe_load(yaml.safe_load(result.stdout)["data"]["sidecar.yml"])["rules"]

    assert rules.get("override") == told


def test_numbers_stay_numbers():
    """Numbers of a configuration arrive as they were written, large ones without an exponent."""
    values = 'config={"events": {"series": 1234567}, "otlp": {"traces": {"sample": 0.05}}}'
    result = charts.helm("template", "x", CHART, "--set-json", values, "--show-only", "templates/configmap.yaml")

    assert "series: 1234567\n" in result.stdout
    assert "sample: 0.05\n" in result.stdout


@pytest.mark.realtime
async def test_the_configuration_starts_a_daemon(tmp_path):
    """The configuration runs: what the kubelet asks is answered, and the pod's end makes it quiet about itself."""
    given = yaml.safe_load(charts.configuration("a gateway")["sidecar.yml"])
    here = {"database": str(tmp_path / "sidecar.db"), "http": {"listen": "127.0.0.1:0", "public": "127.0.0.1:0"}}
    async with Daemon(tmp_path, given | here | {"checks": []}) as daemon:
        await daemon.event("web.listening", since=daemon.log.index(await daemon.event("web.listening")) + 1)
        public = [entry["address"] for entry in daemon.log if entry["event"] == "web.listening"][1]
        api, daemon.url = daemon.url, f"http://{public}"
        assert (await daemon.get(charts.container("a gateway")["livenessProbe"]["httpGet"]["path"]))[0] == 200
        assert (await daemon.get("/api/v1/status"))[0] == 404
        daemon.url = api

        (*shell, quiet) = charts.container("a gateway")["lifecycle"]["preStop"]["exec"]["command"]
        pod = {"SIDECAR_POD": "gateway-1", "SIDECAR_URL": api}
        process = await asyncio.create_subprocess_exec(*shell, quiet, env=on_path() | pod)
        assert await within(20, process.wait(), "the end of preStop") == 0
        assert "gateway-1" in (await daemon.get("/api/v1/silences"))[1]
        assert await daemon.stop(signal.SIGTERM) == 0


def on_path(*folders: Path) -> dict[str, str]:
    """An environment in which the programs of *folders* and of ours are found first."""
    found = environment()
    return found | {"PATH": os.pathsep.join([*map(str, folders), str(charts.HELM.parent), found["PATH"]])}


ENDING = """#!/bin/sh
# Ends at once, as with a broken configuration, until there is `mended`; then goes on until it is told to end.
cd "$(dirname "$0")"
echo "$@" >> calls
[ "$1" = run ] || exit 0
[ -e mended ] || exit 2
trap 'echo hup >> calls' HUP
trap 'echo term >> calls; exit 7' TERM
touch running
while :; do sleep 0.01; done
"""


QUIET = "silence add pod=gateway-1 --for 5m --by kubernetes --comment the pod starts\n"


@pytest.mark.realtime
async def test_a_daemon_that_ends_is_started_again(tmp_path):
    """A daemon that ends is started again within the container, until that has to end; a new pod is quiet."""
    (tmp_path / "programs").mkdir()
    for program, text in {"sidecar": ENDING, "sleep": "#!/bin/sh\nexec /bin/sleep 0.01\n"}.items():
        path = tmp_path / "programs" / program
        path.write_text(text)
        path.chmod(0o755)
    calls, running = tmp_path / "programs" / "calls", tmp_path / "programs" / "running"
    found = charts.container("a gateway")
    process = await asyncio.create_subprocess_exec(
        *found["command"],
        *found["args"],
        env=on_path(tmp_path / "programs") | {"SIDECAR_POD": "gateway-1"},
        stderr=asyncio.subprocess.PIPE,
    )

    async def says(path: Path, word: str) -> bool:
        return path.exists() and word in path.read_text()

    try:
        await until(lambda: says(calls, "run"), "a start")
        await until(lambda: says(calls, QUIET), "a silence")
        (tmp_path / "programs" / "mended").touch()
        await until(lambda: says(running, ""), "a start that lasts")
        process.send_signal(signal.SIGHUP)
        await until(lambda: says(calls, "hup"), "the signal at the daemon")
        starts = calls.read_text().count("run /etc/sidecar/sidecar.yml\n")
        process.send_signal(signal.SIGTERM)
        _, log = await within(20, process.communicate(), "the end of the container")
    finally:
        if process.returncode is None:
            process.kill()

    assert process.returncode == 7
    assert calls.read_text().count(QUIET) == (not Path("/var/lib/sidecar/sidecar.db").exists())
    assert calls.read_text().splitlines()[-2:] == ["hup", "term"]
    assert log.decode().count('"event": "container.daemon_ended", "code": 2') == starts - 1


def test_no_secret_is_in_a_manifest(tmp_path):
    """Secrets are named alone; a text in a credential's place is refused, and not printed."""
    kinds = {manifest["kind"] for name in charts.ALL for manifest in charts.rendered(name)}
    keys = {
        "a": dict.fromkeys(sorted(CREDENTIALS), "hunter2"),
        "b": [{"Authorization": "Bearer hunter2"}],
        "c": {"dsn": "postgres://me:hunter2@db/x", "url": "redis://:hunter2@cache"},
    }
    fine = {
        "password": {"file": "/x"},
        "token": "${TOKEN}",
        "headers": {"Accept": "text/plain"},
        "dsn": "postgres://me:${PASSWORD}@db/x",
        "urls": ["https://me@example.com:80/a:b", "http://[::1]:80/@x"],
    }
    values = tmp_path / "values.yml"
    values.write_text(yaml.safe_dump({"config": {"checks": [keys, fine]}}))
    result = charts.helm("template", "watcher", CHART, "--values", values)

    assert "Secret" not in kinds
    assert set(re.findall(r"config\.checks\[0\]\.a\.(\w+)", result.stderr)) == CREDENTIALS
    assert "config.checks[0].b[0].Authorization" in result.stderr
    assert "config.checks[0].c.dsn, config.checks[0].c.url" in result.stderr
    assert "checks[1]" not in result.stderr
    assert "hunter2" not in result.stdout + result.stderr


CREDENTIALS = {"api_key", "password", "token", "bearer", "webhook_url", "signing_secret", "credentials", "seed"}
# Secrets of the daemon that are not always one: a user's name, and addresses without a password.
OFTEN_NONE = {"username", "proxy", "send", "url", "dsn"}


def test_every_credential_is_known():
    """The chart knows every setting of the daemon that is a credential."""
    source = "".join(path.read_text("utf-8") for path in (CHART.parents[1] / "sidecar").rglob("*.py"))
    settings = set(re.findall(r"^    (\w+): (?:Annotated\[)?Secret\b", source, re.MULTILINE))

    assert len(settings) > 5
    assert settings - OFTEN_NONE <= CREDENTIALS

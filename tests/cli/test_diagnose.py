"""`sidecar diagnose`."""

import asyncio
import json
import threading
from contextlib import contextmanager
from email.utils import formatdate

import pytest
from aiohttp import web

from tests.integration.harness import free_port, serve

MODELS = {"data": [], "has_more": False, "first_id": None, "last_id": None}
WRONG_KEY = {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}


@contextmanager
def peer(*, key="sk-good", date=None):
    """A gateway on loopback that takes one key, and says *date* or what time it is."""
    started, ended = threading.Event(), threading.Event()
    found = []

    async def models(request: web.Request) -> web.Response:
        good = request.headers.get("x-api-key") == key
        return web.json_response(MODELS if good else WRONG_KEY, status=200 if good else 401)

    async def any_(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": date} if date else None)

    async def live() -> None:
        app = web.Application()
        app.router.add_get("/v1/models", models)
        app.router.add_route("*", "/{path:.*}", any_)
        async with serve(app) as url:
            found.append(url)
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(live(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        ended.set()
        thread.join(10)


@pytest.fixture
def diagnose(sidecar, tmp_path, monkeypatch):
    """Examine a configuration; the findings by part, and what was said."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "sidecar.yml"

    def call(**settings):
        base = {"http": {"listen": f"127.0.0.1:{free_port()}"}, "database": str(tmp_path / "sidecar.db")}
        file.write_text(json.dumps(base | settings))
        said = sidecar("diagnose", file, "--json")
        findings: dict[str, list[dict[str, str]]] = {}
        for finding in json.loads(said.out):
            findings.setdefault(finding["part"], []).append(finding)
        return said, findings

    call.file = file  # type: ignore[attr-defined]  # for those who want the screen
    return call


def checks(url, key="sk-good"):
    return [{"type": "claude.messages", "name": "claude", "base_url": url, "api_key": key}]


def verdicts(findings):
    return {part: [finding["verdict"] for finding in found] for part, found in findings.items()}


def test_everything_works(diagnose, sidecar):
    """With a peer that answers, a key that it takes and a disk to write on, all is well and the exit code is 0."""
    with peer() as url:
        said, findings = diagnose(checks=checks(url), channels=[{"type": "webhook", "name": "hook", "url": url}])
        screen = sidecar("diagnose", diagnose.file)

    assert said.code == 0
    assert set().union(*verdicts(findings).values()) == {"OK"}
    assert set(findings) == {
        "configuration",
        "secrets",
        "database",
        "listen",
        "proxy",
        "dns",
        "connect",
        "key",
        "clock",
    }
    assert len(findings["connect"]) == 1, "check and channel call the same place"
    assert "for claude, hook" in findings["connect"][0]["text"]
    assert screen.code == 0
    assert "everything works from here" in screen.out


def test_a_wrong_key(diagnose):
    """A key that is refused is told with what the API says, what to do, and without the key."""
    with peer() as url:
        said, findings = diagnose(checks=checks(url, key="sk-planted-wrong"))

    assert said.code == 1
    [key] = findings["key"]
    assert key["verdict"] == "FAIL"
    assert key["text"].startswith("auth: ")
    assert key["next_step"]
    assert "sk-planted-wrong" not in said.out + said.err


def test_a_wrong_clock(diagnose):
    """A clock that is off from everybody else's is told with how far."""
    with peer(date=formatdate(0, usegmt=True)) as url:
        _, findings = diagnose(checks=[{"type": "http", "name": "web", "url": url}])

    [clock] = findings["clock"]
    assert clock["verdict"] == "FAIL"
    assert "ahead of what 1 peer says" in clock["text"]


def test_nobody_listens(diagnose):
    """A port without a listener, over HTTP or bare, fails with what to look at."""
    _, findings = diagnose(
        checks=[{"type": "http", "name": "web", "url": "http://127.0.0.1:1/"}],
        channels=[
            {
                "type": "email",
                "name": "mail",
                "host": "127.0.0.1",
                "port": 2,
                "from": "a@x.example",
                "to": ["b@x.example"],
            }
        ],
    )

    assert verdicts(findings)["connect"] == ["FAIL", "FAIL"]
    assert "refused" in findings["connect"][0]["text"]
    assert "firewall" in findings["connect"][0]["next_step"]
    assert findings["clock"][0]["verdict"] == "NOTE"


def test_what_speaks_no_tls(diagnose):
    """HTTPS with a peer that speaks none fails as TLS."""
    with peer() as url:
        _, findings = diagnose(checks=[{"type": "http", "name": "web", "url": url.replace("http:", "https:")}])

    [tls] = findings["tls"]
    assert tls["verdict"] == "FAIL"
    assert "authority" in tls["next_step"]


def test_what_is_local(diagnose, tmp_path, monkeypatch):
    """A database that cannot be, a secret that is not mounted, an odd proxy, and a port that another program has."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HTTP_PROXY", "ftp://user:planted-password@proxy:1")
    with peer() as url:
        listen = url.removeprefix("http://")
        said, findings = diagnose(
            checks=[{"type": "http", "name": "web", "url": "http://far.example/"}],
            database=str(tmp_path / "file" / "sidecar.db"),
            http={"listen": listen, "token": {"file": str(tmp_path / "no-token")}},
        )

    assert said.code == 1
    assert findings["database"][0]["verdict"] == "FAIL"
    assert "mount a volume" in findings["database"][0]["next_step"]
    assert findings["secrets"][0]["verdict"] == "FAIL"
    assert "no-token" in findings["secrets"][0]["text"]
    assert findings["proxy"][0]["verdict"] == "FAIL"
    assert "planted-password" not in said.out + said.err
    assert findings["listen"][0]["text"] == "another program listens there"


def test_a_proxy_stands_between(diagnose, monkeypatch):
    """A proxy is named with those that use it, and is what has to be reached; its password is not shown."""
    with peer() as url:
        monkeypatch.setenv("http_proxy", url.replace("http://", "http://user:planted-password@"))
        said, findings = diagnose(checks=[{"type": "http", "name": "web", "url": "http://far.example/"}])

    [proxy], [name] = findings["proxy"], findings["dns"]
    assert (proxy["verdict"], proxy["text"]) == ("NOTE", "stands between, for web")
    assert name["subject"] == "127.0.0.1", "the proxy resolves the name, not we"
    assert findings["connect"][0]["verdict"] == "OK"
    assert "planted-password" not in said.out + said.err


def test_a_database_of_nonsense(diagnose, tmp_path):
    """A file that is no database is told, with what happens when it is moved aside."""
    (tmp_path / "sidecar.db").write_bytes(b"no database at all, but long enough to be taken for one" * 50)

    _, findings = diagnose()

    assert findings["database"][0]["verdict"] == "FAIL"
    assert "move the file aside" in findings["database"][0]["next_step"]


def test_a_database_in_memory(diagnose):
    """A daemon without a file is told what that means; it is no failure."""
    said, findings = diagnose(database="")

    assert said.code == 0
    assert findings["database"][0]["verdict"] == "NOTE"


def test_a_configuration_that_cannot_be_used(diagnose, sidecar):
    """Each mistake is a finding of its own, with its line."""
    said, findings = diagnose(checks=[{"type": "htp", "name": "x"}], tick="soon")

    assert said.code == 1
    assert {finding["verdict"] for finding in findings["configuration"]} == {"FAIL"}
    assert len(findings["configuration"]) == 2
    assert "FAIL" in sidecar("diagnose", diagnose.file).out

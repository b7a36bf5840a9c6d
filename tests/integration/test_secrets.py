"""Secrets planted everywhere, peers that repeat them, and everything that the daemon and its commands show."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from tests.canaries import CANARIES, Echo, echoing, found
from tests.integration.harness import Daemon, environment, serve, until, within

ENVIRONMENT = {
    "CANARY_KEY": CANARIES["api key"],
    "CANARY_PG": CANARIES["postgres"],
    "CANARY_UNRELATED": CANARIES["environment"],
}

RULES = """
groups:
  - name: down
    interval: 1s
    rules:
      - alert: TargetDown
        expr: sidecar_check_up == 0
        severity: critical
        annotations: {summary: "{{ $labels.check }} is down"}
"""


class Inbox:
    """Takes every message and keeps it as it came."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def app(self) -> web.Application:
        async def take(request: web.Request) -> web.Response:
            self.texts.append((await request.read()).decode())
            return web.Response(text="ok")

        app = web.Application()
        app.router.add_post("/{path:.*}", take)
        return app


def config(folder: Path, url: str, inbox: str, ports: dict[str, int]) -> dict[str, Any]:
    """Every place that takes a secret holds one."""
    (folder / "rules.yml").write_text(RULES)
    (folder / "key").write_text(CANARIES["key in a file"] + "\n")
    env, file = {"env": "CANARY_KEY"}, {"file": str(folder / "key")}
    fast = {"every": "1s", "confirm": "200ms", "timeout": "3s"}
    print_all = "import os,sys; print(dict(os.environ)); print(sys.argv, file=sys.stderr); sys.exit(2)"
    query, quoted = (quote(CANARIES[name], safe="") for name in ("query of a check", "postgres"))
    local = "127.0.0.1"
    checks: list[dict[str, Any]] = [
        {"type": "claude.models", "name": "models", "base_url": f"{url}/models", "api_key": env},
        {"type": "claude.stream", "name": "stream", "base_url": f"{url}/stream", "api_key": file},
        {
            "type": "claude.messages",
            "name": "messages",
            "base_url": f"{url}/messages",
            "api_key": file,
            "auth": "bearer",
            "prompt": CANARIES["api key"],
        },
        *(
            {
                "type": "http",
                "name": kind,
                "url": f"{url}/{kind}?key={query}",
                "method": "POST",
                "headers": {"X-Api-Key": CANARIES["short header"], "Authorization": f"Bearer {CANARIES['bearer']}"},
                "body": json.dumps({"password": CANARIES["body of a check"]}),
                "body_contains": "something that is not there",
            }
            for kind in ("plain", "redirect", "reason", "ok")
        ),
        {"type": "scrape", "name": "scrape", "url": f"{url}/ok", "headers": {"X-Api-Key": CANARIES["short header"]}},
        {"type": "redis", "name": "redis", "url": f"redis://{local}:{ports['redis']}", "password": CANARIES["redis"]},
        {
            "type": "postgres",
            "name": "postgres",
            "dsn": f"postgresql://probe:{quoted}@{local}:{ports['postgres']}/app?sslmode=disable",
        },
        {
            "type": "postgres",
            "name": "postgres-password",
            "host": local,
            "port": ports["postgres"],
            "sslmode": "disable",
            "password": {"env": "CANARY_PG"},
        },
        {"type": "nats", "name": "nats", "url": f"nats://{local}:{ports['nats']}", "token": CANARIES["nats"]},
        {
            "type": "command",
            "name": "command",
            "command": [sys.executable, "-c", print_all],
            "env": {"CHECK_TOKEN": CANARIES["command variable"]},
        },
    ]
    channels = [
        {
            "type": "webhook",
            "name": "hook",
            "url": f"{url}/hook/{CANARIES['hook path']}?k={CANARIES['hook query']}",
            "headers": {"X-Team-Token": CANARIES["hook header"]},
            "signing_secret": CANARIES["signing"],
        },
        {"type": "webhook", "name": "inbox", "url": inbox},
        {"type": "slack", "name": "slack", "webhook_url": f"{url}/services/{CANARIES['slack']}"},
        {"type": "slack", "name": "slack-inbox", "webhook_url": f"{inbox}/services/T/B/x"},
        {
            "type": "email",
            "name": "mail",
            "host": local,
            "port": ports["smtp"],
            "security": "none",
            "username": "probe",
            "password": CANARIES["smtp"],
            "from": "a@example.com",
            "to": ["b@example.com"],
        },
        {"type": "log", "name": "log"},
    ]
    return {
        "database": str(folder / "state.db"),
        "tick": "1s",
        "http": {"listen": "127.0.0.1:0", "token": CANARIES["http token"]},
        "log": {"level": "debug", "file": {"path": str(folder / "log.json")}},
        "otlp": {
            "endpoint": f"{url}/otlp",
            "headers": {"x-token": CANARIES["otlp"]},
            "traces": {"sample": 1},
            "metrics": {"interval": "1s"},
        },
        "checks": [check | fast for check in checks],
        "channels": channels,
        "rules": [{"file": "rules.yml"}],
    }


@asynccontextmanager
async def peers(folder: Path) -> AsyncIterator[tuple[dict[str, Any], Inbox]]:
    """The configuration, with somebody behind every address in it."""
    inbox = Inbox()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(Echo().app()))
        box = await stack.enter_async_context(serve(inbox.app()))
        ports = {name: await stack.enter_async_context(echoing(name)) for name in ("redis", "postgres", "nats", "smtp")}
        yield config(folder, url, box, ports), inbox


ALL = """
import sys
from sidecar.cli import cli
for line in sys.stdin.read().splitlines():
    print("$", line, flush=True)
    try:
        cli.main(line.split(), standalone_mode=False)
    except Exception as exc:
        print(exc, repr(exc), flush=True)
"""
COMMANDS = (
    "config check",
    "config show",
    "config show --json",
    "check sidecar.yml",
    "check sidecar.yml --json",
    "diagnose",
    "rules list",
    *(f"notify test {name}" for name in ("hook", "slack", "mail", "log")),
)


async def commands(folder: Path) -> str:
    """What all of COMMANDS print in *folder*, one after the other."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ALL),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment() | ENVIRONMENT,
        cwd=folder,
    )
    out, _ = await process.communicate("\n".join(COMMANDS).encode())
    return out.decode()


async def an_event(answer: aiohttp.ClientResponse) -> str:
    """The first event with data of a stream that has no end."""
    text = ""
    async for line in answer.content:
        text += line.decode()
        if "data:" in text and not line.strip():
            break
    return text


async def api(daemon: Daemon, names: list[str]) -> dict[str, str]:
    """Every answer of the API to GET, by path."""
    shown = {}
    headers = {"Authorization": f"Bearer {CANARIES['http token']}"}
    async with aiohttp.ClientSession(daemon.url, headers=headers) as session:
        async with session.get("/api/v1/openapi.json") as answer:
            paths = [path for path, asked in (await answer.json())["paths"].items() if "get" in asked]
        for path in [*paths, *(f"/api/v1/checks/{name}" for name in names)]:
            every = {"query": "{__name__=~'.+'}"} if path.endswith("query") else {}
            async with session.get(path, params=every) as answer:
                endless = answer.content_type == "text/event-stream"
                shown[path] = await (within(10, an_event(answer), "an event") if endless else answer.text())
    return shown


async def everything_happened(daemon: Daemon, names: list[str], inbox: Inbox) -> None:
    """Wait until every check has failed, and people were told of each."""

    async def told() -> bool:
        text = "".join(inbox.texts)
        return all(f'"check":"{name}"' in text for name in names)

    await until(told, "a message about each check")
    await daemon.event("notification.refused")


@pytest.mark.realtime
async def test_nothing_that_is_written_anywhere_holds_a_secret(tmp_path):
    """Log, files, database, messages, API and commands hold no secret, though every peer repeats what it heard."""
    async with peers(tmp_path) as (settings, inbox):
        names = [check["name"] for check in settings["checks"]]
        async with Daemon(tmp_path, settings, secrets=ENVIRONMENT) as daemon:
            printed = asyncio.create_task(commands(tmp_path))
            await everything_happened(daemon, names, inbox)
            shown = await api(daemon, names)
            await daemon.stop()
            shown["log"] = "\n".join([*map(json.dumps, daemon.log), daemon.last_words()])
            shown["commands"] = await printed
        shown["messages"] = "\n".join(inbox.texts)
    private = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.glob("state.db*")}
    for file in tmp_path.iterdir():
        if file.name not in ("sidecar.yml", "key", "state.db.last-good.json"):
            shown[file.name] = file.read_text("utf-8", "replace")

    leaks = {place: leak for place, text in shown.items() if (leak := found(text))}

    assert not leaks
    assert shown["commands"].count("$ ") >= len(COMMANDS)
    assert private
    assert not any(private.values())


CRASH = """
import sys
from sidecar.services.evaluator import Evaluator

async def run(self):
    raise RuntimeError("cannot " + " ".join(check.api_key.reveal() for check in CHECKS))

Evaluator.run = run
import sidecar.app.daemon as daemon
init = daemon.App.__init__

def remember(self, config, *rest, **more):
    global CHECKS
    CHECKS = config.checks
    init(self, config, *rest, **more)

daemon.App.__init__ = remember
from sidecar.cli import main
main()
"""


@pytest.mark.realtime
async def test_the_last_words_of_a_crash_hold_no_secret(tmp_path):
    """A daemon that dies of a mistake of its own says so with a traceback, without the secrets in it."""
    check = {
        "type": "claude.models",
        "name": "models",
        "base_url": "http://127.0.0.1:1",
        "api_key": {"env": "CANARY_KEY"},
    }
    (tmp_path / "sidecar.yml").write_text(json.dumps({"http": {"listen": "127.0.0.1:0"}, "checks": [check]}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CRASH, "run", str(tmp_path / "sidecar.yml")),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment() | ENVIRONMENT,
    )
    _, said = await process.communicate()

    assert process.returncode == 1
    assert "RuntimeError: cannot ***" in said.decode()
    assert not found(said.decode())

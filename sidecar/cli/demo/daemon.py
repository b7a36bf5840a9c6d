"""The real daemon, as a process of its own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp

from sidecar.model.errors import SidecarError

_START: Final = 30.0  # seconds
_STOP: Final = 10.0
_LOOK: Final = 0.1


class DaemonError(SidecarError):
    """The daemon did not start, or ended while it was needed."""


class Daemon:
    """One running daemon and what it says of the world."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, log: Path) -> None:
        self.url = url
        self.pid = process.pid
        self._process = process
        self._log = log

    async def ready(self, session: aiohttp.ClientSession) -> None:
        """Return when it is ready; DaemonError with its last words when it will not be."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_START):
                while self._process.returncode is None:
                    with suppress(aiohttp.ClientError, TimeoutError):
                        async with session.get(f"{self.url}/health/ready") as response:
                            if response.status == 200:
                                return
                    await asyncio.sleep(0.05)
        raise DaemonError(self.last_words("did not become ready"))

    async def watch(
        self, session: aiohttp.ClientSession, tell: Callable[[dict[str, Any], dict[str, Any]], None]
    ) -> None:
        """Call *tell* with each check that changed, as it was and as it is, until the daemon ends."""
        before: dict[str, dict[str, Any]] = {}
        while self._process.returncode is None:
            with suppress(aiohttp.ClientError, TimeoutError, ValueError):
                async with session.get(f"{self.url}/health") as response:
                    checks = (await response.json())["checks"]
                for check in checks:
                    old = before.get(check["name"], {})
                    if old.get("state", "unknown") != check["state"]:
                        tell(old, check)
                    before[check["name"]] = check
            await asyncio.sleep(_LOOK)
        raise DaemonError(self.last_words("ended"))

    def last_words(self, what: str) -> str:
        """*what* happened and the end of its log."""
        with suppress(OSError):
            tail = self._log.read_text("utf-8", "replace").splitlines()[-15:]
            return "\n".join([f"the daemon {what}, exit code {self._process.returncode}; its last words:", *tail])
        return f"the daemon {what}"


@asynccontextmanager
async def run_daemon(config: Path, url: str, environment: dict[str, str]) -> AsyncIterator[Daemon]:
    """`sidecar run` for as long as the block lasts; its log goes to a file beside *config*."""
    log = config.with_name("daemon.log")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sidecar",
            "run",
            str(config),
            cwd=config.parent,
            env=os.environ | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us; we end it in our own time
        )
    try:
        yield Daemon(process, url, log)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP):
            await process.wait()
    except (TimeoutError, asyncio.CancelledError):
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def free_port() -> int:
    """A port of the loopback on which nobody listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

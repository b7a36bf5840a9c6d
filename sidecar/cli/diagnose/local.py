"""What is on this machine: secrets, database, proxy, the address to listen on."""

import http.client
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from sidecar.cli.client import Client
from sidecar.cli.diagnose.findings import Finding, fail, note, ok
from sidecar.cli.diagnose.places import Way, secrets
from sidecar.db import migrations
from sidecar.db.errors import NewerDatabase
from sidecar.outbound import safe_url
from sidecar.secrets import SecretError
from sidecar.services import addresses

_LITTLE: Final = 50 * 2**20
"""Bytes of free disk below which the database may soon not be writable."""


def read_secrets(parts: Iterable[BaseModel]) -> Iterator[Finding]:
    """Whether every secret can be had."""
    count = 0
    for part in parts:
        for path, secret in secrets(part):
            subject = f"{getattr(part, 'name', '')}.{path}"
            count += 1
            try:
                secret.reveal()
            except SecretError as exc:
                yield fail("secrets", subject, str(exc), "mount the file, or set the variable, where the daemon runs")
                count -= 1
    if count:
        yield ok("secrets", "", f"{count} can be read")


def database(path: str) -> Finding:
    """Whether state can be kept."""
    if not path:
        text = "in memory: a restart forgets what was told, and tells it again"
        return note("database", "", text, "set `database` to a path on a volume that outlives the pod")
    file = Path(path)
    folder = next(parent for parent in (file.parent, *file.parent.parents) if parent.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".sidecar-"):
            pass
        if file.exists():
            _check_file(file)
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    except NewerDatabase as exc:
        return fail("database", path, str(exc), "run the newer sidecar, or set `database` to another path")
    except OSError as exc:
        why = (exc.strerror or str(exc)).lower()
        return fail(
            "database", path, f"cannot be written: {why}", f"let this user write to {folder}, or mount a volume"
        )
    except sqlite3.Error as exc:
        return fail(
            "database", path, f"is no usable database: {exc}", "move the file aside; the daemon makes a new one"
        )
    if free < _LITTLE:
        return fail("database", path, f"{free >> 20} MiB are free on its disk", "make room; 200 MiB are enough")
    return ok("database", path, f"writable, {free >> 20} MiB free" + ("" if file.exists() else ", not made yet"))


def _check_file(file: Path) -> None:
    with file.open("r+b"):
        pass
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
    try:
        migrations.check(connection)
    finally:
        connection.close()


def proxies(ways: Iterable[Way]) -> Iterator[Finding]:
    """Which proxies stand in between, and whether what names them can be read."""
    used: dict[str, list[str]] = {}
    wrong = False
    for way in ways:
        try:
            proxy = way.proxy()
        except (ValueError, SecretError):
            wrong = True
            text = "what names the proxy is no http://host:port, or cannot be read"
            yield fail("proxy", str(way.place), text, "correct `network.proxy`, or HTTP_PROXY and HTTPS_PROXY")
            continue
        if proxy is not None:
            used.setdefault(safe_url(str(proxy)), []).extend(way.names)
    for url, names in used.items():
        yield note("proxy", url, f"stands between, for {', '.join(names)}")
    if not used and not wrong:
        yield ok("proxy", "", "none")


def listening(listen: str) -> Finding:
    """Whether the daemon's address is free, or a daemon is there already."""
    address = addresses.parse(listen)
    url = f"unix://{address.path}" if address.path else f"http://{address}".replace("0.0.0.0", "127.0.0.1")  # noqa: S104 -- asked on loopback
    connection = Client(url, timeout=3.0).connection()
    try:
        connection.request("GET", "/health/live")
        server = connection.getresponse().getheader("Server", "")
    except (ConnectionRefusedError, FileNotFoundError):
        return ok("listen", str(address), "free")
    except (OSError, http.client.HTTPException):
        server = ""
    finally:
        connection.close()
    if server == "sidecar":
        return note("listen", str(address), "a sidecar runs there already", "`sidecar status` asks it")
    return fail(
        "listen", str(address), "another program listens there", "set `http.listen` to another port, or stop it"
    )

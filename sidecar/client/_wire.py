"""One connection to a sidecar."""

import gzip
import http.client
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

PATH = "/api/v1/events"
_WORTH_COMPRESSING = 1024  # bytes
_LONGEST_ANSWER = 256 * 1024


class WireError(Exception):
    """The sidecar was not reached, or did not answer in HTTP."""


@dataclass(frozen=True)
class Answer:
    """What the sidecar said."""

    status: int
    body: dict[str, Any]
    retry_after: float | None = None  # seconds


class Wire:
    """Posts events to *url*: http://host:port, https://host:port or unix:///path/of/the/socket. For one thread."""

    def __init__(self, url: str, token: str | Callable[[], str] | None, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "unix") or not (parts.hostname or parts.scheme == "unix"):
            raise ValueError(
                "expected the sidecar's address, such as http://127.0.0.1:9797 or unix:///run/sidecar.sock"
            )
        self._scheme, self._host, self._port = parts.scheme, parts.hostname or "localhost", parts.port
        self._socket = parts.path
        self._prefix = "" if parts.scheme == "unix" else parts.path.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, sender: str) -> Answer:
        """Send lines of JSON; raises WireError."""
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": "sidecar-client"}
        token = self._token() if callable(self._token) else self._token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if len(body) > _WORTH_COMPRESSING:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        path = f"{self._prefix}{PATH}?sender={quote(sender, safe='')}"
        reused = self._connection is not None
        try:
            return self._exchange(path, body, headers)
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            if not reused or isinstance(exc, TimeoutError):
                raise WireError(f"{type(exc).__name__}: {exc}") from exc
        try:  # a connection that rested may have been closed meanwhile; ids keep what arrived from counting twice
            return self._exchange(path, body, headers)
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            raise WireError(f"{type(exc).__name__}: {exc}") from exc

    def close(self) -> None:
        """Hang up; the next post connects again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("POST", path, body, headers)
        with self._connection.getresponse() as response:
            content = response.read(_LONGEST_ANSWER)
            status, after = response.status, response.getheader("Retry-After", "")
            if response.will_close or not response.isclosed():
                self.close()
        return Answer(status, _object(content), float(after) if after.isdecimal() else None)

    def _connect(self) -> http.client.HTTPConnection:
        if self._scheme == "unix":
            return _UnixConnection(self._socket, self._timeout)
        kind = http.client.HTTPSConnection if self._scheme == "https" else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=self._timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

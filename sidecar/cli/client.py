"""Asking a running daemon."""

import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import click

from sidecar.cli import progress
from sidecar.cli.failing import WrongError
from sidecar.templating import safe

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT: Final = "http://127.0.0.1:9797"
_LARGEST: Final = 64 * 2**20
_OFFLINE: Final = (
    "is it running? Start it with `sidecar run sidecar.yml`, or say where it is with --url or SIDECAR_URL "
    "(http://host:port, or unix:///path/of/socket)"
)
_UNTRUSTED: Final = "SSL_CERT_FILE names the file of the authority that issued it"

Parameters = Mapping[str, str] | Sequence[tuple[str, str]]


class NoAnswer(click.ClickException):
    """No daemon, or none that answers us; says what to do."""

    exit_code = 2
    word = "no_answer"


class Refused(click.ClickException):
    """The daemon's own word that it cannot answer."""

    exit_code = 2
    word = "refused"

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(f"the daemon says: {message}")
        self.status = status
        self.error_type = error_type


@dataclass(frozen=True, slots=True)
class Client:
    """One daemon at *url*: http, https, or unix:///path for a socket."""

    url: str
    token: str = ""
    timeout: float = 35.0
    moving: bool = False  # show that we wait, when it takes long and a person looks on

    def data(self, path: str, parameters: Parameters = ()) -> Any:
        """The `data` of the answer to a GET; raises NoAnswer or Refused."""
        return self.answer(path, parameters)["data"]

    def answer(self, path: str, parameters: Parameters = (), method: str = "GET") -> dict[str, Any]:
        """The whole answer; raises NoAnswer or Refused."""
        status, found = self.document(path, parameters, method)
        if status >= 400:
            raise Refused(status, str(found.get("errorType", "")), safe.line(str(found.get("error", found)), 1000))
        if found.get("status") != "success":
            raise NoAnswer(f"what answers at {self.url} is no sidecar of this version: there is no `data` at {path}")
        return found

    def document(self, path: str, parameters: Parameters = (), method: str = "GET") -> tuple[int, dict[str, Any]]:
        """Status and JSON of the answer, whatever the status; raises NoAnswer."""
        status, text = self._ask(method, f"{path}?{urlencode(parameters)}" if parameters else path)
        if status == 401:
            said = "the token is not the daemon's" if self.token else "the daemon wants its token (`http.token`)"
            raise NoAnswer(f"{self.url}: {said}; give it with --token-file or SIDECAR_TOKEN")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            begin = safe.line(text.decode("utf-8", "replace"), 80)
            raise NoAnswer(
                f"{self.url}{path} answered {status} with {begin!r}, expected the JSON of a sidecar; is the URL right?"
            )
        return status, found

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        try:
            connection, prefix = self.connection(), self._prefix()
        except ValueError as exc:
            raise NoAnswer(f"--url: {exc}") from exc
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        with progress.waiting(f"asking {self.url}") if self.moving else nullcontext():
            return self._exchange(connection, method, prefix + path, headers)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        try:
            connection.request(method, path, headers=dict(headers))
            response = connection.getresponse()
            return response.status, response.read(_LARGEST)
        except TimeoutError as exc:
            raise NoAnswer(
                f"{self.url} did not answer within {self.timeout:g} s; is it overloaded, or another program?"
            ) from exc
        except ssl.SSLCertVerificationError as exc:
            text = f"{self.url}: its certificate is not trusted: {exc.verify_message}; {_UNTRUSTED}"
            raise NoAnswer(text) from exc
        except ssl.SSLError as exc:
            raise NoAnswer(f"{self.url}: TLS failed: {exc.reason or exc}; is it http instead of https?") from exc
        except OSError as exc:
            why = (exc.strerror or str(exc)).lower()
            raise NoAnswer(f"no daemon at {self.url}: {why}; {_OFFLINE}") from exc
        except http.client.HTTPException as exc:
            raise NoAnswer(
                f"what listens at {self.url} does not speak HTTP ({type(exc).__name__}); is the URL right?"
            ) from exc
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        """A connection that is made when it is used; raises ValueError."""
        if self.url.startswith(("unix:", "/")):
            return _Unix("/" + self.url.removeprefix("unix:").lstrip("/"), self.timeout)
        parts = urlsplit(self.url if "://" in self.url else f"http://{self.url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"got {self.url!r}, expected http://host:port or unix:///path/of/socket")
        if parts.username is not None or parts.password is not None:
            raise ValueError("got a user name or a password in it, expected http://host:port and the token beside it")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=self.timeout)

    def _prefix(self) -> str:
        """The path before ours, of a daemon that stands behind a proxy."""
        if self.url.startswith(("unix:", "/")):
            return ""
        return urlsplit(self.url if "://" in self.url else f"http://{self.url}").path.rstrip("/")


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connected(function: F) -> F:
    """The options that say which daemon is asked; *function* gets a Client, and whether JSON is wanted."""

    @click.option(
        "--url",
        default=DEFAULT,
        envvar="SIDECAR_URL",
        show_default=True,
        help="The daemon: http://host:port or unix:///path.",
    )
    @click.option(
        "--token", default="", envvar="SIDECAR_TOKEN", help="Its `http.token`; better in SIDECAR_TOKEN or a file."
    )
    @click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        envvar="SIDECAR_TOKEN_FILE",
        help="A file that holds the token; wins over --token.",
    )
    @click.option("--json", "as_json", is_flag=True, help="JSON, for machines.")
    @wraps(function)
    def call(*args: Any, url: str, token: str, token_file: Path | None, **kwargs: Any) -> Any:
        return function(*args, client=Client(url.rstrip("/"), read_token(token, token_file), moving=True), **kwargs)

    return call  # type: ignore[return-value]  # click's decorators take any function and give one


def read_token(given: str, file: Path | None) -> str:
    """The token as it was *given*, or as it stands in *file*; raises WrongError."""
    if file is None:
        return given.strip()
    try:
        text = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        why = os.strerror(exc.errno).lower() if isinstance(exc, OSError) and exc.errno else "it is not UTF-8 text"
        raise WrongError(f"--token-file {file} cannot be read: {why}") from exc
    if not text:
        raise WrongError(f"--token-file {file} is empty, expected the daemon's token")
    return text

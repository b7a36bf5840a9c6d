"""A sidecar as its clients see it: takes events, and answers as it is told."""

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Heard:
    """One request."""

    sender: str
    headers: dict[str, str]
    events: list[dict[str, Any]]


@dataclass
class Sidecar:
    """Answers each request with the next of *answers*, and 200 after the last."""

    url: str = ""
    answers: list[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)  # answers wait for it

    def __post_init__(self) -> None:
        self.held.set()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for heard in self.heard for event in heard.events]

    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    def said(self) -> list[dict[str, Any]]:
        """The events without their ids."""
        return [{name: value for name, value in event.items() if name != "id"} for event in self.events]


@contextmanager
def sidecar(server: Any = ThreadingHTTPServer, address: Any = ("127.0.0.1", 0)) -> Iterator[Sidecar]:
    """One that listens on a free port of loopback, or at *address*."""
    found = Sidecar()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            events = [json.loads(line) for line in body.splitlines()]
            found.heard.append(Heard(self.path.partition("sender=")[2], dict(self.headers.items()), events))
            found.held.wait(10)
            accepted = {"accepted": len(events), "duplicates": 0, "rejected": [], "rejected_total": 0}
            status, answer, headers = found.answers.pop(0) if found.answers else (200, accepted, {})
            if status == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, text in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

        def address_string(self) -> str:
            return ""

    class Server(server):  # type: ignore[misc]
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    listening = Server(address, Handler)
    found.url = f"http://127.0.0.1:{listening.server_address[1]}" if isinstance(address, tuple) else f"unix://{address}"
    thread = threading.Thread(target=lambda: listening.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.held.set()
        listening.shutdown()
        listening.server_close()

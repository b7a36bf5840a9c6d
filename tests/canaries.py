"""Secrets that must be found nowhere, in the forms in which they travel, and peers that repeat whatever they hear."""

import asyncio
import base64
import html
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, quote_plus

from aiohttp import web

CANARIES: Mapping[str, str] = {
    "api key": "sk-ant-api03-Zx9Qw7Er5Ty3Ui1Op-CANARY_aA",
    "key in a file": "f81d4fae7dec11d0a76500a0c91e6bf6f81d4fae7dec11d0",
    "short header": "q7Zk2m9x",
    "bearer": "b/ear+er=tok&en?x%41#y~9-Qq",
    "query of a check": "qK3y!canary$in*query",
    "body of a check": "pl4in-canary-in-a-body",
    "hook path": "T0CANARY0/B0CANARY0/xoxCanaryHookPath77",
    "hook query": "hook-query-canary-5f2e",
    "hook header": "hook header canary 'with' \"quotes\"",
    "signing": "wh-signing-canary-1c9d",
    "slack": "T1CANARY1/B1CANARY1/xoxCanarySlackPath88",
    "redis": "rédis-\"p'äss\\word-ünï",
    "postgres": "pg p@ss/wörd:canary%41",
    "nats": "nats-token-canary-<&>",
    "smtp": "smtp-p@ss-canary\u2603",
    "otlp": "otlp-header-canary-9a",
    "http token": "http-token-canary-3b",
    "proxy": "pr0xy-canary-pässword",
    "command variable": "command-variable-canary-2e",
    "environment": "unrelated-environment-canary-7d",
}
"""What is planted, by the place where it stands."""


def forms(secret: str) -> dict[str, str]:
    """*secret* as it may appear in text, by the name of the form."""
    return {
        "as it is": secret,
        "percent-encoded": quote(secret, safe=""),
        "percent-encoded in a path": quote(secret),
        "percent-encoded in a form": quote_plus(secret),
        "in JSON": json.dumps(secret)[1:-1],
        "in JSON as UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "in HTML": html.escape(secret),
        "in Python": repr(secret)[1:-1],
        "in Base64": _base64(secret),
        "in Base64 for URLs": base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        "in Base64 behind a user": _base64(f"probe:{secret}"),
        "in hexadecimal": secret.encode().hex(),
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")


def found(text: str, canaries: Mapping[str, str] = CANARIES) -> list[str]:
    """Which of *canaries* stand in *text*, each with its form and what is around it."""
    seen = []
    for name, secret in canaries.items():
        for form, shown in forms(secret).items():
            at = text.find(shown)
            if at >= 0:
                seen.append(f"{name} {form}: …{text[max(0, at - 60) : at + len(shown) + 20]}…")
                break
    return seen


def repeated(texts: Iterable[str]) -> str:
    """All *texts* in all encodings, as a peer that debugs says them."""
    return " | ".join(form for text in texts for form in forms(text).values())


class Echo:
    """Repeats each request wherever an answer has a place: status text, headers, body, redirect, stream.

    Answers are short, or what is repeated would be cut off: each repeats two words in one encoding, the next one
    others.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.bodies: list[tuple[str, bytes]] = []  # by path, as they came

    def app(self) -> web.Application:
        """At any path; its first segment says which answer it is."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        body = await request.read()
        self.bodies.append((path, body))
        said, one = self._said(list(_words(request, body.decode("utf-8", "replace"))))
        printable = re.sub(r"[^\x20-\x7e]", "?", one)
        match path.partition("/")[0]:
            case "redirect":
                return web.Response(status=302, headers={"Location": f"/elsewhere/{quote(one)}?token={quote(one)}"})
            case "reason":
                return web.Response(status=500, reason=printable, text=said, headers={"X-Echo": printable})
            case "stream":
                event = {"type": "error", "error": {"type": "api_error", "message": said}}
                text = f"event: error\ndata: {json.dumps(event)}\n\n"
                return web.Response(text=text, content_type="text/event-stream")
            case "ok":
                return web.Response(text=said)
        problem = {"type": "error", "error": {"type": "authentication_error", "message": said}}
        return web.json_response(problem, status=401, headers={"X-Echo": printable, "request-id": printable})

    def _said(self, words: list[str]) -> tuple[str, str]:
        """Two of *words* in one form, and one of them as it is; the next time others."""
        self.asked += 1
        turn = self.asked // (len(words) or 1)
        chosen = [words[(self.asked + i) % len(words)] for i in range(2)] if words else ["nothing"]
        shown = [list(forms(word).values())[turn % len(forms(word))] for word in chosen]
        return f"no {shown[0]} and {shown[1]}", chosen[0]


def _words(request: web.Request, body: str) -> Iterator[str]:
    """What a request holds that may be secret."""
    for name, text in request.headers.items():
        if name.lower() in ("authorization", "x-api-key", "x-team-token", "x-token", "x-sidecar-signature"):
            yield text.partition(" ")[2] if text.startswith(("Bearer ", "Basic ")) else text
    yield from request.query.values()
    yield request.match_info["path"].partition("/")[2]
    if body.startswith('{"password"'):
        yield json.loads(body)["password"]


@asynccontextmanager
async def echoing(protocol: str) -> AsyncIterator[int]:
    """A server on loopback that refuses whoever logs in, in words of his own; yields its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _TALKS[protocol](reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port


async def _redis(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := (await reader.read(4096)).decode("utf-8", "replace"):
        words = [word for word in said.split("\r\n") if len(word) > 5]
        writer.write(f"-ERR cannot: {repeated(words)}\r\n".encode())
        await writer.drain()


async def _postgres(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    length = int.from_bytes(await reader.readexactly(4))
    start = await reader.readexactly(length - 4)
    if start[:4] == (80877103).to_bytes(4):
        writer.write(b"N")
        length = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(length - 4)
    writer.write(b"R" + (8).to_bytes(4) + (3).to_bytes(4))
    await reader.readexactly(1)
    length = int.from_bytes(await reader.readexactly(4))
    password = (await reader.readexactly(length - 4))[:-1].decode()
    words = ("FATAL", "28P01", repeated([password]), repeated([password]))
    fields = "".join(f"{key}{text}\0" for key, text in zip("SCMD", words, strict=True))
    said = fields.encode() + b"\0"
    writer.write(b"E" + (len(said) + 4).to_bytes(4) + said)
    await writer.drain()


async def _nats(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'INFO {"server_id":"x","version":"2.10","max_payload":1048576,"auth_required":true}\r\n')
    said = (await reader.readline()).decode()
    words = [word for word in json.loads(said.partition(" ")[2]).values() if isinstance(word, str)]
    writer.write(f"-ERR 'cannot {repeated(words)}'\r\n".encode())
    await writer.drain()


async def _smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 x\r\n")
    while line := (await reader.readline()).decode().strip():
        if line.startswith("EHLO"):
            writer.write(b"250-x\r\n250 AUTH PLAIN\r\n")
        elif line.startswith("AUTH"):
            given = line.split(" ")[-1]
            plain = base64.b64decode(given).decode().split("\0")[-1]
            writer.write(f"535 no {given} {repeated([plain])}\r\n".encode())
        else:
            writer.write(b"221 x\r\n")


_TALKS = {"redis": _redis, "postgres": _postgres, "nats": _nats, "smtp": _smtp}

"""A toy LLM gateway, and the people who use it."""

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

_HOP_BY_HOP: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "date", "server"})
_PATIENCE: Final = 2.5  # seconds of silence after which a user gives up


class Gateway:
    """Passes `/v1/…` on to the API as it comes, streams included; `/health` says how it is itself."""

    def __init__(self, upstream: str) -> None:
        self.down = False
        self.served = 0
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    def application(self) -> web.Application:
        """The gateway as a web application."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_route("*", "/v1/{rest:.*}", self._pass_on)
        app.cleanup_ctx.append(self._connected)
        return app

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=60, sock_connect=5)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as self._session:
            yield

    async def _health(self, _: web.Request) -> web.Response:
        if self.down:
            return web.json_response({"status": "down"}, status=503)
        return web.json_response({"status": "ok", "served": self.served})

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        if self.down:
            return web.Response(
                status=503, text="<html><body>503 Service Unavailable</body></html>", content_type="text/html"
            )
        headers = _kept(request.headers)
        body = await request.read()
        response: web.StreamResponse | None = None
        try:
            async with self._session.request(
                request.method, f"{self._upstream}{request.path_qs}", headers=headers, data=body
            ) as answer:
                response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
        except (aiohttp.ClientError, TimeoutError) as exc:
            if response is None:
                error = {"type": "api_error", "message": f"upstream: {type(exc).__name__}"}
                return web.json_response({"type": "error", "error": error}, status=502)
            if request.transport is not None:  # one of the two has left in mid-answer, so the other is left, too
                request.transport.abort()
        else:
            self.served += response.status == 200
        return response


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


@dataclass(slots=True)
class Window:
    """What the users met lately."""

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def words(self) -> str:
        """One line about it."""
        total = self.answered + self.failed.total()
        if not self.failed:
            return f"{total} questions through the gateway, all answered"
        reasons = ", ".join(f"{n} × {reason}" for reason, n in self.failed.most_common())
        return f"{total} questions through the gateway, {self.failed.total()} failed: {reasons}"


class Users:
    """Some people who ask Claude something every now and then."""

    def __init__(self, gateway: str, key: str, model: str, count: int = 3) -> None:
        self._gateway, self._model, self._count = gateway, model, count
        self._headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        self._window = Window()
        self.recent: deque[bool] = deque(maxlen=50)

    def report(self) -> Window:
        """What happened since the last report."""
        window, self._window = self._window, Window()
        return window

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Let them ask for as long as the block lasts."""
        timeout = aiohttp.ClientTimeout(total=20, sock_read=_PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            tasks = [asyncio.create_task(self._live(session, number)) for number in range(self._count)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _live(self, session: aiohttp.ClientSession, number: int) -> None:
        rng = random.Random(number)  # noqa: S311 -- a toy's chance
        while True:
            await asyncio.sleep(rng.uniform(0.2, 1.2))
            problem = await self._ask(session, f"Question {rng.randint(1, 99)}?")
            self.recent.append(problem is None)
            if problem is None:
                self._window.answered += 1
            else:
                self._window.failed[problem] += 1

    async def _ask(self, session: aiohttp.ClientSession, question: str) -> str | None:
        body = {
            "model": self._model,
            "max_tokens": 60,
            "stream": True,
            "messages": [{"role": "user", "content": question}],
        }
        try:
            async with session.post(f"{self._gateway}/v1/messages", json=body, headers=self._headers) as response:
                text = await response.text()
        except TimeoutError:
            return "no end of the answer"
        except aiohttp.ClientError:
            return "connection lost"
        if response.status != 200:
            return f"{response.status} {_error_type(text)}".strip()
        return None if "event: message_stop" in text else "half an answer"


def _error_type(text: str) -> str:
    try:
        body: Any = json.loads(text)
        return str(body["error"]["type"])
    except (ValueError, KeyError, TypeError):
        return ""

"""What a browser is told where there is nothing to see, or nothing for it."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

_MACHINES: Final = ("/api/", "/-/", "/metrics", "/health", "/live", "/static/", "/badges/")
"""Where nobody who asks wants a page."""
_KEPT: Final = (hdrs.ALLOW, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE)


Write = Callable[[str, str, str], tuple[str, Mapping[str, str]]]
"""Makes a page, and its headers, of a title, a text, and the way from there to `/`."""


def in_html(write: Write) -> Middleware:
    """Whatever goes wrong is a small page for who asks for one; machines hear what they always heard.

    *write* is called on a thread.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as exc:
            if exc.status < 400 or not wants_page(request):
                raise
            text, headers = await asyncio.to_thread(write, _title(exc), _said(exc), _root(request.path))
            response = web.Response(text=text, content_type="text/html", charset="utf-8", status=exc.status)
            response.headers.update(headers)
            for name in _KEPT:
                response.headers.extend((name, value) for value in exc.headers.getall(name, ()))
            return response

    return middleware


def wants_page(request: web.Request) -> bool:
    """Whether *request* comes from somebody who looks at pages, for a place where there could be one."""
    return "text/html" in request.headers.get(hdrs.ACCEPT, "") and not request.path.startswith(_MACHINES)


def _title(exc: web.HTTPException) -> str:
    try:
        return f"{exc.status} {HTTPStatus(exc.status).phrase}"
    except ValueError:
        return str(exc.status)


def _said(exc: web.HTTPException) -> str:
    """What it says beyond its status."""
    said = (exc.text or "").strip()
    return "" if said == f"{exc.status}: {exc.reason}" else said


def _root(path: str) -> str:
    """The way from *path* to `/`."""
    return "../" * max(0, path.count("/") - 1)

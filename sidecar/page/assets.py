"""The page's files that never change while the daemon runs: its style, its script, its icons."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import hdrs, web

TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER: Final = "public, max-age=31536000, immutable"


@cache
def content(name: str) -> bytes:
    """The file *name*; raises LookupError if there is none."""
    known = {each.name: each for each in (files("sidecar.page") / "static").iterdir()}
    if name not in known or not name.endswith(tuple(TYPES)):
        raise LookupError(name)
    return known[name].read_bytes()


@cache
def version(name: str) -> str:
    """A hash of the file's content, for its address."""
    return hashlib.sha256(content(name)).hexdigest()[:12]


def address(name: str) -> str:
    """Where the file is found, from the root, without a slash in front."""
    return f"static/{name}?v={version(name)}"


def response(request: web.Request) -> web.Response:
    """The file that *request* names; browsers keep it for ever when they know which version they asked for."""
    name = request.match_info["file"]
    try:
        body = content(name)
    except LookupError:
        raise web.HTTPNotFound from None
    tag = f'"{version(name)}"'
    asked = request.query.get("v") == version(name)
    headers = {hdrs.CACHE_CONTROL: _FOREVER if asked else "no-cache", hdrs.ETAG: tag}
    if tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    suffix = name[name.rindex(".") :]
    return web.Response(body=body, content_type=TYPES[suffix], charset="utf-8", headers=headers)

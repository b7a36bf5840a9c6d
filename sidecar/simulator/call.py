"""One request on its way through the simulator."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from sidecar.simulator import limits
from sidecar.simulator.errors import ApiError, invalid
from sidecar.simulator.faults import Fault, FaultKind
from sidecar.simulator.requests import VERSIONS
from sidecar.simulator.state import Simulator

GONE_CHECK: Final = 0.5
"""Seconds between two looks at whether the other side has left."""


@dataclass(slots=True)
class Call:
    """A request, what strikes it, and the headers that its answer will have."""

    simulator: Simulator
    request: web.Request
    raw: bytes
    model: str | None
    faults: tuple[Fault, ...]
    request_id: str
    headers: dict[str, str] = field(default_factory=dict)

    def has(self, *kinds: FaultKind) -> Fault | None:
        """The first fault of *kinds* that strikes this request."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)

    @property
    def slowness(self) -> float:
        """By how much everything takes longer."""
        factor = 1.0
        for fault in self.faults:
            factor *= fault.factor if fault.kind is FaultKind.SLOW else 1.0
        return factor

    @property
    def version(self) -> str | None:
        """The API version that the client asks for."""
        return self.request.headers.get("anthropic-version")

    def authenticate(self) -> None:
        """Let a valid key in; from here on answers name the organization."""
        name, key = credential(self.request.headers)
        if name is None:
            raise ApiError(401, "authentication_error", "x-api-key header is required")
        if name == "both":
            raise ApiError(401, "authentication_error", "got both x-api-key and authorization, expected one of them")
        if not self.simulator.accepts(key):
            what = "x-api-key" if name == "x-api-key" else "bearer token"
            raise ApiError(401, "authentication_error", f"invalid {what}")
        self.headers["anthropic-organization-id"] = self.simulator.organization_id
        self.headers["anthropic-workspace-id"] = self.simulator.workspace_id

    def check_version(self) -> str:
        """The API version, if it is one."""
        version = self.version
        if version is None:
            raise invalid("anthropic-version: header is required")
        if version not in VERSIONS:
            raise invalid(f'anthropic-version: "{version}" is not a valid version')
        return version

    def add_limits(self, found: Mapping[str, str]) -> None:
        """Headers of rate limits; a subscription's token gets its own family instead."""
        _, key = credential(self.request.headers)
        if key.startswith("sk-ant-oat"):
            limit = float(found.get("anthropic-ratelimit-tokens-limit", 0)) or 1.0
            left = float(found.get("anthropic-ratelimit-tokens-remaining", limit))
            found = limits.unified_headers(1 - left / limit, self.simulator.wall())
        self.headers |= found

    async def gone(self) -> None:
        """Return when the other side has closed the connection."""
        while (transport := self.request.transport) is not None and not transport.is_closing():  # noqa: ASYNC110 -- aiohttp has no event for it
            await asyncio.sleep(GONE_CHECK)

    def drop(self) -> None:
        """Drop the connection, with a reset where there is a socket to reset."""
        transport = self.request.transport
        if transport is None:
            return
        peer = transport.get_extra_info("socket")
        if peer is not None:
            with contextlib.suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


CALL: Final = web.RequestKey("call", Call)


def credential(headers: Mapping[str, str]) -> tuple[str | None, str]:
    """Which header carries the key, and the key."""
    api_key = headers.get("x-api-key")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    if api_key is not None and bearer is not None:
        return "both", ""
    if api_key is not None:
        return "x-api-key", api_key
    return ("authorization", bearer) if bearer is not None else (None, "")

"""Whether a gRPC server says that it serves."""

import asyncio
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address, HostPort
from sidecar.checks._http import Headers, quoted, reveal
from sidecar.checks._net import closing, connect, server_name
from sidecar.network import Network

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it writes to stderr otherwise, past our log
import grpc

METHOD: Final = "/grpc.health.v1.Health/Check"
"""Of the protocol at https://github.com/grpc/grpc/blob/master/doc/health-checking.md."""

_STATUSES: Final = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")

_WORDS: Final[Mapping[str, str]] = {
    # Codes of gRPC: https://grpc.io/docs/guides/status-codes
    "INVALID_ARGUMENT": "bad_request",
    "DEADLINE_EXCEEDED": "timeout",
    "NOT_FOUND": "not_found",
    "PERMISSION_DENIED": "permission",
    "RESOURCE_EXHAUSTED": "overloaded",
    "UNIMPLEMENTED": "not_found",
    "UNAUTHENTICATED": "auth",
}

_UNREACHED: Final = (
    # What the library says of a connection that did not come about.
    ("handshake", "tls"),
    ("ssl", "tls"),
    ("certificate", "tls"),
    ("peer name", "tls"),
    ("hostname", "tls"),
    ("refused", "connect"),
    ("unreachable", "connect"),
)


class GrpcCheck(Check):
    """Asks the standard health service of a gRPC server; each probe has a connection of its own."""

    type: Literal["grpc"] = "grpc"
    address: HostPort = Field(description="The host and the port of the server.", examples=["gateway:50051"])
    service: str = Field(
        "",
        description="The service whose health is asked for; that of the whole server without it.",
        examples=["gateway.v1.Router"],
    )
    tls: bool = Field(False, description="Whether the connection is encrypted.")
    metadata: Headers = Field(
        default_factory=dict,
        description="Metadata of the call; its values are never shown.",
        examples=[{"x-team": "probe"}],
    )
    authority: str = Field(
        "", description="The authority of the call, if it is not the host.", examples=["gateway.example"]
    )

    @property
    def target(self) -> str:
        return f"grpc://{self.address}" + (f"/{self.service}" if self.service else "")

    async def probe(self, ctx: ProbeContext) -> None:
        at = Address.parse(self.address)
        metadata = [(name.lower(), reveal(value, "auth")) for name, value in self.metadata.items()]
        # The library resolves and connects by itself and tells neither apart; so the way is looked at first.
        sock = await connect(ctx, at)
        place = sock.getpeername()
        sock.close()
        channel = await self._channel(ctx, at, place)
        try:
            call = channel.unary_unary(METHOD)
            with ctx.timed("first_byte"):
                answer = await call(_request(self.service), metadata=metadata)
        except grpc.aio.AioRpcError as exc:
            raise self._failed(ctx, exc, at) from exc
        finally:
            await closing(channel.close())
        self._judge(ctx, answer, at)

    async def _channel(self, ctx: ProbeContext, at: Address, place: Any) -> Any:
        host, port = place[:2]
        target = f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
        name = server_name(ctx, at)
        options = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),  # or the next probe would find this one's connection
            ("grpc.max_receive_message_length", 65536),
            # How long the library goes on with a connection that does not come about, though nobody waits any more.
            ("grpc.min_reconnect_backoff_ms", int(self.timeout * 1000)),
            ("grpc.initial_reconnect_backoff_ms", int(self.timeout * 1000)),
            ("grpc.default_authority", self.authority or (name if self.tls else str(at))),
        ]
        if not self.tls:
            return grpc.aio.insecure_channel(target, options)
        options.append(("grpc.ssl_target_name_override", name))
        credentials = await asyncio.to_thread(_credentials, ctx.outbound.network)
        return grpc.aio.secure_channel(target, credentials, options)

    def _failed(self, ctx: ProbeContext, exc: Any, at: Address) -> CheckFailed:
        code, said = exc.code().name, str(exc.details() or "")
        ctx.note(grpc_code=code)
        if code == "UNAVAILABLE":
            word = next((word for sign, word in _UNREACHED if sign in said.lower()), "")
            if word == "tls":
                name = server_name(ctx, at)
                return CheckFailed(word, f"the TLS handshake with {at} as {name} failed: {quoted(_last(said))}")
            if word:
                return CheckFailed(word, f"no connection to {at}: {quoted(_last(said))}")
            if exc.trailing_metadata() is None or "onnect" in said or "Socket" in said or "RST" in said:
                return CheckFailed("reset", f"{at} broke the connection, or speaks no gRPC: {quoted(_last(said))}")
        if code == "UNIMPLEMENTED":
            return CheckFailed("not_found", f"{at} has no health service ({METHOD})")
        if code == "NOT_FOUND":
            return CheckFailed("not_found", f"{at} knows no service {self.service!r}")
        return CheckFailed(_WORDS.get(code, "server_error"), f"{at} answered {code}: {quoted(said) or 'no reason'}")

    def _judge(self, ctx: ProbeContext, answer: bytes, at: Address) -> None:
        try:
            number = _status(answer)
        except (IndexError, ValueError) as exc:
            raise CheckFailed("reset", f"{at} answered with what is no message of the health service") from exc
        status = _STATUSES[number] if number < len(_STATUSES) else str(number)
        ctx.note(status=status)
        if status == "SERVICE_UNKNOWN":
            raise CheckFailed("not_found", f"{at} knows no service {self.service!r}")
        if status != "SERVING":
            whose = f"{self.service} of {at}" if self.service else str(at)
            raise CheckFailed("assertion", f"{whose} says {status}, expected SERVING")


def _credentials(network: Network) -> Any:
    """Whom TLS trusts and what we show; reads files."""
    if not network.verify:
        raise CheckFailed("bad_request", "gRPC always verifies certificates; expected a `ca_file`, not `verify: false`")
    found = [network.ca_file or _authorities(), network.client_key or network.client_cert, network.client_cert]
    try:
        ca, key, certificate = (Path(file).read_bytes() if file else None for file in found)
    except OSError as exc:
        raise CheckFailed("tls", f"{exc.filename} cannot be read: {exc.strerror}") from exc
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _authorities() -> str:
    """The system's certificates; the library's own without them."""
    return os.environ.get("SSL_CERT_FILE", "") or ssl.get_default_verify_paths().cafile or ""


def _last(said: str) -> str:
    """The end of the library's long sentences, where the reason stands."""
    return said.rpartition(": ")[2].rstrip(".")


def _request(service: str) -> bytes:
    """A HealthCheckRequest: its only field is the service's name."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _status(answer: bytes) -> int:
    """The status of a HealthCheckResponse, its field 1; others are passed over. Raises IndexError or ValueError."""
    at, status = 0, 0
    while at < len(answer):
        tag, at = _read(answer, at)
        match tag & 7:
            case 0:
                value, at = _read(answer, at)
                status = value if tag >> 3 == 1 else status
            case 1:
                at += 8
            case 2:
                size, at = _read(answer, at)
                at += size
            case 5:
                at += 4
            case _:
                raise ValueError("a kind of field that there is not")
    if at != len(answer):
        raise ValueError("cut off")
    return status


def _read(answer: bytes, at: int) -> tuple[int, int]:
    """The varint at *at*, and where it ends."""
    value = 0
    for n in range(10):
        byte = answer[at + n]
        value |= (byte & 0x7F) << 7 * n
        if byte < 0x80:
            return value, at + n + 1
    raise ValueError("a number without an end")

"""The grpc check, against a real gRPC server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sidecar.checks.grpc import GrpcCheck, _request, _status
from sidecar.model.families import PROBE_PHASE
from sidecar.network import Network
from tests.certificates import Certificate
from tests.checks.peers import SILENT, look, peer

pytestmark = pytest.mark.realtime

TOKEN = "t0ken-of-the-probe"


@asynccontextmanager
async def serving(add: Callable[[Any], object] = lambda _: None, certificate: Certificate | None = None) -> Any:
    """A gRPC server on a free port, to which *add* adds its services."""
    server = grpc.aio.server()
    add(server)
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (certificate.key_file.read_bytes(), certificate.file.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.fixture
async def healthy() -> AsyncIterator[int]:
    """A server whose service `good` serves and whose `bad` does not."""
    servicer = HealthServicer()
    await servicer.set("good", health_pb2.HealthCheckResponse.SERVING)
    await servicer.set("bad", health_pb2.HealthCheckResponse.NOT_SERVING)
    async with serving(lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server)) as port:
        yield port


def check(port: int, service: str = "", **settings: Any) -> GrpcCheck:
    base = {"name": "rpc", "address": f"127.0.0.1:{port}", "service": service, "timeout": "5s"}
    return GrpcCheck.model_validate({**base, **settings})


@pytest.mark.parametrize("service", ["", "good"])
async def test_it_serves(healthy, service):
    """A server, or a service of it, that serves is well."""
    probed = await look(check(healthy, service))

    assert probed.result.ok, probed.message
    assert probed.notes == {"status": "SERVING"}
    assert [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)] == ["resolve", "connect", "first_byte"]


@pytest.mark.parametrize(
    ("service", "error_type", "message"),
    [
        pytest.param("bad", "assertion", "bad of AT says NOT_SERVING, expected SERVING", id="it does not serve"),
        pytest.param("gone", "not_found", "AT knows no service 'gone'", id="nobody knows it"),
    ],
)
async def test_what_does_not_serve(healthy, service, error_type, message):
    """A service that does not serve is told apart from one that is not there."""
    probed = await look(check(healthy, service))

    assert (probed.error_type, probed.message.replace(f"127.0.0.1:{healthy}", "AT")) == (error_type, message)


async def test_a_server_without_health():
    """A server without the health service says so."""
    async with serving() as port:
        probed = await look(check(port))

    assert probed.error_type == "not_found"
    assert probed.message == f"127.0.0.1:{port} has no health service (/grpc.health.v1.Health/Check)"


def answering(behaviour: Callable[[Any, Any], Any]) -> Callable[[Any], None]:
    """A health service that does as *behaviour* says, in bytes."""
    handler = grpc.unary_unary_rpc_method_handler(behaviour)
    services = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})
    return lambda server: server.add_generic_rpc_handlers((services,))


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "auth"),
        (grpc.StatusCode.PERMISSION_DENIED, "permission"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded"),
        (grpc.StatusCode.INVALID_ARGUMENT, "bad_request"),
        (grpc.StatusCode.INTERNAL, "server_error"),
        (grpc.StatusCode.UNAVAILABLE, "server_error"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "timeout"),
    ],
)
async def test_codes_have_words(code, error_type):
    """What the server answers instead is told in its own words."""

    async def refuse(_: bytes, context: Any) -> bytes:
        await context.abort(code, "for a reason")
        return b""

    async with serving(answering(refuse)) as port:
        probed = await look(check(port))

    assert probed.error_type == error_type
    assert probed.message == f"127.0.0.1:{port} answered {code.name}: for a reason"
    assert probed.notes["grpc_code"] == code.name


async def test_metadata_is_sent_and_not_shown():
    """Metadata goes with the call; what the server repeats of it is hidden."""

    async def ask(_: bytes, context: Any) -> bytes:
        said = dict(context.invocation_metadata()).get("authorization", "nothing")
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"got {said}")
        return b""

    async with serving(answering(ask)) as port:
        probed = await look(check(port, metadata={"Authorization": TOKEN}))

    assert probed.message == f"127.0.0.1:{port} answered UNAUTHENTICATED: got ***"


@pytest.mark.parametrize(
    ("answer", "error_type"),
    [
        pytest.param(b"\x08\x01", "", id="serving"),
        pytest.param(b"\x12\x02hi\x19xxxxxxxx\x25yyyy\x08\x01", "", id="fields of tomorrow"),
        pytest.param(b"", "assertion", id="unknown"),
        pytest.param(b"\x08\x09", "assertion", id="a status of tomorrow"),
        pytest.param(b"\x08\x03", "not_found", id="service unknown"),
        pytest.param(b"\x08", "reset", id="cut off"),
        pytest.param(b"\x12\x7fhi", "reset", id="a length beyond the end"),
        pytest.param(b"\x08" + b"\xff" * 20, "reset", id="a number without an end"),
        pytest.param(b"\x0f", "reset", id="no kind of field"),
    ],
)
async def test_messages(answer, error_type):
    """Whatever the message holds, it is a status, or none."""

    async def say(_: bytes, __: Any) -> bytes:
        return answer  # type: ignore[no-any-return]  # of the table

    async with serving(answering(say)) as port:
        assert (await look(check(port))).error_type == error_type


@given(st.text(max_size=300), st.sampled_from([0, 1, 2, 3]))
@settings(max_examples=50)
def test_the_encoding_is_that_of_protobuf(service, status):
    """Our few bytes are what the official library writes and reads."""
    request = health_pb2.HealthCheckRequest(service=service)
    response = health_pb2.HealthCheckResponse(status=status)

    assert _request(service) == request.SerializeToString()
    assert _status(response.SerializeToString()) == status


async def test_over_tls(tmp_path):
    """A server is asked over TLS when its certificate is good for the name."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    leaf = Certificate.make(tmp_path, "leaf", issuer=ca, names=["rpc.internal"])
    servicer = HealthServicer()
    async with serving(lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server), leaf) as port:
        here = check(port, tls=True)
        good = await look(here, Network(ca_file=str(ca.file), server_name="rpc.internal"))
        other = await look(here, Network(ca_file=str(ca.file), server_name="else.internal"))
        strange = await look(here, Network(server_name="rpc.internal"))
        anybody = await look(here, Network(verify=False))
        plain = await look(check(port))
    async with serving() as port:
        encrypted = await look(check(port, tls=True))

    assert good.result.ok, good.message
    assert [one.error_type for one in (other, strange, anybody)] == ["tls", "tls", "bad_request"]
    assert "else.internal" in other.message
    assert plain.error_type == "reset"
    assert encrypted.error_type == "tls"


async def test_a_probe_that_is_cut_off_leaves_no_connection():
    """At the timeout the call is given up, and the connection closed."""
    async with peer(SILENT) as server:
        probed = await look(check(server.port, timeout="200ms"))
        async with asyncio.timeout(5):
            while server.open:
                await asyncio.sleep(0.01)

    assert probed.error_type == "timeout"


def test_settings_that_cannot_be():
    """An address has a host and a port, and a key of metadata is one."""
    with pytest.raises(ValidationError):
        GrpcCheck(name="x", address="gateway")
    with pytest.raises(ValidationError):
        GrpcCheck.model_validate({"name": "x", "address": "gateway:1", "metadata": {"a b": "c"}})
    assert GrpcCheck(name="x", address="gateway:1", service="s").target == "grpc://gateway:1/s"

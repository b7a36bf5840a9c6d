"""The one door through which HTTP leaves."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions, web
from yarl import URL

from sidecar.outbound import Outbound, OutboundError, read_limited, safe_url, translate
from tests.checks.script import HANG, RESET, Peer, answer
from tests.programs import program

WORDS = {"dns", "connect", "tls", "reset", "timeout", "too_large", "bad_request"}
CANARY = "canary-6f1d0c"
URL_WITH_SECRETS = f"http://there:8080/path?key={CANARY}#{CANARY}"


async def ask(
    outbound: Outbound, url: str = URL_WITH_SECRETS, method: str = "GET", **options: Any
) -> tuple[int, bytes]:
    async with asyncio.timeout(60), outbound.request(method, url, **options) as response:
        return response.status, await read_limited(response, 1000)


async def refused(
    outbound: Outbound, url: str = URL_WITH_SECRETS, method: str = "GET", **options: Any
) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        await ask(outbound, url, method, **options)
    assert CANARY not in str(caught.value)
    return caught.value


@pytest.fixture
def outbound(wire) -> Outbound:
    return Outbound(connector=wire.connector)


# One request


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST"])
@pytest.mark.parametrize("steps", [[], [RESET]], ids=["hangs up", "resets"])
async def test_a_request_is_made_once(wire, outbound, method, steps):
    """A peer that breaks off is not asked a second time, whatever the method: its effect may have been had."""
    peer = Peer(steps)
    wire.raw("there", peer)

    failure = await refused(outbound, method=method)

    assert (failure.error_type, failure.sent) == ("reset", True)
    assert len(peer.requests) == 1


async def test_each_request_has_a_connection_of_its_own(wire, outbound):
    """Neither connections nor cookies outlive a request, though the peer offers both."""
    peer = Peer([answer(200, b"", "Set-Cookie: a=b", "Connection: keep-alive"), HANG])
    connections = []

    def connection() -> asyncio.Protocol:
        connections.append(peer())
        return connections[-1]

    wire.raw("there", connection)

    await ask(outbound)
    await ask(outbound)

    assert len(connections) == 2
    assert not any(b"cookie" in request.lower() for request in peer.requests)


@pytest.mark.parametrize(
    ("prepare", "error_type"),
    [("unresolvable", "dns"), ("refuse", "connect")],
)
async def test_what_never_left(wire, outbound, prepare, error_type):
    """Without a connection nothing was sent, and a message can be tried again without fear."""
    getattr(wire, prepare)("there")

    failure = await refused(outbound, method="POST", body=b"{}")

    assert (failure.error_type, failure.sent) == (error_type, False)


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        pytest.param("GET", "http://there/", {"X-A": f"{CANARY}\r\nX-B: c"}, id="a header of two lines"),
        pytest.param("GET", "http://there/", {"X\n": "a"}, id="a name of two lines"),
        pytest.param("GET", "http://there/", {"X-A": "a\0b"}, id="a NUL"),
        pytest.param("G T", "http://there/", {}, id="no method"),
        pytest.param("GET", f"ftp://there/{CANARY}", {}, id="no http"),
        pytest.param("GET", CANARY, {}, id="no URL"),
        pytest.param("GET", "", {}, id="nothing"),
        pytest.param("GET", f"http://[{CANARY}/", {}, id="brackets"),
        pytest.param("GET", "http://there:99999/", {}, id="no port"),
        pytest.param("GET", f"http://u:{CANARY}@there/", {"Authorization": "b"}, id="two credentials"),
    ],
)
async def test_a_request_that_cannot_be_made(wire, method, url, headers):
    """What is no request is refused before anything leaves, without repeating it."""
    peer = Peer([answer(200)])
    wire.raw("there", peer)

    with pytest.raises(OutboundError) as caught:
        await ask(Outbound(connector=wire.connector), url, method, headers=headers)

    assert (caught.value.error_type, caught.value.sent) == ("bad_request", False)
    assert CANARY not in str(caught.value).replace(f"/{CANARY}", "").replace(f"{CANARY} is no", "")
    assert peer.requests == []


@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_that_turns_into_noise(wire, outbound, status):
    """Bytes that are no HTTP, in the midst of a body, end it at once; nobody waits until their patience is over."""
    head = f"HTTP/1.1 {status} -\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".encode()
    wire.raw("there", Peer([head, 0.1, b"zz\r\n", HANG]))
    began = asyncio.get_running_loop().time()

    failure = await refused(outbound)

    assert (failure.error_type, failure.sent) == ("reset", True)
    assert asyncio.get_running_loop().time() - began < 1


async def test_time_is_the_callers(wire, outbound):
    """A silent peer is waited for as long as the caller wants, and the caller's timeout stays a timeout."""
    wire.raw("there", Peer([HANG]))

    with pytest.raises(TimeoutError):
        await ask(outbound)


async def test_an_error_while_the_body_is_read(wire, outbound):
    """Also what goes wrong after the headers comes in our words."""
    wire.raw("there", Peer([b"HTTP/1.1 200 -\r\nContent-Length: 9\r\n\r\nhalf"]))

    assert (await refused(outbound)).error_type == "reset"


async def test_a_body_that_is_too_large(wire, outbound):
    """A body is read up to a limit, in which it just fits."""
    wire.raw("there", Peer([answer(200, b"x" * 1000)]))
    assert await ask(outbound) == (200, b"x" * 1000)

    wire.raw("there", Peer([answer(200, b"x" * 1001)]))
    failure = await refused(outbound)

    assert failure.error_type == "too_large"
    assert str(failure) == "http://there:8080/path answered with more than 1000 bytes"


async def test_errors_of_the_caller_are_the_callers(wire, outbound):
    """What the caller's own code raises inside the block is not ours to translate."""
    wire.raw("there", Peer([answer(200)]))

    with pytest.raises(ZeroDivisionError):
        async with outbound.request("GET", "http://there/"):
            raise ZeroDivisionError


# Redirects


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        pytest.param(301, "POST", "GET", id="moved"),
        pytest.param(302, "POST", "GET", id="found"),
        pytest.param(303, "PUT", "GET", id="see other"),
        pytest.param(303, "HEAD", "HEAD", id="see other, without a body"),
        pytest.param(302, "PUT", "PUT", id="found, not for POST"),
        pytest.param(307, "POST", "POST", id="temporary"),
        pytest.param(308, "POST", "POST", id="permanent"),
    ],
)
async def test_what_is_asked_after_a_redirect(wire, outbound, status, method, expected):
    """A redirect keeps the method and the body, or becomes a GET, as browsers do it; headers stay."""
    first, second = Peer([answer(status, b"", "Location: /other?x=1")]), Peer([answer(200)])
    peers = iter([first, second])
    wire.raw("there", lambda: next(peers)())

    assert await ask(outbound, method=method, body=b"ping", headers={"X-A": "b"}, redirects=1) == (200, b"")

    assert second.request.startswith(f"{expected} /other?x=1 HTTP/1.1\r\n")
    assert second.request.endswith("ping") is (expected == method and method != "HEAD")
    assert "X-A: b\r\n" in second.request


@pytest.mark.parametrize("location", ["http://other/", "https://there:8080/", "//other/"])
async def test_another_origin_gets_no_secrets(wire, outbound, location):
    """Headers and body are for the origin that they were written for; aiohttp itself would pass x-api-key on."""
    wire.raw("there", Peer([answer(307, b"", f"Location: {location}")]))
    other = Peer([answer(200)])
    wire.raw("other", other)
    peers = iter([Peer([answer(307, b"", f"Location: {location}")]), other])
    wire.raw("there:8080", lambda: next(peers)())

    assert (await ask(outbound, method="POST", body=CANARY.encode(), headers={"x-api-key": CANARY}, redirects=3))[
        0
    ] == 200

    assert CANARY not in other.request


@pytest.mark.parametrize("location", ["ftp://there/", "http://", "http://[", "mailto:a@b", "http://there:x/"])
async def test_a_redirect_to_nowhere_is_an_answer(wire, outbound, location):
    """A redirect that leads to no place for HTTP is left to the caller."""
    wire.raw("there", Peer([answer(302, b"", f"Location: {location}")]))

    assert (await ask(outbound, redirects=3))[0] == 302


async def test_redirects_end(wire, outbound):
    """After as many redirects as the caller allows, the next one is the answer."""
    peer = Peer([answer(302, b"", "Location: /again")])
    wire.raw("there", peer)

    assert (await ask(outbound, redirects=4))[0] == 302
    assert len(peer.requests) == 5


async def test_phases_add_up(wire, outbound):
    """Over redirects each phase is the sum of what it took."""
    heard: dict[str, float] = {}
    peers = iter([Peer([1.0, answer(302, b"", "Location: /other")]), Peer([2.0, answer(200)])])
    wire.raw("there", lambda: next(peers)())

    await ask(outbound, redirects=1, phase=heard.__setitem__)

    assert heard == {"resolve": 0.0, "connect": 0.0, "first_byte": 3.0}


async def test_a_second_place_that_is_not_there(wire, outbound):
    """When a redirect leads to a closed door, the first request has left all the same."""
    wire.raw("there", Peer([answer(302, b"", "Location: http://gone/")]))

    failure = await refused(outbound, redirects=1)

    assert (failure.error_type, failure.sent) == ("dns", True)


# Words


def exceptions(base: type[BaseException]) -> Iterator[type[BaseException]]:
    yield base
    for derived in base.__subclasses__():
        yield from exceptions(derived)


def raised(cls: type[BaseException]) -> BaseException:
    """An instance as aiohttp makes it, as far as its fields matter."""
    made = cls.__new__(cls)
    key = aiohttp.client_reqrep.ConnectionKey("there", 80, False, True, None, None, None)
    made.__dict__.update(
        _conn_key=key, _os_error=OSError(111, CANARY), host="there", port=80, status=407, message=CANARY,
        _certificate_error=ssl.CertificateError(CANARY), history=(), headers=None, _url=URL("http://there/"),
        _description=CANARY, code=400, got=CANARY, expected=CANARY,
    )  # fmt: skip
    return made


FOREIGN = sorted(
    {*exceptions(aiohttp.ClientError), *exceptions(http_exceptions.HttpProcessingError)}, key=lambda cls: cls.__name__
)


@pytest.mark.parametrize(
    "cls", [c for c in FOREIGN if c.__module__.startswith("aiohttp")], ids=lambda cls: cls.__name__
)
def test_every_error_of_aiohttp_has_a_word(cls):
    """Whatever class aiohttp has or will have, a person reads one of our words, and no secret."""
    failure = translate(raised(cls), "http://there/", sent=False)  # type: ignore[arg-type]  # made without its __init__

    assert failure.error_type in WORDS
    assert CANARY not in str(failure)
    assert failure.error_type != "bad_request" or issubclass(
        cls,
        client_exceptions.InvalidURL | client_exceptions.RedirectClientError | client_exceptions.NonHttpUrlClientError,
    )


@pytest.mark.parametrize(
    ("exc", "word", "sent"),
    [
        pytest.param(OSError(113, "No route to host"), "reset", False, id="no route"),
        pytest.param(ConnectionResetError(104, CANARY), "reset", False, id="reset"),
        pytest.param(BrokenPipeError(32, CANARY), "reset", False, id="broken pipe"),
        pytest.param(TimeoutError(), "timeout", False, id="timeout"),
        pytest.param(ssl.SSLError(1, CANARY), "tls", False, id="TLS"),
        pytest.param(aiohttp.ServerTimeoutError(), "timeout", False, id="aiohttp's timeout"),
        pytest.param(aiohttp.ClientPayloadError(CANARY), "reset", True, id="half a body has been answered"),
        pytest.param(ValueError(CANARY), "bad_request", False, id="a request that cannot be written"),
    ],
)
def test_errors_of_the_system(exc, word, sent):
    """Errors of sockets and TLS have their words, too."""
    failure = translate(exc, "http://there/", sent=False)

    assert (failure.error_type, failure.sent) == (word, sent)
    assert CANARY not in str(failure)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@there:8443/a/b?key=x#y", "https://there:8443/a/b"),
        ("http://there", "http://there"),
        ("/only/a/path?key=x", "/only/a/path"),
        ("http://[::1]:80/a", "http://[::1]/a"),
        ("http://[", "an unreadable URL"),
    ],
)
def test_what_may_be_shown_of_an_address(url, shown):
    """Scheme, host, port and path; nothing that could be a key."""
    assert safe_url(url) == shown


# The real network


@asynccontextmanager
async def listening(peer: Any, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(peer, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login somebody password {CANARY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    return monkeypatch


@pytest.mark.realtime
async def test_a_real_request():
    """On a real socket there are phases as well, an address needs no resolving, and ~/.netrc is left alone."""
    heard: dict[str, float] = {}
    peer = Peer([answer(200, b"ok")])

    async with listening(peer) as port:
        assert await ask(Outbound(), f"http://127.0.0.1:{port}/", phase=heard.__setitem__) == (200, b"ok")

    assert set(heard) == {"connect", "first_byte"}
    assert "authorization" not in peer.request.lower()


@pytest.mark.realtime
async def test_nobody_listens_there():
    """A port that is closed is a connection that is refused."""
    async with listening(Peer([])) as port:
        pass

    failure = await refused(Outbound(), f"http://127.0.0.1:{port}/?{CANARY}")

    assert str(failure) == f"no connection to http://127.0.0.1:{port}/: connection refused"
    assert (failure.error_type, failure.sent) == ("connect", False)


@pytest.mark.realtime
async def test_a_proxy_of_the_environment(environment):
    """HTTP goes through the proxy that the environment names, with its credentials, except to excepted hosts."""
    proxy, direct = Peer([answer(200, b"proxied")]), Peer([answer(200, b"direct")])
    async with listening(proxy) as port, listening(direct) as other:
        environment.setenv("http_proxy", f"http://user:pw@127.0.0.1:{port}")
        environment.setenv("no_proxy", "127.0.0.1,.internal")

        assert await ask(Outbound(), "http://there.example/a") == (200, b"proxied")
        assert await ask(Outbound(), f"http://127.0.0.1:{other}/") == (200, b"direct")

    assert proxy.request.startswith("GET http://there.example/a HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwdw==\r\n" in proxy.request


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param([answer(407)], "the proxy on the way to https://there.example/ answered 407", id="it refuses"),
        pytest.param([], "https://there.example/ hung up without an answer", id="it hangs up"),
    ],
)
async def test_a_proxy_that_does_not_help(environment, steps, message):
    """A tunnel that does not come about is told as the proxy's, and nothing has been sent to the place itself."""
    proxy = Peer(steps)
    async with listening(proxy) as port:
        environment.setenv("https_proxy", f"user:pw@127.0.0.1:{port}")

        failure = await refused(Outbound(), "https://there.example/")

    assert str(failure) == message
    assert not failure.sent
    assert proxy.request.startswith("CONNECT there.example:443 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwdw==\r\n" in proxy.request


@pytest.mark.realtime
async def test_proxies_that_cannot_be_used(environment):
    """A proxy that is gone, or speaks what we do not, is named without its credentials."""
    async with listening(Peer([])) as port:
        pass
    environment.setenv("all_proxy", f"http://user:{CANARY}@127.0.0.1:{port}")
    gone = await refused(Outbound(), "http://there.example/")
    environment.setenv("all_proxy", f"socks5://user:{CANARY}@127.0.0.1:{port}")
    socks = await refused(Outbound(), "http://there.example/")

    assert (gone.error_type, str(gone)) == ("connect", "no connection to the proxy on the way to http://there.example/")
    assert (socks.error_type, str(socks)) == (
        "connect",
        f"the environment names the proxy socks5://127.0.0.1:{port}, expected http://host:port",
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Sequence[str]:
    """A certificate for localhost that nobody has signed, valid for ten days, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = [str(folder / "certificate.pem"), str(folder / "key.pem")]
    command = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "10"]
    subprocess.run([*command, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def serving(certificate: Sequence[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.mark.realtime
async def test_tls_has_its_phase_and_its_certificate(certificate):
    """TLS is told apart from the connection beneath it, and when the certificate ends is told."""
    heard: dict[str, float] = {}
    ends: list[float] = []
    outbound = Outbound(context=ssl.create_default_context(cafile=certificate[0]))

    async with listening(Peer([answer(200, b"ok")]), serving(certificate)) as port:
        url = f"https://localhost:{port}/"
        assert await ask(outbound, url, phase=heard.__setitem__, certificate=ends.append) == (200, b"ok")

    assert set(heard) == {"resolve", "connect", "tls", "first_byte"}
    assert all(seconds > 0 for seconds in heard.values())
    shown = subprocess.run(
        [program("openssl"), "x509", "-noout", "-enddate", "-in", certificate[0]], check=True, capture_output=True
    )
    assert ends == [ssl.cert_time_to_seconds(shown.stdout.decode().strip().removeprefix("notAfter="))]


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("host", "trusted", "message"),
    [
        pytest.param("localhost", False, "no TLS with {url}: self-signed certificate", id="signed by nobody"),
        pytest.param(
            "127.0.0.1", True,
            "no TLS with {url}: IP address mismatch, certificate is not valid for '127.0.0.1'.", id="another name",
        ),
    ],
)  # fmt: skip
async def test_a_certificate_that_does_not_verify(certificate, host, trusted, message):
    """A certificate that proves nothing is no connection, and OpenSSL's reason is told."""
    outbound = Outbound(context=ssl.create_default_context(cafile=certificate[0])) if trusted else Outbound()

    async with listening(Peer([answer(200)]), serving(certificate)) as port:
        url = f"https://{host}:{port}/"
        failure = await refused(outbound, url)

    assert str(failure) == message.format(url=url)
    assert (failure.error_type, failure.sent) == ("tls", False)


@pytest.mark.realtime
async def test_no_tls_there():
    """A peer that speaks plain HTTP where TLS is expected is told as such."""

    class Plain(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.write(answer(400))
            transport.close()

    async with listening(Plain) as port:
        failure = await refused(Outbound(), f"https://localhost:{port}/")

    assert (failure.error_type, failure.sent) == ("tls", False)
    assert "does not speak TLS" in str(failure)
    assert str(failure).endswith("; is it http://?")


async def test_a_whole_server(wire, outbound):
    """What is sent and read is what aiohttp's own server takes and gives."""
    app = web.Application()

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), headers={"X-Method": request.method})

    app.router.add_route("*", "/", echo)
    wire.serve("there", app)

    async with outbound.request("PUT", "http://there/", body=b"ping", headers={"X-A": "b"}) as response:
        assert response.headers["X-Method"] == "PUT"
        assert await read_limited(response, 100) == b"ping"
    await outbound.close()


async def test_a_redirect_that_names_a_user(wire, outbound):
    """Whoever sends us elsewhere does not say as whom to come: the name and password in the address are left out."""
    peers = iter([Peer([answer(302, b"", f"Location: http://u:{CANARY}@there:8080/")]), second := Peer([answer(200)])])
    wire.raw("there", lambda: next(peers)())

    status, _ = await ask(outbound, redirects=1, headers={"Authorization": "ours"})

    assert status == 200
    assert "Authorization: ours\r\n" in second.request
    assert CANARY not in second.request

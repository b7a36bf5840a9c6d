"""How a connection leaves this machine."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pydantic import ValidationError
from yarl import URL

from sidecar.channels import deliver
from sidecar.channels.webhook import WebhookChannel
from sidecar.checks.http import HttpCheck
from sidecar.clock import SystemClock
from sidecar.config import parse
from sidecar.network import Network, NetworkError, excepts
from sidecar.outbound import Outbound, OutboundError, read_limited
from sidecar.secrets import Secret
from sidecar.services.probing import Recording, probe_once
from tests.certificates import Certificate
from tests.channels.stories import Ctx, hostile


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("pattern", "host", "port", "excepted"),
    [
        pytest.param("*", "any", 80, True, id="everybody"),
        pytest.param("b.example", "b.example", 80, True, id="a name"),
        pytest.param("b.example", "a.b.example", 80, True, id="what is below a name"),
        pytest.param("b.example", "ab.example", 80, False, id="another name that ends so"),
        pytest.param(".example", "b.EXAMPLE.", 80, True, id="a suffix, in capitals and with the root's dot"),
        pytest.param("*.example", "b.example", 80, True, id="a suffix with a star"),
        pytest.param("b.example:8080", "b.example", 8080, True, id="with its port"),
        pytest.param("b.example:8080", "b.example", 80, False, id="with another port"),
        pytest.param("10.0.0.1", "10.0.0.1", 80, True, id="an address"),
        pytest.param("10.0.0.1", "10.0.0.11", 80, False, id="another address"),
        pytest.param("10.0.0.0/8", "10.9.8.7", 80, True, id="a network"),
        pytest.param("10.0.0.0/8", "11.9.8.7", 80, False, id="outside of the network"),
        pytest.param("10.0.0.0/8", "b.example", 80, False, id="a name is in no network"),
        pytest.param("fd00::/8", "fd00::1", 80, True, id="a network of IPv6"),
        pytest.param("[::1]:80", "::1", 80, True, id="IPv6 with a port"),
        pytest.param("::1", "::1", 80, True, id="bare IPv6"),
        pytest.param("10.0.0.0/99", "10.0.0.1", 80, False, id="no network at all"),
        pytest.param("[", "b.example", 80, False, id="nothing that can be read"),
    ],
)
def test_who_is_asked_without_a_proxy(pattern, host, port, excepted):
    """An exception is a name with all below it, a suffix, an address or a network, with or without a port."""
    assert excepts((pattern,), host, port) is excepted


@pytest.mark.parametrize(
    ("settings", "url", "proxy"),
    [
        pytest.param({}, "http://there/", "http://env:1", id="the environment's"),
        pytest.param({"proxy": "none"}, "http://there/", None, id="none"),
        pytest.param({"proxy": "http://own:2"}, "https://there/", "http://own:2", id="its own"),
        pytest.param({"proxy": "http://own:2", "no_proxy": ["there"]}, "https://there/", None, id="excepted"),
        pytest.param({"proxy": "http://own:2"}, "http://127.0.0.1/", None, id="this machine"),
        pytest.param({"proxy": "http://own:2"}, "http://10.1.2.3/", "http://own:2", id="excepted by the environment"),
        pytest.param({}, "http://10.1.2.3/", None, id="in a network that the environment excepts"),
        pytest.param({"resolve_to": "10.0.0.1"}, "http://there/", None, id="a place of its own"),
    ],
)
def test_which_proxy(monkeypatch, settings, url, proxy):
    """What is configured wins over the environment, and the environment's exceptions understand networks."""
    monkeypatch.setenv("http_proxy", "http://env:1")
    monkeypatch.setenv("no_proxy", "localhost, 10.0.0.0/8")

    found = Network.model_validate(settings).proxy_for(URL(url))

    assert found == (URL(proxy) if proxy else None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"proxy": "socks5://u:pw-canary@h:1"}, "expected http://host:port or none", id="a proxy"),
        pytest.param({"no_proxy": ["10.0.0.0/99"]}, "expected a network such as 10.0.0.0/8", id="a network"),
        pytest.param({"no_proxy": ["http://a"]}, "expected a name, .suffix, address or network", id="a URL"),
        pytest.param({"resolve_to": "http://a/b"}, "expected an address or name, with or without", id="a place"),
        pytest.param({"ip_version": 5}, "Input should be 'any', '4' or '6'", id="a version"),
        pytest.param({"client_key": "k"}, "has `client_key` without `client_cert`", id="half a pair"),
        pytest.param({"ca_file": "/nowhere"}, "`ca_file` /nowhere cannot be read (no such file", id="no file"),
        pytest.param({"ca_file": "/etc/passwd"}, "expected certificates in PEM form", id="no certificates"),
        pytest.param({"client_cert": "/etc/passwd"}, "`client_cert` /etc/passwd cannot be used", id="no pair"),
    ],
)
def test_mistakes_teach(settings, message):
    """A mistake is found when the settings are read, says what was expected, and shows no password."""
    with pytest.raises(ValidationError) as caught:
        Network.model_validate(settings)

    assert message in str(caught.value)
    assert "pw-canary" not in str(caught.value)


def test_what_is_not_said_is_as_above(tmp_path):
    """Settings are merged key by key; a key goes with its certificate."""
    pair = Certificate.make(tmp_path, "pair")
    both = tmp_path / "both.pem"
    both.write_bytes(pair.file.read_bytes() + pair.key_file.read_bytes())
    top = Network(client_cert=str(pair.file), client_key=str(pair.key_file), ip_version="4", server_name="a")
    own = Network(client_cert=str(both), server_name="")

    merged = own.over(top)

    assert (merged.client_cert, merged.client_key) == (str(both), "")
    assert (merged.ip_version, merged.server_name) == ("4", "")
    assert Network().over(top) == top


def test_a_password_is_shown_nowhere():
    """The proxy's credentials are in no form of the settings."""
    network = Network.model_validate({"proxy": "http://user:pw-canary-1@proxy:3128"})

    assert "canary" not in repr(network) + str(network.model_dump()) + network.model_dump_json()
    proxy = network.proxy_for(URL("http://there/"))
    assert proxy is not None
    assert proxy.password == "pw-canary-1"


def test_contexts_are_shared_until_a_file_changes(tmp_path):
    """The same settings share a context; a file that changed makes a new one, and one that is gone is told."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    network, same = Network(ca_file=str(ca.file)), Network(ca_file=str(ca.file), ip_version="4")
    before = network.ssl_context()
    assert same.ssl_context() is before

    Certificate.make(tmp_path, "other", authority=True).file.replace(ca.file)
    after = network.ssl_context()
    assert after is not before
    assert after.get_ca_certs() != before.get_ca_certs()

    ca.file.unlink()
    with pytest.raises(NetworkError, match="cannot be read"):
        network.ssl_context()


def test_whoever_does_not_verify_is_told():
    """Not to verify is legal, and noted."""
    network = Network(verify=False)

    assert network.ssl_context().verify_mode == ssl.CERT_NONE
    assert "not verified" in network.notes[0]
    assert Network().notes == ()


@asynccontextmanager
async def listening(context: ssl.SSLContext | None, heard: list[web.Request]):
    async def hear(request: web.Request) -> web.Response:
        heard.append(request)
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def forward_proxy(target: int, heard: list[bytes]):
    """A forward proxy whose every name is this machine's *target*."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        there_reader, there = await asyncio.open_connection("127.0.0.1", target)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, there), pump(there_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def ask(network: Network, url: str) -> bytes:
    async with asyncio.timeout(20), Outbound().with_network(network).request("GET", url) as response:
        return await read_limited(response, 1000)


@pytest.fixture
def server(tmp_path):
    """A certificate for there.example, its authority, and a context that asks for a client's."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    mine = Certificate.make(tmp_path, "server", issuer=ca, names=["there.example"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca.file))
    context.load_cert_chain(mine.file, mine.key_file)
    return ca, context


@pytest.mark.realtime
async def test_another_address_keeps_the_name(server):
    """`resolve_to` changes where we connect; Host and the name in TLS stay those of the URL."""
    ca, context = server
    names: list[str | None] = []
    context.sni_callback = lambda tls, name, _: names.append(name)
    heard: list[web.Request] = []
    async with listening(context, heard) as port:
        network = Network(ca_file=str(ca.file), resolve_to=f"127.0.0.1:{port}", ip_version="4")
        assert await ask(network, "https://there.example/a") == b"ok"

    assert heard[0].host == "there.example"
    assert names == ["there.example"]


@pytest.mark.realtime
async def test_another_name_is_verified(server):
    """`server_name` is asked for and verified in the place of the host."""
    ca, context = server
    async with listening(context, []) as port:
        url = f"https://127.0.0.1:{port}/"
        assert await ask(Network(ca_file=str(ca.file), server_name="there.example"), url) == b"ok"
        assert await ask(Network(verify=False), url) == b"ok"
        with pytest.raises(OutboundError) as caught:
            await ask(Network(ca_file=str(ca.file)), url)

    assert caught.value.error_type == "tls"


def test_the_form_of_a_certificate_is_no_outage():
    """What is refused does not depend on the Python that looks: 3.13 refuses authorities that clients take."""
    assert not Network().ssl_context().verify_flags & ssl.VERIFY_X509_STRICT


@pytest.mark.realtime
async def test_a_client_certificate_is_shown_and_rotated(tmp_path, server):
    """A server that wants to know us gets our certificate; without it, or once it is gone, the word is tls or reset."""
    ca, context = server
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # set from Python 3.13 on; ours names no key identifiers
    ours = Certificate.make(tmp_path, "ours", issuer=ca)
    base = Network(ca_file=str(ca.file), server_name="there.example")
    network = Network(client_cert=str(ours.file), client_key=str(ours.key_file)).over(base)
    heard: list[web.Request] = []
    async with listening(context, heard) as port:
        url = f"https://127.0.0.1:{port}/"
        assert await ask(network, url) == b"ok"
        again = Certificate.make(tmp_path, "again", issuer=ca)
        again.key_file.replace(ours.key_file)
        again.file.replace(ours.file)
        assert await ask(network, url) == b"ok"
        with pytest.raises(OutboundError):
            await ask(base, url)
        ours.file.unlink()
        with pytest.raises(OutboundError, match="cannot be read") as caught:
            await ask(network, url)

    assert (caught.value.error_type, caught.value.sent) == ("tls", False)
    assert len(heard) == 2


@pytest.mark.realtime
async def test_a_configured_proxy_carries_tls(server):
    """A tunnel through the configured proxy ends at the place itself, with its certificate verified."""
    ca, context = server
    asked: list[bytes] = []
    heard: list[web.Request] = []
    async with listening(context, heard) as target, forward_proxy(target, asked) as proxy:
        network = Network.model_validate({"proxy": f"http://me:pw-canary-2@127.0.0.1:{proxy}", "ca_file": str(ca.file)})
        assert await ask(network, "https://there.example/a") == b"ok"

    assert asked[0].startswith(b"CONNECT there.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in asked[0]
    assert "Proxy-Authorization" not in heard[0].headers


def test_checks_and_channels_have_what_the_top_level_says():
    """The top level's network holds for every check and channel, key by key; who does not verify is noted."""
    found = parse(
        """
network: {ip_version: 4, verify: false}
checks:
  - {type: http, name: a, url: "http://a/"}
  - {type: http, name: b, url: "http://b/", network: {verify: true, server_name: c}}
channels: [{type: log, name: l}]
""",
        "sidecar.yml",
    )

    a, b = (check.network for check in found.checks)
    assert a is not None
    assert b is not None
    assert (a.ip_version, a.verify, b.ip_version, b.verify, b.server_name) == ("4", False, "4", True, "c")
    assert found.channels[0].network == a
    assert parse("checks: [{type: http, name: a, url: 'http://a/'}]", "sidecar.yml").checks[0].network is None


@pytest.mark.realtime
async def test_a_probe_and_a_message_leave_as_they_are_set(server):
    """A check's network and a channel's are those of its requests."""
    ca, context = server
    heard: list[web.Request] = []
    async with listening(context, heard) as port:
        network = Network(ca_file=str(ca.file), resolve_to=f"127.0.0.1:{port}")
        check = HttpCheck(name="a", url="https://there.example/probe", network=network)
        assert (await probe_once(check, Recording(SystemClock(), Outbound()))).ok
        channel = WebhookChannel(name="w", url=Secret("https://there.example/hook"), network=network)
        await deliver(channel, hostile(), Ctx(outbound=Outbound()))

    assert [request.path for request in heard] == ["/probe", "/hook"]

"""The dns check, against a name server made for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest
from pydantic import ValidationError

from sidecar.checks.dns import DnsCheck
from sidecar.model.families import PROBE_PHASE, PROBE_VALUE
from tests.certificates import Certificate
from tests.checks.peers import look, peer
from tests.integration.harness import free_port

pytestmark = pytest.mark.realtime

ZONE = {
    "gw.example. A": ["300 192.0.2.1", "60 192.0.2.2"],
    "www.example. A": [],
    "many.example. A": [f"60 192.0.2.{n}" for n in range(200)],
    "example. MX": ["60 10 Mail.example."],
    "example. TXT": ['60 "v=spf1" " -all"'],
    "1.2.0.192.in-addr.arpa. PTR": ["60 gw.example."],
}

Answer = Callable[[bytes, bool], bytes | None]
"""What a server answers to a question, over a stream or not."""


def answer(wire: bytes, stream: bool) -> bytes:
    """What the zone holds; `broken.example` fails, and what is not there is said not to be."""
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    question = query.question[0]
    key = f"{question.name} {dns.rdatatype.to_text(question.rdtype)}"
    if key.startswith("broken"):
        response.set_rcode(dns.rcode.SERVFAIL)
    elif key.startswith("signed"):
        response.flags |= dns.flags.AD
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", question.rdtype, "192.0.2.9"))
    elif key not in ZONE:
        response.set_rcode(dns.rcode.NXDOMAIN)
    for record in ZONE.get(key, []):
        ttl, text = record.split(" ", 1)
        response.answer.append(dns.rrset.from_text(question.name, int(ttl), "IN", question.rdtype, text))
    found = response.to_wire(max_size=65535)
    if not stream and len(found) > 512:
        response.answer.clear()
        response.flags |= dns.flags.TC
        found = response.to_wire()
    return found


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        said = self._answer(data, False)
        if said is not None:
            self._transport.sendto(said, addr)


@asynccontextmanager
async def name_server(answer: Answer = answer, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A name server on one port of loopback, UDP and TCP, or TLS with *context*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            size = int.from_bytes(await reader.readexactly(2), "big")
            said = answer(await reader.readexactly(size), True) or b""
            writer.write(len(said).to_bytes(2, "big") + said)
            await reader.read()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(answer), local_addr=("127.0.0.1", port)
    )
    async with server:
        yield port
    udp.close()


def check(port: int, name: str, type_: str = "A", **settings: Any) -> DnsCheck:
    base = {"name": "resolver", "server": f"127.0.0.1:{port}", "timeout": "3s"}
    return DnsCheck.model_validate({**base, "query_name": name, "query_type": type_, **settings})


def values(probed: Any) -> dict[str, float]:
    return {labels["name"]: value for labels, value in probed.values(PROBE_VALUE)}


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
async def test_it_answers(protocol):
    """An answer is well; how many records it has and how long they may be kept are exported."""
    async with name_server() as port:
        probed = await look(check(port, "gw.example", protocol=protocol))

    assert probed.result.ok, probed.message
    assert values(probed) == {"answers": 2, "ttl": 60}
    assert probed.notes["answers"] == "192.0.2.1, 192.0.2.2"
    phases = [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)]
    assert phases == (["resolve", "first_byte"] if protocol == "udp" else ["resolve", "connect", "first_byte"])


async def test_an_answer_that_does_not_fit():
    """An answer too large for UDP is asked for again over TCP, as resolvers do."""
    async with name_server() as port:
        probed = await look(check(port, "many.example"))

    assert probed.result.ok, probed.message
    assert values(probed)["answers"] == 200
    assert "truncated" in probed.notes


@pytest.mark.parametrize(
    ("name", "type_", "settings"),
    [
        pytest.param("gw.example", "A", {"contains": ["192.0.2.2"], "matches": r"^192\.0\.2\."}, id="records"),
        pytest.param("example", "MX", {"contains": "10 mail.EXAMPLE"}, id="names compare as names"),
        pytest.param("example", "TXT", {"contains": "v=spf1 -all"}, id="words of a text"),
        pytest.param("192.0.2.1", "PTR", {"contains": "gw.example"}, id="an address backwards"),
        pytest.param("gone.example", "A", {"rcode": "NXDOMAIN"}, id="what must not be there"),
        pytest.param("www.example", "A", {"min_answers": 0}, id="no records are enough"),
        pytest.param("signed.example", "A", {"authenticated": True}, id="verified"),
    ],
)
async def test_good_answers(name, type_, settings):
    """An answer is judged by what was asked of it."""
    async with name_server() as port:
        probed = await look(check(port, name, type_, **settings))

    assert probed.result.ok, probed.message


@pytest.mark.parametrize(
    ("name", "settings", "error_type", "message"),
    [
        pytest.param("gone.example", {}, "assertion", "AT answered NXDOMAIN to gone.example A, expected NOERROR",
            id="no such name"),
        pytest.param("broken.example", {}, "server_error", "AT answered SERVFAIL to broken.example A, expected NOERROR",
            id="a broken server"),
        pytest.param("gw.example", {"rcode": "NXDOMAIN"}, "assertion",
            "AT answered NOERROR to gw.example A, expected NXDOMAIN", id="it must not be there"),
        pytest.param("www.example", {}, "assertion", "AT has 0 records for www.example A, expected 1 or more",
            id="no records"),
        pytest.param("gw.example", {"contains": ["192.0.2.1", "192.0.2.7"]}, "assertion",
            "the answer to gw.example A lacks 192.0.2.7; got: 192.0.2.1, 192.0.2.2", id="lacks one"),
        pytest.param("gw.example", {"matches": "1$"}, "assertion",
            "'192.0.2.2' does not match '1$'; got: 192.0.2.1, 192.0.2.2", id="does not match"),
        pytest.param("gw.example", {"authenticated": True}, "assertion",
            "AT did not verify its answer to gw.example A by DNSSEC", id="not verified"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(name, settings, error_type, message):
    """What was found stands beside what was expected."""
    async with name_server() as port:
        probed = await look(check(port, name, **settings))

    assert (probed.error_type, probed.message.replace(f"127.0.0.1:{port}", "AT")) == (error_type, message)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(lambda wire: b"\xff" * 40, id="no DNS"),
        pytest.param(lambda wire: wire[:7], id="half a header"),
        pytest.param(lambda wire: b"\x00\x01" + answer(wire, True)[2:], id="another question"),
        pytest.param(lambda wire: answer(wire, True)[:-3], id="half an answer"),
        pytest.param(lambda wire: wire[:12] + b"\xc0\x0c" * 20, id="names that lead to themselves"),
    ],
)
async def test_answers_that_are_none(protocol, said):
    """Bytes that make no sense are a failed probe, in order."""
    async with name_server(lambda wire, stream: said(wire)) as port:
        probed = await look(check(port, "gw.example", protocol=protocol, timeout="500ms"))

    # Over UDP what belongs to another question may be anybody's, and is passed over.
    assert probed.error_type in ("reset", "timeout" if protocol == "udp" else "reset")
    assert probed.message in (
        f"127.0.0.1:{port} answered with what is no DNS, or to another question",
        "got no result, expected one within 500ms",
    )


async def test_nobody_is_there():
    """A server that is not there is told apart from one that says nothing."""
    port = free_port()
    closed = [await look(check(port, "gw.example", protocol=protocol)) for protocol in ("udp", "tcp")]
    async with name_server(lambda wire, stream: None) as silent:
        silence = await look(check(silent, "gw.example", timeout="100ms"))
    unknown = await look(check(port, "gw.example", server="nowhere.invalid"))

    assert [one.error_type for one in closed] == ["connect", "connect"]
    assert silence.error_type == "timeout"
    assert (unknown.error_type, unknown.message) == ("dns", "the name nowhere.invalid does not resolve")


async def test_a_server_that_hangs_up():
    """A stream that ends early is broken."""
    async with peer(b"\x00\x40half") as server:
        probed = await look(check(server.port, "gw.example", protocol="tcp"))

    assert probed.message == f"127.0.0.1:{server.port} hung up without a whole answer of DNS"


async def test_over_tls(tmp_path, monkeypatch):
    """DNS over TLS looks at the certificate."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    leaf = Certificate.make(tmp_path, "leaf", issuer=ca, names=["127.0.0.1"])
    async with name_server(context=leaf.server()) as port:
        strange = await look(check(port, "gw.example", protocol="tls"))
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.file))
        known = await look(check(port, "gw.example", protocol="tls"))

    assert strange.error_type == "tls"
    assert known.result.ok, known.message


async def test_the_servers_of_the_system(monkeypatch, tmp_path):
    """Without a server those of the system are asked, the next when one does not answer."""
    async with name_server() as port, name_server(lambda wire, stream: None) as silent:
        servers = [f"127.0.0.1:{silent}", f"127.0.0.1:{port}"]
        monkeypatch.setattr("sidecar.checks.dns._of_the_system", lambda _: [DnsCheck(
            name="x", query_name="x", server=server)._at for server in servers])  # fmt: skip
        probed = await look(check(port, "gw.example", server="", timeout="400ms"))

    assert probed.result.ok, probed.message
    assert probed.notes["server"] == f"127.0.0.1:{port}"
    assert len(probed.values(PROBE_PHASE)) == 2
    assert Path("/etc/resolv.conf").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"query_name": "a..b"}, "is no name to ask for", id="an empty label"),
        pytest.param({"query_name": "x" * 70}, "is no name to ask for", id="a long label"),
        pytest.param({"query_name": "gw", "query_type": "PTR"}, "is no name to ask for", id="no address"),
        pytest.param({"server": "a b"}, "expected host:port", id="no server"),
        pytest.param({"matches": "("}, "no regular expression", id="pattern"),
        pytest.param({"query_type": "AXFR"}, "Input should be", id="a whole zone"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """A mistake in the settings is told when they are read."""
    with pytest.raises(ValidationError) as caught:
        DnsCheck.model_validate({"name": "resolver", "query_name": "gw.example", **settings})

    assert said in "".join(str(error["msg"]) for error in caught.value.errors())


def test_the_target():
    """What is probed is named with its server."""
    assert DnsCheck(name="x", query_name="gw.example", server="10.0.0.1").target == "dns://10.0.0.1:53/gw.example"
    assert DnsCheck(name="x", query_name="gw.example").target == "dns://resolv.conf/gw.example"

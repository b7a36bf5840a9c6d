"""The tls check, against certificates made for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks.tls import TlsCheck
from sidecar.model.families import PROBE_CERT_EXPIRY, PROBE_PHASE
from tests.certificates import DAY, Certificate
from tests.checks.peers import SILENT, look, peer

pytestmark = pytest.mark.realtime

HERE = ["127.0.0.1", "localhost"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where certificates are made; the authority in ca.pem is the only one that is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return Path(tmp_path)


@pytest.fixture
def ca(folder) -> Certificate:
    return Certificate.make(folder, "ca", authority=True, ends=3650 * DAY)


@asynccontextmanager
async def serving(context: ssl.SSLContext, talk: Any = None) -> AsyncIterator[int]:
    """A server with TLS on loopback; *talk* is held before TLS begins. Yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if talk:
                await talk(reader, writer)
                await writer.start_tls(context)
            await reader.read()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=None if talk else context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def check(port: int, **settings: Any) -> TlsCheck:
    return TlsCheck.model_validate({"name": "certificate", "address": f"127.0.0.1:{port}", "timeout": "5s", **settings})


async def seen(certificate: Certificate, **settings: Any) -> Any:
    """A probe of a server that shows *certificate*, its address taken out of the message."""
    async with serving(certificate.server()) as port:
        probed = await look(check(port, **settings))
    return probed.error_type, probed.message.replace(f"127.0.0.1:{port}", "AT"), probed


async def test_a_good_certificate(folder, ca):
    """A certificate that is accepted and good for long is well; its end is exported, what it says is evidence."""
    certificate = Certificate.make(folder, "leaf", issuer=ca, names=HERE)

    error_type, message, probed = await seen(certificate)

    assert (error_type, message) == ("", "")
    assert probed.value(PROBE_CERT_EXPIRY) == certificate.certificate.not_valid_after_utc.timestamp()
    assert [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)] == ["resolve", "connect", "tls"]
    assert probed.notes["tls_version"] == "TLSv1.3"
    assert probed.notes["issuer"] == "CN=ca"
    assert probed.notes["names"] == "127.0.0.1, localhost"


@pytest.mark.parametrize(
    ("made", "settings", "error_type", "message"),
    [
        pytest.param({"ends": timedelta(days=3, hours=6)}, {}, "assertion",
            "the certificate of AT expires in 3.2 days, on DATE, expected 14 days or more", id="ends soon"),
        pytest.param({"ends": timedelta(hours=3.5)}, {"min_days": 0}, "", "", id="ends soon enough"),
        pytest.param({"begins": -9 * DAY, "ends": -2 * DAY}, {}, "tls",
            "the certificate of AT expired 2.0 days ago, on DATE", id="expired"),
        pytest.param({"begins": -9 * DAY, "ends": -2 * DAY}, {"verify": False}, "tls",
            "the certificate of AT expired 2.0 days ago, on DATE", id="expired, not verified"),
        pytest.param({"begins": 2 * DAY}, {}, "tls", "the certificate of AT is not good before DATE", id="not yet"),
        pytest.param({"names": ["other.example", "::1"]}, {}, "tls",
            "the certificate of AT is for other.example, ::1, expected 127.0.0.1", id="another name"),
        pytest.param({"names": []}, {}, "tls", "the certificate of AT is for nobody, expected 127.0.0.1", id="no name"),
        pytest.param({"names": ["other.example"]}, {"verify": False}, "", "", id="another name, not verified"),
        pytest.param({"issuer": None}, {}, "tls",
            "the certificate of AT is self-signed, expected one from an authority that we trust", id="self-signed"),
        pytest.param({"issuer": None}, {"verify": False}, "", "", id="self-signed, not verified"),
        pytest.param({}, {"issuer": "Let's Encrypt"}, "assertion",
            "the certificate of AT is by 'CN=ca', expected \"Let's Encrypt\"", id="another issuer"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_precisely(ca, made, settings, error_type, message):
    """Each way in which a certificate is not good has a sentence of its own; its end is exported all the same."""
    certificate = Certificate.make(ca.file.parent, "leaf", **{"issuer": ca, "names": HERE, **made})

    word, said, probed = await seen(certificate, **settings)

    date = f"{certificate.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    begin = f"{certificate.certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    assert (word, said.replace(date, "DATE").replace(begin, "DATE")) == (error_type, message)
    assert probed.value(PROBE_CERT_EXPIRY) == certificate.certificate.not_valid_after_utc.timestamp()


async def test_an_issuer_whom_nobody_knows(folder, ca):
    """A certificate of somebody else's authority names it; one without its intermediate gets a hint."""
    other = Certificate.make(folder, "other", authority=True)
    between = Certificate.make(folder, "between", issuer=ca, authority=True)

    stranger = await seen(Certificate.make(folder, "leaf", issuer=other, names=HERE, chain=True))
    alone = await seen(Certificate.make(folder, "leaf", issuer=between, names=HERE))
    whole = await seen(Certificate.make(folder, "leaf", issuer=between, names=HERE, chain=True))

    assert stranger[:2] == ("tls", "the certificate of AT was issued by 'CN=other', whom we do not trust")
    assert alone[1] == (
        "the certificate of AT was issued by 'CN=between', whom we do not trust; perhaps the server does not send the "
        "certificates in between"
    )
    assert whole[:2] == ("", "")


async def test_the_chain_ends_with_its_first(folder, ca):
    """A certificate is good for no longer than those who issued it."""
    between = Certificate.make(folder, "between", issuer=ca, authority=True, ends=5 * DAY)
    leaf = Certificate.make(folder, "leaf", issuer=between, names=HERE, chain=True)

    error_type, message, probed = await seen(leaf)

    assert error_type == "assertion"
    assert message.startswith("a certificate in the chain of AT, 'CN=between', expires in 5.0 days")
    assert probed.value(PROBE_CERT_EXPIRY) == between.certificate.not_valid_after_utc.timestamp()


async def test_an_old_version(folder, ca):
    """A server that does not speak the version is told apart from one with a bad certificate."""
    certificate = Certificate.make(folder, "leaf", issuer=ca, names=HERE)
    context = certificate.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(context) as port:
        probed = await look(check(port, min_version="1.3"))

    assert probed.message == f"127.0.0.1:{port} chose TLSv1.2, expected at least TLSv1.3"


async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220-mail.example\r\n220 ready\r\n")
    assert (await reader.readline()).startswith(b"EHLO ")
    writer.write(b"250-mail.example\r\n250 STARTTLS\r\n")
    assert await reader.readline() == b"STARTTLS\r\n"
    writer.write(b"220 go on\r\n")


async def imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK ready\r\n")
    assert await reader.readline() == b"a STARTTLS\r\n"
    writer.write(b"* NOTE well\r\na OK go on\r\n")


async def pop3(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"+OK ready\r\n")
    assert await reader.readline() == b"STLS\r\n"
    writer.write(b"+OK\r\n")


async def ftp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    assert await reader.readline() == b"AUTH TLS\r\n"
    writer.write(b"234 go on\r\n")


async def postgres(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert (await reader.readexactly(8))[4:] == (80877103).to_bytes(4, "big")
    writer.write(b"S")


@pytest.mark.parametrize("talk", [smtp, imap, pop3, ftp, postgres])
async def test_tls_is_asked_for(folder, ca, talk):
    """Where TLS begins in the middle, the check knows the words."""
    certificate = Certificate.make(folder, "leaf", issuer=ca, names=HERE)
    async with serving(certificate.server(), talk) as port:
        probed = await look(check(port, starttls=talk.__name__))

    assert probed.result.ok, probed.message


async def test_a_postgres_without_tls():
    """A PostgreSQL that has no TLS says so in its own way."""
    async with peer(b"N") as server:
        probed = await look(check(server.port, starttls="postgres"))

    assert probed.message == f"127.0.0.1:{server.port} offers no TLS"


@pytest.mark.parametrize(
    ("says", "protocol", "error_type", "message"),
    [
        pytest.param(b"554 not you\r\n", "smtp", "tls", "AT answered '554 not you', expected '220'", id="refused"),
        pytest.param(b"220 hi\r\n250 x\r\n502 what\r\n", "smtp", "tls",
            "AT answered '502 what' to STARTTLS, expected '220'", id="no STARTTLS"),
        pytest.param(b"220 h", "smtp", "reset", "AT hung up without a whole answer of SMTP", id="half a line"),
        pytest.param(b"HTTP/1.1 400\r\n\r\n", None, "tls", "the TLS handshake with AT failed: wrong version number",
            id="HTTP"),
    ],
)  # fmt: skip
async def test_a_server_without_tls(says, protocol, error_type, message):
    """What is no TLS is told with what was said instead."""
    async with peer(says) as server:
        probed = await look(check(server.port, starttls=protocol))

    found = probed.message.replace(f"127.0.0.1:{server.port}", "AT")
    assert (probed.error_type, found) == (error_type, message)


async def test_a_probe_that_is_cut_off_leaves_no_connection():
    """At the timeout the connection is closed."""
    async with peer(SILENT) as server:
        probed = await look(check(server.port, timeout="100ms"))
        await asyncio.wait_for(server.left.wait(), 5)

    assert probed.error_type == "timeout"


def test_settings_that_cannot_be():
    """An address has a host and a port."""
    with pytest.raises(ValidationError):
        TlsCheck(name="x", address="https://gateway")
    assert TlsCheck(name="x", address="gateway:443").target == "tls://gateway:443"

"""The checks of data stores over TLS, against real servers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sidecar import plugins
from sidecar.checks import Check
from sidecar.model.families import PROBE_CERT_EXPIRY, PROBE_PHASE
from sidecar.network import Network
from tests.certificates import Certificate
from tests.checks.peers import look
from tests.servers import nats_server, postgres_server, redis_server

pytestmark = pytest.mark.realtime

PASSWORD = "any-p4ssw0rd"


def check(type_: str, **settings: Any) -> Check:
    return plugins.find("sidecar.checks", type_, Check).model_validate(
        {"type": type_, "name": "store", "timeout": "5s", **settings}
    )


@contextmanager
def redis(folder: Path, certificate: Certificate) -> Iterator[dict[str, Any]]:
    files = ("--tls-cert-file", str(certificate.file), "--tls-key-file", str(certificate.key_file))
    with redis_server(folder, *files, "--tls-auth-clients", "no", "--tls-ca-cert-file", str(folder / "ca.pem")) as port:
        yield {"type_": "redis", "url": f"rediss://HOST:{port}"}


@contextmanager
def nats(folder: Path, certificate: Certificate) -> Iterator[dict[str, Any]]:
    with nats_server(
        folder, "--tls", "--tlscert", str(certificate.file), "--tlskey", str(certificate.key_file)
    ) as port:
        yield {"type_": "nats", "url": f"tls://HOST:{port}"}


@contextmanager
def nats_that_asks_for_it(folder: Path, certificate: Certificate) -> Iterator[dict[str, Any]]:
    with nats(folder, certificate) as settings:
        yield settings | {"url": settings["url"].replace("tls:", "nats:")}


@contextmanager
def postgres(_: Path, certificate: Certificate) -> Iterator[dict[str, Any]]:
    with postgres_server(password=PASSWORD, certificate=certificate) as running:
        base = {"type_": "postgres", "host": "HOST", "port": running.port, "password": PASSWORD}
        yield base | {"sslmode": "verify-full"}


@pytest.mark.parametrize("server", [redis, nats, nats_that_asks_for_it, postgres])
async def test_who_is_on_the_other_side(tmp_path, monkeypatch, server):
    """A server whose certificate is good for the name is well; one for another name is not, nor one of a stranger's."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    certificate = Certificate.make(tmp_path, "leaf", issuer=ca, names=["localhost"])
    with server(tmp_path, certificate) as settings:
        here, there = (
            {k: str(v).replace("HOST", host) for k, v in settings.items()} for host in ("localhost", "127.0.0.1")
        )
        stranger = await look(check(**here))
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.file))
        good = await look(check(**here))
        other = await look(check(**there))

    at = f"localhost:{settings.get('port') or settings['url'].rpartition(':')[2]}"
    assert good.result.ok, good.message
    assert good.value(PROBE_CERT_EXPIRY) == certificate.certificate.not_valid_after_utc.timestamp()
    assert "tls" in {labels["phase"] for labels, _ in good.values(PROBE_PHASE)}
    assert stranger.message.startswith(f"the certificate of {at} is not accepted: ")
    assert other.message.endswith("IP address mismatch, certificate is not valid for '127.0.0.1'")
    assert (stranger.error_type, other.error_type) == ("tls", "tls")


@pytest.mark.parametrize("server", [redis, nats])
async def test_the_network_of_a_check(tmp_path, server):
    """Whom to trust, under which name and where to connect are settings of the network."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    certificate = Certificate.make(tmp_path, "leaf", issuer=ca, names=["store.internal", "other.internal"])
    with server(tmp_path, certificate) as settings:
        there = check(**{key: str(value).replace("HOST", "store.internal") for key, value in settings.items()})
        good = await look(there, Network(ca_file=str(ca.file), resolve_to="127.0.0.1"))
        other = await look(there, Network(ca_file=str(ca.file), resolve_to="127.0.0.1", server_name="other.internal"))
        wrong = await look(there, Network(ca_file=str(ca.file), resolve_to="127.0.0.1", server_name="else.internal"))
        anybody = await look(there, Network(resolve_to="127.0.0.1", verify=False))
        nowhere = await look(there, Network(resolve_to="127.0.0.1", ip_version="6"))

    assert [one.error_type for one in (good, other, wrong, anybody, nowhere)] == ["", "", "tls", "", "dns"]
    assert "certificate is not valid for 'else.internal'" in wrong.message
    assert nowhere.message == "the name 127.0.0.1 does not resolve over IPv6"


async def test_certificates_that_cannot_be_read_any_more(tmp_path):
    """A file of the network that is gone at run time is told by its setting."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    network = Network(ca_file=str(ca.file))
    with redis(tmp_path, Certificate.make(tmp_path, "leaf", issuer=ca, names=["localhost"])) as settings:
        ca.file.unlink()
        probed = await look(check(**settings | {"url": settings["url"].replace("HOST", "localhost")}), network)

    assert probed.error_type == "tls"
    assert probed.message.startswith("`ca_file` /")


async def test_the_modes_of_postgres(tmp_path, monkeypatch):
    """As libpq has it: only verify-… looks at the certificate, and only verify-full at its name."""
    ca = Certificate.make(tmp_path, "ca", authority=True)
    certificate = Certificate.make(tmp_path, "leaf", issuer=ca, names=["other.example"])
    with postgres(tmp_path, certificate) as settings:
        settings["host"] = "127.0.0.1"
        strange = {
            mode: (await look(check(**settings | {"sslmode": mode}))).error_type
            for mode in ("disable", "prefer", "require", "verify-ca", "verify-full")
        }
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.file))
        known = {
            mode: (await look(check(**settings | {"sslmode": mode}))).error_type
            for mode in ("verify-ca", "verify-full")
        }

    assert strange == {"disable": "", "prefer": "", "require": "", "verify-ca": "tls", "verify-full": "tls"}
    assert known == {"verify-ca": "", "verify-full": "tls"}

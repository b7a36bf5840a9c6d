"""Certificates made for one test, by an authority of its own."""

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, with the files that hold them; who issued it comes behind it in the file."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path
    key_file: Path

    @classmethod
    def make(
        cls,
        folder: Path,
        name: str,
        *,
        issuer: "Certificate | None" = None,
        names: Sequence[str] = (),
        begins: timedelta = -DAY,
        ends: timedelta = 90 * DAY,
        authority: bool = False,
        chain: bool = False,
    ) -> Self:
        """One for *names*, DNS or IP; without *issuer* self-signed; *chain*: its file holds the issuer's, too."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC).replace(microsecond=0)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        made = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
        pem = made.public_bytes(serialization.Encoding.PEM)
        file.write_bytes(pem + (issuer.file.read_bytes() if issuer and chain else b""))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        key_file.chmod(0o600)
        return cls(made, key, file, key_file)

    def server(self) -> ssl.SSLContext:
        """A server's side of TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key_file)
        return context


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

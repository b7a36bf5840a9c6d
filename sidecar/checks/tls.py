"""Whether a server's certificate is accepted, and for how long yet."""

import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address, HostPort
from sidecar.checks._http import quoted
from sidecar.checks._net import Stream, dial, quiet, server_name, start_tls, translated, trust
from sidecar.model.families import PROBE_CERT_EXPIRY
from sidecar.network import Network

if TYPE_CHECKING:
    from cryptography import x509

DAY: Final = 86400.0
_DER: Final = 2  # of the module behind `ssl`, which gives certificates as objects
_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

# What OpenSSL says of a certificate: https://docs.openssl.org/3.0/man1/openssl-verification-options
_NOT_YET, _EXPIRED, _SELF_SIGNED, _SELF_SIGNED_ROOT, _NO_ISSUER, _ALONE, _NAME, _IP = 9, 10, 18, 19, 20, 21, 62, 64


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the server showed."""

    chain: "tuple[x509.Certificate, ...]"
    version: str

    @property
    def leaf(self) -> "x509.Certificate":
        return self.chain[0]

    @property
    def ends(self) -> float:
        """When the first of the chain expires, in seconds since the epoch."""
        return min(one.not_valid_after_utc.timestamp() for one in self.chain)


class TlsCheck(Check):
    """Looks at the certificates that a server shows, also at those that do not verify."""

    type: Literal["tls"] = "tls"
    address: HostPort = Field(description="The host and the port to connect to.", examples=["gateway:443"])
    min_days: float = Field(14, description="Days for which every certificate of the chain has to be good yet.", ge=0)
    verify: bool = Field(
        True,
        description="Whether the certificate has to be accepted: name, dates and who issued it; without, only the "
        "dates are judged.",
    )
    min_version: Literal["1.2", "1.3"] = Field(
        "1.2", description="The least version of TLS that the server may choose."
    )
    issuer: str = Field(
        "", description="A text that the name of the certificate's issuer has to hold.", examples=["Let's Encrypt"]
    )
    starttls: Literal["smtp", "imap", "pop3", "ftp", "postgres"] | None = Field(
        None, description="The protocol in which TLS is asked for; without it TLS begins at once.", examples=["smtp"]
    )

    @property
    def target(self) -> str:
        return f"tls://{self.address}"

    async def probe(self, ctx: ProbeContext) -> None:
        at = Address.parse(self.address)
        shown, refused = await self._shown(ctx, at)
        ctx.record(PROBE_CERT_EXPIRY, shown.ends)
        ctx.note(tls_version=shown.version, **_facts(shown.leaf))
        now = ctx.clock.time()
        if refused is not None:
            raise CheckFailed("tls", _why(refused, shown, at, server_name(ctx, at), now))
        self._judge(shown, at, now)

    async def _shown(self, ctx: ProbeContext, at: Address) -> tuple[_Shown, ssl.SSLCertVerificationError | None]:
        """The certificates, and why they are not accepted."""
        refused = None
        if self.verify:
            try:
                return await self._look(ctx, at, trust(ctx)), None
            except CheckFailed as exc:
                if not isinstance(exc.__cause__, ssl.SSLCertVerificationError):
                    raise
                refused = exc.__cause__
        # What is not accepted is not shown by OpenSSL either, so it is looked at once more without judging.
        return await self._look(quiet(ctx) if refused else ctx, at, None), refused

    async def _look(self, ctx: ProbeContext, at: Address, context: ssl.SSLContext | None) -> _Shown:
        async with dial(ctx, at) as stream:
            if self.starttls:
                with translated(str(at), self.starttls.upper()):
                    await _ask_for_tls(stream, at, self.starttls)
            await start_tls(ctx, stream, at, context=context or _lenient(ctx.outbound.network))
            tls = stream.tls
            if tls is None:
                raise CheckFailed("tls", f"{at} hung up in the middle of the TLS handshake")
            try:
                return _Shown(_chain(tls, verified=context is not None), tls.version() or "unknown")
            except ValueError as exc:
                raise CheckFailed("tls", f"{at} shows a certificate that cannot be read") from exc

    def _judge(self, shown: _Shown, at: Address, now: float) -> None:
        if shown.version in _VERSIONS and shown.version < f"TLSv{self.min_version}":
            raise CheckFailed("tls", f"{at} chose {shown.version}, expected at least TLSv{self.min_version}")
        if complaint := _dates(shown, at, now):
            raise CheckFailed("tls", complaint)
        days = (shown.ends - now) / DAY
        if days < self.min_days:
            left = f"{_whose(shown, at)} expires in {_days(days)}, on {_date(shown.ends)}"
            raise CheckFailed("assertion", f"{left}, expected {self.min_days:g} days or more")
        issuer = shown.leaf.issuer.rfc4514_string()
        if self.issuer not in issuer:
            raise CheckFailed(
                "assertion", f"the certificate of {at} is by {quoted(issuer)!r}, expected {self.issuer!r}"
            )


# What is said until TLS begins: texts to send, and how the answer begins.
_TALKS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "smtp": (("", "220 "), ("EHLO claude-sidecar", "250 "), ("STARTTLS", "220 ")),
    "imap": (("", "* OK"), ("a STARTTLS", "a OK")),
    "pop3": (("", "+OK"), ("STLS", "+OK")),
    "ftp": (("", "220 "), ("AUTH TLS", "234 ")),
}


async def _ask_for_tls(stream: Stream, at: Address, protocol: str) -> None:
    if protocol == "postgres":
        stream.writer.write(struct.pack("!ii", 8, 80877103))
        if await stream.reader.readexactly(1) != b"S":
            raise CheckFailed("tls", f"{at} offers no TLS")
        return
    for text, expected in _TALKS[protocol]:
        if text:
            stream.writer.write(f"{text}\r\n".encode())
        while True:
            line = (await stream.reader.readuntil(b"\n")).decode("utf-8", "replace")
            if line.startswith(expected) or f"{line.strip()} " == expected:
                break
            if not line.startswith((expected.replace(" ", "-"), "* ")):  # more of the same answer follows
                to = f" to {text}" if text else ""
                raise CheckFailed("tls", f"{at} answered {quoted(line)!r}{to}, expected {expected.strip()!r}")


def _lenient(network: Network) -> ssl.SSLContext:
    """Takes whatever a server shows, old versions too: it is looked at, and nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    if network.client_cert:
        with suppress(OSError, ValueError):  # without it we may still see enough
            context.load_cert_chain(network.client_cert, network.client_key or None, password="")
    return context


def _chain(tls: ssl.SSLObject, *, verified: bool) -> "tuple[x509.Certificate, ...]":
    """The certificates, the server's first; as they were verified, or as they were sent. Raises ValueError."""
    from cryptography import x509

    which = "get_verified_chain" if verified else "get_unverified_chain"
    # Public from Python 3.13 on, and bytes; before, the object behind it has them, as objects.
    ask = getattr(tls, which, None) or getattr(tls._sslobj, which)  # type: ignore[attr-defined]  # noqa: SLF001 -- see above
    ders = [one if isinstance(one, bytes) else one.public_bytes(_DER) for one in ask() or ()]
    if not ders:
        raise ValueError("no certificate")
    return tuple(x509.load_der_x509_certificate(der) for der in ders)


def _names(certificate: "x509.Certificate") -> list[str]:
    """The names that *certificate* is good for."""
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [str(one.value) for one in found if isinstance(one, x509.DNSName | x509.IPAddress)]


def _facts(certificate: "x509.Certificate") -> dict[str, str]:
    return {
        "subject": quoted(certificate.subject.rfc4514_string()),
        "issuer": quoted(certificate.issuer.rfc4514_string()),
        "names": quoted(", ".join(_names(certificate))),
        "expires": certificate.not_valid_after_utc.isoformat(),
    }


def _whose(shown: _Shown, at: Address) -> str:
    """The certificate that ends first, in words."""
    first = min(shown.chain, key=lambda one: one.not_valid_after_utc)
    if first is shown.leaf:
        return f"the certificate of {at}"
    return f"a certificate in the chain of {at}, {quoted(first.subject.rfc4514_string())!r},"


def _dates(shown: _Shown, at: Address, now: float) -> str:
    """What is wrong with the dates, or nothing."""
    begins = shown.leaf.not_valid_before_utc.timestamp()
    if now < begins:
        return f"the certificate of {at} is not good before {_date(begins)}"
    if shown.ends <= now:
        return f"{_whose(shown, at)} expired {_days((now - shown.ends) / DAY)} ago, on {_date(shown.ends)}"
    return ""


def _why(refused: ssl.SSLCertVerificationError, shown: _Shown, at: Address, name: str, now: float) -> str:
    """Why OpenSSL does not accept the certificate, precisely."""
    whose = f"the certificate of {at}"
    code, issuer = refused.verify_code, quoted(shown.chain[-1].issuer.rfc4514_string())
    if code in (_EXPIRED, _NOT_YET) and (said := _dates(shown, at, now)):
        return said
    if code in (_NAME, _IP):
        names = quoted(", ".join(_names(shown.leaf))) or "nobody"
        return f"{whose} is for {names}, expected {name}"
    if code == _SELF_SIGNED:
        return f"{whose} is self-signed, expected one from an authority that we trust"
    if code in (_SELF_SIGNED_ROOT, _NO_ISSUER, _ALONE):
        alone = "" if len(shown.chain) > 1 else "; perhaps the server does not send the certificates in between"
        return f"{whose} was issued by {issuer!r}, whom we do not trust{alone}"
    return f"{whose} is not accepted: {quoted(refused.verify_message)}"


def _date(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def _days(days: float) -> str:
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"

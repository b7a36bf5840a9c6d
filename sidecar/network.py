"""How a connection leaves this machine: through which proxy, to which address, and whom TLS trusts."""

import os
import socket
import ssl
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit
from urllib.request import getproxies

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from yarl import URL

from sidecar.model.errors import SidecarError
from sidecar.secrets import Secret

DIRECT: Final = "none"
"""The word for `proxy` that asks for no proxy, whatever the environment names."""

_FAMILIES: Final = {"any": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}
_KEPT: Final = 64  # contexts; each holds certificates of a hundred kilobytes and more

Stamp = tuple[int, int, int] | None


class NetworkError(SidecarError):
    """Certificates or a key that cannot be read now; names the setting and the file."""


def _quiet(value: Any) -> Any:
    """A proxy without credentials is hidden like others, but its words stay readable elsewhere."""
    return Secret(value, known=False) if isinstance(value, str) and value and "@" not in value else value


def _proxy(secret: Secret) -> Secret:
    if secret.at_hand and (text := secret.reveal()) != DIRECT:
        parsed_proxy(text)
    return secret


def parsed_proxy(text: str) -> URL:
    """The proxy at *text*, http://host:port; raises ValueError without repeating it."""
    try:
        url = URL(text if "://" in text else f"http://{text}")
        usable = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("this is no proxy that we speak with, expected http://host:port or none")
    return url


def _pattern(text: str) -> str:
    if not text or any(c.isspace() or c == "," for c in text) or "://" in text:
        raise ValueError(f"got {text!r}, expected a name, .suffix, address or network such as 10.0.0.0/8")
    if "/" in text:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"got {text!r}, expected a network such as 10.0.0.0/8 or fd00::/8") from None
    return text


def _place(text: str) -> str:
    if text:
        _split(text)
    return text


def _split(text: str) -> tuple[str, int | None]:
    """Host and port of *text*, which may be a bare address of IPv6."""
    try:
        return str(ip_address(text)), None
    except ValueError:
        pass
    advice = f"got {text!r}, expected an address or name, with or without a port, such as 10.0.0.7 or [::1]:8443"
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(advice) from None
    if not host or parts.netloc != text or "@" in text or port == 0 or any(c.isspace() for c in text):
        raise ValueError(advice)
    return host, port


def _word(value: Any) -> Any:
    """YAML reads 4 as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Network(BaseModel):
    """How connections are made; what is not said here is as at the file's top level."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    proxy: Annotated[Secret, BeforeValidator(_quiet), AfterValidator(_proxy)] | None = Field(
        None,
        description="Proxy for HTTP as http://user:password@host:port, shown nowhere; `none` for no proxy; without "
        "it, the one that the environment names. This machine itself is always asked directly.",
        examples=["http://proxy.example:3128"],
    )
    no_proxy: tuple[Annotated[str, AfterValidator(_pattern)], ...] = Field(
        (),
        description="Who is asked without a proxy: names with all below them, .suffixes, addresses and networks, with "
        "or without a port. What the environment excepts stays excepted from the environment's proxy.",
        examples=[["gateway.internal", ".svc", "10.0.0.0/8"]],
    )
    ca_file: str = Field(
        "",
        description="Certificates to trust instead of the system's, in PEM form; read again when they change.",
        examples=["/etc/ssl/company-ca.pem"],
    )
    client_cert: str = Field(
        "",
        description="File of the certificate that we show, in PEM form; read again when it changes.",
        examples=["/run/secrets/client.pem"],
    )
    client_key: str = Field(
        "", description="File of its key, when that is not in the certificate's.", examples=["/run/secrets/client.key"]
    )
    server_name: str = Field(
        "",
        description="Name that is asked for in TLS, and that the certificate has to have, instead of the host.",
        examples=["gateway.example"],
    )
    resolve_to: Annotated[str, AfterValidator(_place)] = Field(
        "",
        description="Where to connect instead of the host, directly; what is asked for there stays the same.",
        examples=["10.0.0.7", "10.0.0.7:8443"],
    )
    ip_version: Annotated[Literal["any", "4", "6"], BeforeValidator(_word)] = Field(
        "any", description="Over which version of IP."
    )
    verify: bool = Field(True, description="Whether certificates are verified; without, anybody can be the other end.")

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.client_key and not self.client_cert:
            raise ValueError("has `client_key` without `client_cert`, expected both")
        if self.ca_file or self.client_cert:
            try:
                self.ssl_context()
            except NetworkError as exc:
                raise ValueError(str(exc)) from None
        return self

    def over(self, base: "Network") -> "Network":
        """This one, with what it does not say as *base* has it."""
        own = {key: getattr(self, key) for key in self.model_fields_set}
        if "client_cert" in own:
            own.setdefault("client_key", "")  # a key belongs to its certificate
        return base.model_copy(update=own)

    @property
    def says_whom_to_trust(self) -> bool:
        """Whether a TLS context of its own is needed."""
        return bool(self.ca_file or self.client_cert or not self.verify)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is legal here, and worth a second thought."""
        return () if self.verify else ("certificates are not verified (`verify: false`): anybody can be the other end",)

    @property
    def family(self) -> socket.AddressFamily:
        """Of addresses, for sockets."""
        return _FAMILIES[self.ip_version]

    def address(self, host: str, port: int) -> tuple[str, int]:
        """Where to connect for *host* and *port*."""
        if not self.resolve_to:
            return host, port
        instead, other = _split(self.resolve_to)
        return instead, other or port

    def ssl_context(self) -> ssl.SSLContext:
        """Whom TLS trusts and what we show; shared by all that say the same, new when a file has changed.

        Raises NetworkError.
        """
        authorities = self.ca_file or os.environ.get("SSL_CERT_FILE", "")
        files = (authorities, self.client_cert, self.client_key)
        key = (*files, os.environ.get("SSL_CERT_DIR", ""), bool(self.ca_file), self.verify)
        stamps = tuple(_stamp(file) for file in files)
        found = _contexts.get(key)
        if found is None or found[0] != stamps:
            while len(_contexts) >= _KEPT:
                del _contexts[next(iter(_contexts))]
            found = _contexts[key] = (stamps, self._made())
        return found[1]

    def _made(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ValueError) as exc:
            raise NetworkError(f"`ca_file` {self.ca_file} {_why(exc)}, expected certificates in PEM form") from exc
        # Python 3.13 began to refuse certificates for their form, such as an own CA's without an Authority Key
        # Identifier. curl, Go and older Pythons take them, and what clients take is not down.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert:
            files = f"`client_cert` {self.client_cert}" + (
                f" with `client_key` {self.client_key}" * bool(self.client_key)
            )
            try:
                # Without a password OpenSSL would ask on the terminal for one.
                context.load_cert_chain(self.client_cert, self.client_key or None, password="")
            except (OSError, ValueError) as exc:
                advice = "expected a certificate in PEM form and its key, without a password"
                raise NetworkError(f"{files} {_why(exc)}, {advice}") from exc
        return context

    def proxy_for(self, url: URL) -> URL | None:
        """The proxy for *url*, with its credentials; raises ValueError when what is named is none.

        Raises SecretError when it stands in a file that cannot be read.
        """
        host, port = url.host, url.port or 0
        if host is None or self.resolve_to or excepts(self.no_proxy, host, port):
            return None
        if self.proxy is not None:
            text = self.proxy.reveal()
            return None if text == DIRECT or _is_own(host) else parsed_proxy(text)
        named = getproxies()
        text = named.get(url.scheme) or named.get("all", "")
        if not text or excepts(tuple(one.strip() for one in named.get("no", "").split(",")), host, port):
            return None
        return URL(text if "://" in text else f"http://{text}")


_contexts: dict[tuple[Any, ...], tuple[tuple[Stamp, ...], ssl.SSLContext]] = {}


def excepts(patterns: tuple[str, ...], host: str, port: int) -> bool:
    """Whether one of *patterns*, as in `no_proxy`, means *host* and *port*."""
    host = host.rstrip(".").lower()
    address = _ip(host)
    return any(_means(pattern.lower(), host, address, port) for pattern in patterns if pattern)


def _means(pattern: str, host: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
    if pattern == "*":
        return True
    if "/" in pattern:
        try:
            return address is not None and address in ip_network(pattern, strict=False)
        except ValueError:
            return False  # the environment's; nobody checked it
    try:
        name, its = _split(pattern.removeprefix("*"))
    except ValueError:
        return False
    if its is not None and its != port:
        return False
    if (excepted := _ip(name)) is not None:
        return address == excepted
    name = name.rstrip(".")
    return host.endswith(name if name.startswith(".") else f".{name}") or host == name.removeprefix(".")


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_own(host: str) -> bool:
    """Whether *host* is this machine to itself, which no proxy reaches."""
    address = _ip(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def _stamp(file: str) -> Stamp:
    """What changes when *file* does; follows Kubernetes' symlinks, so a swapped volume is seen."""
    try:
        status = Path(file).stat() if file else None
    except OSError:
        return None  # whoever reads it says why
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None


def _why(exc: OSError | ValueError) -> str:
    if isinstance(exc, ssl.SSLError) or not isinstance(exc, OSError):
        said = getattr(exc, "reason", None) or "not in PEM form"
        return f"cannot be used ({str(said).lower().replace('_', ' ')})"
    return f"cannot be read ({os.strerror(exc.errno).lower() if exc.errno else 'unreadable'})"

"""Addresses in settings of checks that speak no HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

from sidecar.model import addresses as model


@dataclass(frozen=True, slots=True)
class Address(model.Address):
    """Where a check dials."""

    @classmethod
    def parse(cls, text: str, default: int = 0) -> Self:
        """What *text*, `host:port` or `[::1]:port`, names; raises ValueError without repeating it."""
        advice = "expected host:port, such as db:5432 or [::1]:5432"
        if "@" in text or "/" in text or any(c.isspace() for c in text):
            raise ValueError(f"this is no address, {advice}")
        try:
            parts = urlsplit(f"//{text}")
            host, port = parts.hostname or "", parts.port or default
        except ValueError:
            host, port = "", 0
        if not host or not port:
            raise ValueError(f"this is no address with a host and a port, {advice}")
        return cls(host, port)


def address_text(text: str) -> str:
    """A validator for settings that are `host:port`."""
    Address.parse(text)
    return text


HostPort = Annotated[str, AfterValidator(address_text)]
"""A text such as db:5432 or [::1]:5432."""


def server_url(ports: Mapping[str, int], example: str) -> Callable[[str], str]:
    """A validator for URLs of *ports*' schemes, without credentials and options; what is refused is not shown."""

    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            usable = parts.scheme in ports and bool(parts.path if parts.scheme == "unix" else parts.hostname)
            usable = usable and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if not usable or any(c.isspace() or ord(c) < 0x20 for c in text):
            raise ValueError(f"this is no address for this check, expected one such as {example}")
        if "@" in parts.netloc:
            raise ValueError("the URL holds a user name or password, which would be shown; use `username`, `password`")
        if parts.query or parts.fragment:
            raise ValueError(f"the URL has options behind a ? or #, expected none, as in {example}")
        return text

    return check


def url_address(url: str, ports: Mapping[str, int]) -> Address:
    """Where *url*, which was checked, leads."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return Address("", path=unquote(parts.path))
    return Address(parts.hostname or "", parts.port or ports[parts.scheme])

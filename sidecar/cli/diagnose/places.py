"""Whom a configuration calls."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel
from yarl import URL

from sidecar.checks import Check
from sidecar.network import Network
from sidecar.secrets import Secret, SecretError

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A host and a port; with http or https it is asked, otherwise only reached."""

    host: str
    port: int
    scheme: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}" if self.scheme else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Way:
    """A place, and how it is reached."""

    place: Place
    network: Network
    names: tuple[str, ...]  # of the checks and channels that go there so

    def proxy(self) -> URL | None:
        """The proxy in between, without its credentials; raises ValueError or SecretError."""
        found = self.network.proxy_for(URL(str(self.place))) if self.place.scheme else None
        if found is not None and (found.scheme not in _PORTS or not found.host):
            raise ValueError("the proxy's address is neither http nor https")
        return found.with_user(None) if found else None

    def door(self) -> Place:
        """Where the connection really goes; raises as `proxy` does."""
        proxy = self.proxy()
        if proxy is not None:
            return Place(proxy.host or "", proxy.port or _PORTS["http"])
        return Place(*self.network.address(self.place.host, self.place.port))


def ways(parts: Iterable[BaseModel], base: Network) -> list[Way]:
    """Every way that a check or a channel goes, those alike together."""
    found: dict[tuple[Place, str], tuple[Network, list[str]]] = {}
    for part in parts:
        own = getattr(part, "network", None)
        network = own.over(base) if isinstance(own, Network) else base
        for place in dict.fromkeys(_of(part)):
            _, names = found.setdefault((place, repr(network)), (network, []))
            names.append(str(getattr(part, "name", "")))
    return [Way(place, network, tuple(names)) for (place, _), (network, names) in sorted(found.items(), key=_key)]


def _key(item: tuple[tuple[Place, str], object]) -> tuple[Place, str]:
    return item[0]


def secrets(part: BaseModel) -> Iterator[tuple[str, Secret]]:
    """Every secret of *part*, with the path of its field."""
    for name in type(part).model_fields:
        yield from _secrets(name, getattr(part, name))


def _secrets(path: str, value: Any) -> Iterator[tuple[str, Secret]]:
    match value:
        case Secret():
            yield path, value
        case BaseModel():
            for name, secret in secrets(value):
                yield f"{path}.{name}", secret
        case dict():
            for name, each in value.items():
                yield from _secrets(f"{path}.{name}", each)
        case list() | tuple():
            for n, each in enumerate(value):
                yield from _secrets(f"{path}[{n}]", each)


def _of(part: BaseModel) -> Iterator[Place]:
    for name in type(part).model_fields:
        place = _place(_text(getattr(part, name)))
        if place is not None:
            yield place
    host, port = getattr(part, "host", None), getattr(part, "port", None)
    if isinstance(host, str) and isinstance(port, int):
        yield Place(host, port)
    elif isinstance(part, Check) and "://" not in part.target:
        place = _bare(part.target)
        if place is not None:
            yield place


def _text(value: Any) -> str:
    if isinstance(value, Secret):
        try:
            return value.reveal()
        except SecretError:
            return ""  # told where secrets are examined
    return value if isinstance(value, str) else ""


def _place(text: str) -> Place | None:
    """The place of a web address; anything else is none."""
    if not text.startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(text)
        return Place(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme) if parts.hostname else None
    except ValueError:
        return None


def _bare(text: str) -> Place | None:
    try:
        parts = urlsplit(f"//{text}")
        return Place(parts.hostname, parts.port) if parts.hostname and parts.port else None
    except ValueError:
        return None

"""Where a server listens."""

import errno
import socket
import stat
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from sidecar.model import addresses as model
from sidecar.model.errors import SidecarError


class ListenError(SidecarError, ValueError):
    """An address that cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Address(model.Address):
    """Where the daemon listens."""

    @property
    def private(self) -> bool:
        """Whether only this machine can reach it."""
        return bool(self.path) or is_loopback(self.host)


def parse(text: str) -> Address:
    """The address in *text*: `host:port`, `[::1]:port`, `:port` for every IPv4 interface, or a path (it has a `/`)."""
    if text.startswith("unix:") or "/" in text:
        path = text.removeprefix("unix:")
        if path:
            return Address(path=path)
    else:
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        bracketed = bare != host
        if colon and port.isascii() and port.isdigit() and int(port) < 65536 and bracketed == (":" in bare):
            return Address(bare or "0.0.0.0", int(port))  # noqa: S104 -- asked for; `private` says what that means
    raise ListenError(f"got the address {text!r}, expected host:port such as '127.0.0.1:9797', or a socket's path")


def guarded(text: str, *, token: bool) -> Address:
    """The address in *text*, where everything is served; ListenError if others reach it and no *token* is asked for."""
    address = parse(text)
    if not token and not address.private:
        raise ListenError(
            f"got http.listen {address}, which other machines can reach, and no http.token; expected the token, "
            "or 127.0.0.1, with http.public for /metrics and /health"
        )
    return address


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine by its very name."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def unix_socket(path: str) -> socket.socket:
    """A socket bound to *path*, which only this user and group may use.

    A path left behind by a dead process is reused; one that somebody listens on, or that is no socket, is not.
    """
    place = Path(path)
    if place.exists() or place.is_symlink():
        if not stat.S_ISSOCK(place.lstat().st_mode):
            raise ListenError(f"cannot listen on {path}: there is a file that is no socket; remove it")
        if _answers(path):
            raise ListenError(f"cannot listen on {path}: another process does; stop it or change the address")
        place.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(path)
        place.chmod(0o660)  # before anybody can connect: it does not listen yet
    except OSError as exc:
        bound.close()
        raise ListenError(f"cannot listen on {path}: {exc.strerror or exc}") from exc
    return bound


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        # Whoever is too busy to take a connection is there all the same.
        return probe.connect_ex(path) not in (errno.ECONNREFUSED, errno.ENOENT)


def forget(path: str) -> None:
    """Remove the path of a socket that was ours."""
    Path(path).unlink(missing_ok=True)

import socket
import stat
from contextlib import ExitStack

import pytest

from sidecar.services.addresses import Address, ListenError, forget, parse, unix_socket


@pytest.mark.parametrize(
    ("text", "address", "private"),
    [
        pytest.param("127.0.0.1:9797", Address("127.0.0.1", 9797), True, id="loopback"),
        pytest.param("127.8.8.8:1", Address("127.8.8.8", 1), True, id="all of 127"),
        pytest.param("localhost:0", Address("localhost", 0), True, id="localhost"),
        pytest.param("[::1]:9797", Address("::1", 9797), True, id="loopback of IPv6"),
        pytest.param(":9797", Address("0.0.0.0", 9797), False, id="every interface"),
        pytest.param("0.0.0.0:9797", Address("0.0.0.0", 9797), False, id="every interface, spelt out"),
        pytest.param("[::]:9797", Address("::", 9797), False, id="every interface of IPv6"),
        pytest.param("10.0.0.1:80", Address("10.0.0.1", 80), False, id="an address"),
        pytest.param("localhost.evil.com:80", Address("localhost.evil.com", 80), False, id="a name"),
        pytest.param("/run/sidecar.sock", Address(path="/run/sidecar.sock"), True, id="a path"),
        pytest.param("unix:sidecar.sock", Address(path="sidecar.sock"), True, id="a path, said to be one"),
    ],
)
def test_addresses(text, address, private):
    """An address is read as people write it, and who can reach it is known."""
    assert parse(text) == address
    assert address.private is private
    assert parse(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "9797", "localhost", "a:b", "a:99999", "a:-1", "::1:9797", "[a]:1", "unix:", "a:²"]
)
def test_what_is_no_address(text):
    """The error names what was found and what was expected."""
    with pytest.raises(ListenError, match=r"expected host:port such as '127\.0\.0\.1:9797'"):
        parse(text)


def test_a_socket_is_for_its_user_and_group(tmp_path):
    """The path of a Unix socket is closed to others before anybody can connect."""
    place = tmp_path / "s"
    with unix_socket(str(place)):
        assert stat.S_IMODE(place.stat().st_mode) == 0o660
    forget(str(place))
    forget(str(place))

    assert not place.exists()


def test_a_dead_socket_is_reused(tmp_path):
    """A path that a dead process left behind is no obstacle."""
    path = str(tmp_path / "s")
    unix_socket(path).close()

    unix_socket(path).close()


def test_a_living_socket_is_not(tmp_path):
    """Another process that listens is not pushed aside."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        with pytest.raises(ListenError, match="another process does"):
            unix_socket(path)


def test_a_busy_socket_is_not_dead(tmp_path):
    """Another process that is too busy to take one more connection is not pushed aside either."""
    path = str(tmp_path / "s")
    with ExitStack() as stack:
        other = stack.enter_context(socket.socket(socket.AF_UNIX))
        other.bind(path)
        other.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            waiting.connect_ex(path)

        with pytest.raises(ListenError, match="another process does"):
            unix_socket(path)


def test_no_file_is_overwritten(tmp_path):
    """A path that is no socket stays as it is."""
    place = tmp_path / "s"
    place.write_text("precious")
    with pytest.raises(ListenError, match="no socket"):
        unix_socket(str(place))

    assert place.read_text() == "precious"


def test_a_path_that_cannot_be(tmp_path):
    """A folder that is missing is named."""
    with pytest.raises(ListenError, match="No such file"):
        unix_socket(str(tmp_path / "nowhere" / "s"))

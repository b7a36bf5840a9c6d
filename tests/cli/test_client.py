"""How commands reach a daemon, and what they say when they do not."""

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sidecar.cli import times
from tests.certificates import Certificate


@contextmanager
def peer(answer: bytes):
    """Somebody on loopback who answers every connection with the same bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def http(status: str, body: str, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(
            http("200 OK", "<html>Grafana</html>", "text/html"), "expected the JSON of a sidecar", id="a page"
        ),
        pytest.param(http("200 OK", '{"status": "fine"}'), "is no sidecar of this version", id="other JSON"),
        pytest.param(http("401 Unauthorized", "{}"), "the daemon wants its token", id="no token"),
        pytest.param(
            http("400 Bad Request", '{"status":"error","errorType":"bad_data","error":"got x, expected y"}'),
            "the daemon says: got x, expected y",
            id="the daemon's own word",
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP", id="another protocol"),
    ],
)
def test_whoever_answers_is_told_apart(sidecar, answer, message):
    """A stranger, an older daemon, one that wants a token: each has its sentence, and the exit code is 2."""
    with peer(answer) as url:
        said = sidecar("status", "--url", url)

    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param(
            "http://127.0.0.1:1", "no daemon at http://127.0.0.1:1: connection refused; is it running?", id="tcp"
        ),
        pytest.param("unix:///nowhere/at/all", "no daemon at unix:///nowhere/at/all: no such file", id="a socket"),
        pytest.param("ftp://host", "expected http://host:port or unix:///path", id="another scheme"),
        pytest.param("http://127.0.0.1:99999", "ort", id="no port"),
        pytest.param("http://me:pw@127.0.0.1:1", "got a user name or a password in it", id="a password"),
    ],
)
def test_nobody_answers(sidecar, url, message):
    """Without a daemon the message says where it was looked for and what to do."""
    said = sidecar("query", "up", "--url", url)

    assert said.code == 2
    assert message in said.err
    assert "pw@" not in said.err


def test_a_daemon_behind_a_proxy_has_a_path(sidecar):
    """What stands before our paths in the URL stays there."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                seen.append(connection.recv(65536))
                connection.sendall(http("200 OK", '{"status":"success","data":{"resultType":"vector","result":[]}}'))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        said = sidecar("query", "up", "--url", f"http://127.0.0.1:{server.getsockname()[1]}/sidecar/")
        thread.join(5)

    assert seen[0].startswith(b"GET /sidecar/api/v1/query?query=up ")
    assert said.code == 1


@pytest.mark.realtime
def test_a_certificate_that_nobody_trusts(sidecar, tmp_path):
    """The message says what is wrong with it, and how to trust who issued it."""
    certificate = Certificate.make(tmp_path, "own", names=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key_file)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        said = sidecar("status", "--url", f"https://127.0.0.1:{server.getsockname()[1]}")
        thread.join(5)

    assert said.code == 2
    assert "its certificate is not trusted: self-signed certificate; SSL_CERT_FILE" in said.err


def test_the_token_is_sent_and_not_shown(sidecar, tmp_path, monkeypatch):
    """The token comes from an option, the environment or a file; no message holds it."""
    file = tmp_path / "token"
    file.write_text("planted-token\n")
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                seen.append(connection.recv(65536))
                connection.sendall(http("401 Unauthorized", "{}"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        said = sidecar("status", "--url", f"http://127.0.0.1:{server.getsockname()[1]}", "--token-file", file)
        thread.join(5)

    assert b"Authorization: Bearer planted-token" in seen[0]
    assert "the token is not the daemon's" in said.err
    assert "planted-token" not in said.out + said.err
    assert "cannot be read" in sidecar("status", "--token-file", tmp_path / "none").err


BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 5, 1, 10, 0, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("09:40", datetime(2026, 5, 1, 9, 40, tzinfo=BERLIN), id="earlier today"),
        pytest.param("23:10:05", datetime(2026, 4, 30, 23, 10, 5, tzinfo=BERLIN), id="yesterday, since it is not yet"),
        pytest.param("10m", datetime(2026, 5, 1, 9, 50, tzinfo=BERLIN), id="ago"),
        pytest.param("10m ago", datetime(2026, 5, 1, 9, 50, tzinfo=BERLIN), id="ago in words"),
        pytest.param("2026-05-01T07:00:00Z", datetime(2026, 5, 1, 9, tzinfo=BERLIN), id="RFC 3339"),
        pytest.param("2026-05-01T09:00", datetime(2026, 5, 1, 9, tzinfo=BERLIN), id="local"),
        pytest.param(str(NOW.timestamp()), NOW, id="seconds"),
    ],
)
def test_times_on_the_command_line(text, expected):
    """A time is what people write."""
    assert times.read(text, NOW) == expected.timestamp()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(sidecar, shell):
    """The script names our command and its variable."""
    said = sidecar("completion", shell)

    assert said.code == 0
    assert "_SIDECAR_COMPLETE" in said.out
    assert "sidecar" in said.out


def test_commands_are_completed_without_loading_them(sidecar, monkeypatch):
    """The shell hears of every command that begins so, with its help."""
    monkeypatch.setenv("_SIDECAR_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "sidecar st")
    monkeypatch.setenv("COMP_CWORD", "1")

    assert sidecar().out.split() == ["plain,status"]


@pytest.mark.parametrize("words", [pytest.param(["config", "schema"], id="a command"), pytest.param(["-h"], id="help")])
def test_a_full_disk_is_told_in_a_sentence(sidecar, words, monkeypatch):
    """What cannot be written is no crash of ours: one line, and the exit code of a wrong use."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 -- a device, written to at once
        monkeypatch.setattr("sys.stdout", full)
        said = sidecar(*words)
        monkeypatch.undo()
        with suppress(OSError):
            full.close()

    assert said.code == 2
    assert said.err == "sidecar: standard output cannot be written: No space left on device; make room where it goes\n"

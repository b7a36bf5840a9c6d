"""The tcp check, against servers on loopback."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks.tcp import TcpCheck
from sidecar.model.families import PROBE_PHASE, PROBE_VALUE
from tests.checks.peers import SILENT, look, peer

pytestmark = pytest.mark.realtime

SECRET = "t0p-s3cret-word"


def check(port: int, *dialogue: dict[str, Any], **settings: Any) -> TcpCheck:
    return TcpCheck.model_validate(
        {"name": "port", "address": f"127.0.0.1:{port}", "timeout": "5s", "dialogue": dialogue, **settings}
    )


class Mail:
    """A server that speaks a little SMTP, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-mail.example\r\n220 ready\r\n")
        while line := await reader.readline():
            self.heard.append(line.decode())
            answers = {"EHLO": b"250-mail.example\r\n250-SIZE 1000\r\n250 HELP\r\n", "QUIT": b"221 bye 17\r\n"}
            writer.write(answers.get(line.decode()[:4], b"500 what is %s\r\n" % line.strip()))
        writer.close()


@pytest.fixture
async def mail() -> Any:
    found = Mail()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], found


async def test_a_port_that_is_open():
    """A connection is enough where nothing else was asked for."""
    async with peer(SILENT) as server:
        probed = await look(check(server.port))
        await server.left.wait()

    assert probed.result.ok
    assert [labels["phase"] for labels, _ in probed.values(PROBE_PHASE)] == ["resolve", "connect"]


async def test_a_dialogue(mail):
    """What is sent ends in a line break; lines that do not match are passed over; named numbers are exported."""
    port, server = mail
    steps: list[dict[str, Any]] = [
        {"expect": "^220 "},
        {"send": "EHLO sidecar"},
        {"expect": r"SIZE (?P<size>\d+)"},
        {"expect": "^250 "},
        {"send": "QUIT"},
        {"expect": r"^221 (?P<word>\w+) (?P<code>\d+)"},
    ]

    probed = await look(check(port, *steps))

    assert probed.result.ok, probed.message
    assert server.heard == ["EHLO sidecar\r\n", "QUIT\r\n"]
    assert probed.values(PROBE_VALUE) == [({"name": "size"}, 1000.0), ({"name": "code"}, 17.0)]


@pytest.mark.parametrize(
    ("says", "dialogue", "error_type", "message"),
    [
        pytest.param(b"550 go away\r\n", [{"expect": "^220"}], "assertion",
            "AT said '550 go away' and hung up, expected a match of '^220' in step 1", id="something else"),
        pytest.param(b"220 hi\r\nno", [{"expect": "^220"}, {"expect": "^250"}], "assertion",
            "AT said 'no' and hung up, expected a match of '^250' in step 2", id="half a line"),
        pytest.param(b"", [{"expect": "^220"}], "reset",
            "AT hung up without a word, expected a match of '^220' in step 1", id="nothing"),
        pytest.param(b"\x1b[31mred\x00\r\n", [{"expect": "^220"}], "assertion",
            "AT said '‹U+001B›[31mred‹U+0000›' and hung up, expected a match of '^220' in step 1", id="a terminal"),
        pytest.param(b"x" * 2000, [{"expect": "^220"}], "too_large",
            "AT said more than a probe listens to, expected a match of '^220' in step 1", id="too much"),
        pytest.param(f"535 bad word {SECRET}\r\n".encode(), [{"send": SECRET}, {"expect": "^235"}], "assertion",
            "AT said '535 bad word ***' and hung up, expected a match of '^235' in step 2", id="repeats a secret"),
        pytest.param(b"no TLS here", [{"starttls": True}], "tls",
            "the TLS handshake with AT failed: wrong version number", id="no TLS"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(says, dialogue, error_type, message):
    """What was said stands beside what was expected, with the step."""
    async with peer(says) as server:
        probed = await look(check(server.port, *dialogue, max_bytes=1000))

    found = probed.message.replace(f"127.0.0.1:{server.port}", "AT")
    assert (probed.error_type, found) == (error_type, message)


async def test_patterns_without_lines():
    """A protocol without lines is matched as it comes; what is behind a match is kept for the next."""
    async with peer(b"HELLO42WORLD") as server:
        probed = await look(
            check(server.port, {"send": "x"}, {"expect": r"HELLO(?P<n>\d\d)"}, {"expect": "^WORLD$"}, line_break="none")
        )

    assert probed.result.ok, probed.message
    assert probed.value(PROBE_VALUE) == 42


async def test_a_peer_that_does_not_go_on(mail):
    """At the timeout the evidence says which step was waited for, and what was said last."""
    port, _ = mail
    probed = await look(check(port, {"expect": "^220 "}, {"send": "what"}, {"expect": "^200"}, timeout="200ms"))

    assert probed.error_type == "timeout"
    assert probed.notes == {"step": 3, "expected": "^200", "said": "500 what is what"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"address": "gateway"}, "expected host:port", id="no port"),
        pytest.param({"address": "u:pw-in-it@gateway:1"}, "expected host:port", id="credentials"),
        pytest.param({"dialogue": [{"expect": "("}]}, "no regular expression in RE2 syntax", id="pattern"),
        pytest.param({"dialogue": [{}]}, "expected one of `send`, `expect`", id="nothing"),
        pytest.param({"dialogue": [{"send": "a", "expect": "b"}]}, "expected one of `send`, `expect`", id="both"),
        pytest.param({"tls": True, "dialogue": [{"starttls": True}]}, "TLS begins more than once", id="TLS twice"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    """A mistake in the settings is told when they are read."""
    with pytest.raises(ValidationError) as caught:
        TcpCheck.model_validate({"name": "port", "address": "gateway:1", **settings})

    messages = "".join(str(error["msg"]) for error in caught.value.errors())
    assert said in messages
    assert "pw-in-it" not in messages


def test_what_is_sent_is_never_shown():
    """A text of the dialogue may be a password."""
    found = check(1, {"send": SECRET})

    assert SECRET not in repr(found) + found.model_dump_json()
    assert TcpCheck(name="x", address="[::1]:80").target == "tcp://[::1]:80"

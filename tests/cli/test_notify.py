"""`sidecar notify`."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from sidecar.cli import cli

PATH = "/services/T0/B0/canary-6f1d0c-canary"


class Hook(ThreadingHTTPServer):
    """A receiver of webhooks that answers with one status."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[dict[str, object]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.send_header("Content-Length", "2")
                if hook.status == 429:
                    self.send_header("Retry-After", "7")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class' word
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"


@pytest.fixture
def hook(monkeypatch):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(hook, tmp_path):
    """Run `sidecar notify test` with a configuration of two channels."""
    file = tmp_path / "sidecar.yml"

    def run(*args: str) -> Result:
        channels = f"""
channels:
  - {{type: webhook, name: hook, url: "{hook.url}"}}
  - {{type: slack, name: team, webhook_url: "{hook.url}", severities: [critical]}}
"""
        file.write_text(channels)
        return CliRunner().invoke(cli, ["notify", "test", *args, str(file)], standalone_mode=False)

    return run


def code(result: Result) -> int:
    """What the shell would see of a command that ended by itself."""
    return int(getattr(result.exception, "exit_code", 0)) if result.exception else int(result.return_value or 0)


def test_a_real_message_that_says_that_it_is_a_test(run, hook):
    """The other end gets one message, marked as a test, and what it said is printed."""
    result = run("hook")

    (heard,) = hook.heard
    assert code(result) == 0
    assert heard["alerts"][0]["annotations"]["summary"] == "This is a test; nothing is wrong"
    assert heard["status"] == "firing"
    assert result.output.startswith("delivered hook (webhook): test, ")
    assert result.output.rstrip().endswith(f"id {heard['id']}: HTTP 200: ok")


def test_its_end_can_be_sent_as_well(run, hook):
    """--resolve closes what the test opened, under the same fingerprint and another id."""
    result = run("hook", "--resolve")

    first, second = hook.heard
    assert code(result) == 0
    assert [first["status"], second["status"]] == ["firing", "resolved"]
    assert first["groupKey"] == second["groupKey"]
    assert first["id"] != second["id"]


def test_a_severity_that_the_channel_takes(run, hook):
    """A channel that takes critical alerts alone gets a critical test."""
    assert code(run("team")) == 0
    assert hook.heard[0]["text"] == "FIRING: SidecarTest (critical) – This is a test; nothing is wrong"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(404, ["HTTP 404, nobody listens there", "mend the channel's settings"], id="a wrong address"),
        pytest.param(429, ["HTTP 429", "wait 7s, as the other end asks"], id="too many"),
        pytest.param(503, ["HTTP 503", "the daemon would try again"], id="down"),
    ],
)
def test_a_failure_says_what_to_do(status, words, run, hook):
    """What was not delivered ends in exit code 1, the reason and the next step, and shows no secret."""
    hook.status = status

    result = run("hook", "--resolve")

    assert code(result) == 1
    assert all(word in result.output for word in words)
    assert "canary" not in result.output
    assert len(hook.heard) == 1


def test_nobody_there(run, hook):
    """A refused connection is told as what it is."""
    address = hook.server_address
    hook.shutdown()
    hook.server_close()
    with socket.socket() as held:  # bound and not listening: nobody else on this machine can take the port
        held.bind(address)

        result = run("team")

    assert code(result) == 1
    assert "FAILED team (slack): test not delivered: no connection to http://127.0.0.1:" in result.output
    assert "canary" not in result.output


def test_a_channel_that_nobody_knows(run):
    """A wrong name is wrong use, and the right ones are named."""
    result = run("pager")

    assert code(result) == 2
    assert str(result.exception) == "no channel 'pager'; known: hook, team"

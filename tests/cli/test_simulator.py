"""`sidecar simulator`, as a person starts it."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from click.testing import CliRunner

from sidecar.cli.simulator import _say_json, simulator
from sidecar.simulator import KEY, Exchange


@pytest.mark.realtime
def test_the_simulator_answers_tells_and_ends():
    """It names its address and key, says a line for each request, takes new faults, and ends at once when told to."""
    command = [sys.executable, "-u", "-m", "sidecar", "simulator", "--listen", "127.0.0.1:0", "--fault", "overloaded"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        greeting = [process.stdout.readline() for _ in range(3)]
        headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"}
        body = {"model": "claude-haiku-5-5", "max_tokens": 0, "messages": [{"role": "user", "content": "x"}]}

        def ask() -> int:
            request = urllib.request.Request(f"{url}/v1/messages", json.dumps(body).encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    return int(response.status)
            except urllib.error.HTTPError as exc:
                with exc:
                    return exc.code

        first = ask()
        line = process.stdout.readline()
        change = urllib.request.Request(f"{url}/simulator/faults", b'{"faults": []}', method="PUT")
        with urllib.request.urlopen(change, timeout=10) as response:
            assert response.status == 200
        second = ask()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    assert f"ANTHROPIC_API_KEY={KEY}" in greeting[0]
    assert "overloaded@0s  (529" in greeting[1]
    assert (first, second) == (529, 200)
    assert "POST /v1/messages claude-haiku-5-5 529  overloaded" in line


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        pytest.param(
            Exchange(1.0, "POST", "/v1/messages", 529, "claude-x", None, "x-api-key", 0, "req_1", ("overloaded",)),
            {"method": "POST", "path": "/v1/messages", "status": 529, "model": "claude-x", "faults": ["overloaded"]},
            id="an answer",
        ),
        pytest.param(
            Exchange(1.0, "GET", "/v1/models", 0, None, None, None, 0, "req_2", ("reset",)),
            {"status": 0, "model": None, "faults": ["reset"], "request_id": "req_2"},
            id="a connection that was dropped",
        ),
    ],
)
def test_requests_for_machines(exchange, said, capsys):
    """With --json each request is one object, without anything of the key."""
    _say_json(exchange)

    shown = json.loads(capsys.readouterr().out)
    assert said.items() <= shown.items()
    assert set(shown) == {"at", "method", "path", "model", "status", "request_id", "faults"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--fault", "explode"], ["--fault", "explode", "overloaded"], id="an unknown fault"),
        pytest.param(["--listen", "8399"], ["--listen", "'8399'", "HOST:PORT"], id="an address without a host"),
    ],
)
def test_wrong_flags_are_explained(arguments, words):
    """A flag that cannot be is named with what it may be."""
    result = CliRunner().invoke(simulator, arguments)

    assert result.exit_code == 2
    for word in words:
        assert word in result.output


def test_the_help_lists_every_kind_of_fault():
    """Whoever asks for help learns what can go wrong."""
    result = CliRunner().invoke(simulator, ["--help"])

    assert result.exit_code == 0
    assert "stream_error" in result.output
    assert "curl -X PUT" in result.output

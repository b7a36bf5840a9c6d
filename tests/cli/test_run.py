"""What a person sees who starts the daemon on a terminal."""

from pathlib import Path

import pytest

from sidecar import config
from sidecar.cli.run import _greeting

CHECK = '{type: tcp, name: a, address: "127.0.0.1:1"}'
HEAD = "sidecar.yml: 1 check, 0 channels, 11 rules"


@pytest.mark.parametrize(
    ("listen", "lines"),
    [
        pytest.param(
            "127.0.0.1:9797",
            ["  status page  http://127.0.0.1:9797/", "  in a shell   sidecar status --watch", "  Ctrl-C ends it"],
            id="where it usually is",
        ),
        pytest.param(
            "[::1]:80",
            [
                "  status page  http://[::1]:80/",
                "  in a shell   sidecar status --watch --url http://[::1]:80",
                "  Ctrl-C ends it",
            ],
            id="elsewhere",
        ),
        pytest.param(
            "0.0.0.0:9797",
            ["  status page  http://127.0.0.1:9797/", "  in a shell   sidecar status --watch", "  Ctrl-C ends it"],
            id="everywhere",
        ),
        pytest.param(
            "/run/sidecar.sock",
            ["  in a shell   sidecar status --watch --url unix:///run/sidecar.sock", "  Ctrl-C ends it"],
            id="a socket, which no browser opens",
        ),
        pytest.param("127.0.0.1:0", [], id="a free port, which is not known yet"),
    ],
)
def test_the_first_lines_say_where_to_look(listen, lines):
    """The counts of the configuration, the page, the command and the key; addresses as one can use them here."""
    text = f'http: {{listen: "{listen}", token: t}}\nchecks: [{CHECK}]\nrules: [{{pack: availability}}]\n'
    found = config.parse(text, "sidecar.yml")

    assert list(_greeting(found, Path("sidecar.yml"))) == [HEAD, *lines]

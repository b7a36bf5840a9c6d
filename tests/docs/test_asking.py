"""Every question that the pages ask a daemon by curl is asked, and answered."""

import pytest

from tests.api.conftest import api, world
from tests.docs.blocks import PAGES, blocks
from tests.docs.judges import commands

__all__ = ["api", "world"]  # pytest finds fixtures by their names here
DAEMON = "http://127.0.0.1:9797"


def asked() -> list[list[str]]:
    """The curls of all pages, each once."""
    scripts = [block.text for path in PAGES for block in blocks(path) if block.language == "sh"]
    found = dict.fromkeys(tuple(words) for script in scripts for words in commands(script))
    return [list(words) for words in found if words[:1] == ("curl",)]


def as_request(words: list[str]) -> tuple[str, str, dict[str, str], str]:
    """Method, path, headers and body of a curl."""
    method, headers, body, path = "", {}, "", ""
    rest = iter(words[1:])
    for word in rest:
        match word:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(":")
                headers[name] = value.strip()
            case "-d" | "--data-binary":
                body = next(rest)
            case _ if word.startswith(DAEMON):
                path = word.removeprefix(DAEMON)
    return method or ("POST" if body else "GET"), path.replace("NAME", "gateway"), headers, body


async def test_every_question_is_answered(world, api):
    """Methods, paths, headers and bodies are those that the daemon takes."""
    jobs = [{"type": "heartbeat", "name": "nightly-report", "period": "1h"}]
    settings = world.settings()
    await world.start(settings | {"checks": [*settings["checks"], *jobs]})
    requests = [as_request(words) for words in asked() if any(word.startswith(DAEMON) for word in words)]

    answers = [
        (method, path, (await api.ask(method, path, headers=headers, data=body or None)).status)
        for method, path, headers, body in requests
    ]

    assert len(answers) > 5
    assert [one for one in answers if one[2] != 200] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["curl", f"{DAEMON}/health"], ("GET", "/health", {}, ""), id="a question"),
        pytest.param(
            ["curl", "-X", "PUT", f"{DAEMON}/a", "-H", "A: b"], ("PUT", "/a", {"A": "b"}, ""), id="method and header"
        ),
        pytest.param(["curl", f"{DAEMON}/a", "-d", "x"], ("POST", "/a", {}, "x"), id="a body"),
    ],
)
def test_a_curl_is_read_as_curl_reads_it(words, expected):
    """What is asked is what the page says."""
    assert as_request(words) == expected

"""Channels whose secret is another one by the time it is refused."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sidecar.channels import Channel, DeliveryError, deliver
from sidecar.channels.slack import SlackChannel
from sidecar.channels.webhook import WebhookChannel
from tests.channels.receiver import HOST, context
from tests.channels.stories import STORIES, Ctx


class Hook:
    """Takes what holds the new word, in its path or its header; the word of *file* is new once it was refused."""

    def __init__(self, file: Path, new: str, status: int = 403) -> None:
        self.heard: list[str] = []
        self._file = file
        self._new = new
        self._status = status
        self.app = web.Application()
        self.app.router.add_post("/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        self.heard.append(request.headers["Idempotency-Key"])
        if "new" in request.path + request.headers.get("Authorization", ""):
            return web.Response(text="ok")
        self._file.write_text(self._new)
        return web.Response(status=self._status, text=f"no {request.path}")


@pytest.fixture
def file(tmp_path) -> Path:
    return Path(tmp_path / "secret")


def webhook(file: Path) -> Channel:
    file.write_text("Bearer old-token-canary\n")
    headers = {"Authorization": {"file": str(file)}}
    return WebhookChannel.model_validate({"name": "hook", "url": f"https://{HOST}/x", "headers": headers})


def slack(file: Path) -> Channel:
    file.write_text(f"https://{HOST}/services/old-canary-0123456789\n")
    return SlackChannel.model_validate({"name": "chat", "webhook_url": {"file": str(file)}})


def at(wire: Any, hook: Hook) -> Ctx:
    ctx = context(wire)
    wire.serve(HOST, hook.app)
    return ctx


@pytest.mark.parametrize(
    ("build", "new", "status"),
    [
        pytest.param(webhook, "Bearer new-token-canary", 401, id="a token"),
        pytest.param(webhook, "Bearer new-token-canary", 403, id="a token that is not enough"),
        pytest.param(slack, f"https://{HOST}/services/new-canary-0123456789", 403, id="an address"),
        pytest.param(slack, f"https://{HOST}/services/new-canary-0123456789", 404, id="an address that is gone"),
    ],
)
async def test_a_message_survives_a_rotation(wire, file, build, new, status):
    """What is refused with the old secret is sent once more with the new one, and the history says so."""
    channel, hook = build(file), Hook(file, new, status)

    said = await deliver(channel, STORIES["opening"], at(wire, hook))

    assert said == "HTTP 200: ok; retried: secret changed"
    assert hook.heard == [STORIES["opening"].id] * 2


@pytest.mark.parametrize(
    ("new", "times", "words"),
    [
        pytest.param("Bearer old-token-canary", 1, "check the channel's secret", id="the same"),
        pytest.param("Bearer third-token-canary", 2, "(retried: secret changed)", id="another that is wrong, too"),
    ],
)
async def test_a_refusal_that_stands(wire, file, new, times, words):
    """A secret that did not change is sent once, and one that is wrong again fails for good."""
    channel, hook = webhook(file), Hook(file, new)

    with pytest.raises(DeliveryError) as failure:
        await deliver(channel, STORIES["opening"], at(wire, hook))

    assert len(hook.heard) == times
    assert words in str(failure.value)
    assert not failure.value.retryable
    assert "canary" not in str(failure.value)


async def test_what_may_have_arrived_is_not_sent_again(wire, file):
    """A broken server is left to delivery, though the secret has changed."""
    channel, hook = webhook(file), Hook(file, "Bearer new-token-canary", 500)

    with pytest.raises(DeliveryError):
        await deliver(channel, STORIES["opening"], at(wire, hook))

    assert len(hook.heard) == 1

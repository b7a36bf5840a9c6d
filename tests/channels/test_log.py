"""Messages into the log."""

import json

import pytest
import structlog

from sidecar.channels.log import LogChannel
from tests.channels import golden
from tests.channels.stories import STORIES, Ctx, Fixed, sent_at


@pytest.mark.parametrize("story", STORIES)
async def test_a_message_is_one_event(story):
    """Each message is one event `notification`, which can be written as JSON."""
    with structlog.testing.capture_logs() as events:
        await LogChannel(type="log", name="log").send(STORIES[story], Ctx(clock=Fixed(sent_at(story))))

    (event,) = events
    assert event["event"] == "notification"
    golden.check(f"log_{story}.json", json.dumps(event, indent=2, ensure_ascii=False) + "\n")


async def test_what_fires_is_a_warning():
    """Logs that are filtered by level keep what fires."""
    with structlog.testing.capture_logs() as events:
        for story in ("opening", "reminder", "resolve"):
            await LogChannel(type="log", name="log").send(STORIES[story], Ctx())

    assert [e["log_level"] for e in events] == ["warning", "warning", "info"]

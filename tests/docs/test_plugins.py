"""The types of the guide to plug-ins work as it says."""

from types import ModuleType

import pytest

from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.clock import SystemClock
from sidecar.outbound import Outbound
from sidecar.services.probing import Recording, probe_once
from tests.channels.receiver import HOST, Receiver, context
from tests.channels.stories import STORIES
from tests.docs.blocks import ROOT, blocks

FILE_AGE, NTFY = (block.text for block in blocks(ROOT / "docs" / "guides" / "plugins.md") if block.language == "python")


def written(name: str, text: str) -> ModuleType:
    """A module with that text."""
    module = ModuleType(name)
    exec(compile(text, name, "exec"), vars(module))
    return module


@pytest.mark.realtime
async def test_the_check_of_the_guide_probes(tmp_path):
    """A fresh file is well, an old one is not, and one that is missing has a word of its own."""
    file = tmp_path / "state"
    kind: type[Check] = written("file_age", FILE_AGE).FileAgeCheck
    outbound = Outbound()

    async def found(**more) -> str:
        check = kind.model_validate({"name": "state", "path": str(file)} | more)
        return (await probe_once(check, Recording(SystemClock(), outbound))).error_type

    missing = await found()
    file.touch()

    assert (missing, await found(), await found(max_age=1e-9)) == ("not_found", "", "assertion")
    await outbound.close()


async def test_the_channel_of_the_guide_sends(wire):
    """Its other end gets the words of a message, and its id."""
    kind: type[Channel] = written("ntfy", NTFY).NtfyChannel
    receiver = Receiver()

    await kind.model_validate({"name": "topic", "url": f"https://{HOST}/topic"}).send(
        STORIES["opening"], context(wire, receiver)
    )

    (heard,) = receiver.heard
    assert heard.headers["X-Message-Id"] == STORIES["opening"].id
    assert STORIES["opening"].alerts[0].alert.labels.text("alertname").encode() in heard.body

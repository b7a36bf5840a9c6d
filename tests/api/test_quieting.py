"""Silences and acknowledgements over HTTP."""

import pytest

from tests.api.conftest import Asking
from tests.scenarios.world import World


@pytest.fixture(autouse=True)
async def daemon(world: World) -> None:
    """A daemon that watches."""
    await world.start()


async def test_a_silence_is_made_shown_and_ended(api: Asking) -> None:
    """Conditions may be written as a selector; what comes back is how it is understood."""
    made = await api.post(
        "/api/v1/silences",
        {"match": 'TargetDown{check=~"g.*"}', "duration": "2h", "created_by": "anna", "comment": "moving"},
    )
    assert made.data["matchers"] == ['check=~"g.*"', 'alertname="TargetDown"'] or made.data["matchers"][0].startswith(
        "al"
    )
    assert made.data["state"] == "active"

    listed = await api.get("/api/v1/silences")
    assert [one["id"] for one in listed.data["silences"]] == [made.data["id"]]
    ended = await api.ask("DELETE", f"/api/v1/silences/{made.data['id']}")
    assert ended.data["state"] == "expired"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        pytest.param({"match": "{"}, "match", id="no selector"),
        pytest.param({"match": '{a="b"}', "duration": "0s"}, "more than 0s", id="no time"),
        pytest.param({"match": '{a="b"}', "duration": "99999d"}, "at most 365d", id="too long"),
        pytest.param({"match": '{a="b"}', "created_by": " "}, "created_by", id="nobody"),
        pytest.param({"match": '{a="b"}', "start": "1"}, "in the future", id="over"),
    ],
)
async def test_what_is_no_silence_is_refused(api: Asking, form: dict[str, str], message: str) -> None:
    """Each mistake is named with its parameter."""
    reply = await api.post("/api/v1/silences", {"created_by": "anna"} | form)

    assert reply.error[0] == 400
    assert message in reply.error[2]


async def test_what_is_not_there_is_not_found(api: Asking) -> None:
    """Unknown ids and fingerprints are 404, and say where the known ones are."""
    for method, path in (
        ("DELETE", "/api/v1/silences/x"),
        ("DELETE", "/api/v1/alerts/x/ack"),
        ("POST", "/api/v1/alerts/x/ack?by=a"),
    ):
        reply = await api.ask(method, path)
        assert reply.error[0] == 404, path

"""Whether a job calls in when it should."""

import asyncio

import pytest
from pydantic import ValidationError

from sidecar.checks import Check
from sidecar.checks.heartbeat import HeartbeatCheck
from sidecar.clock import SystemClock
from sidecar.model.families import HEARTBEAT_DURATION, HEARTBEAT_SUCCESS
from sidecar.model.heartbeats import Heard
from sidecar.outbound import Outbound
from sidecar.services.probing import Recording, probe_once
from sidecar.testing import START


def job(**settings) -> HeartbeatCheck:
    return HeartbeatCheck.model_validate({"name": "backup", "period": "1h", "grace": "5m"} | settings)


async def judged(check: Check, heard: Heard):
    ctx = Recording(SystemClock(monotonic=asyncio.get_running_loop().time), Outbound(), heard)
    return await probe_once(check, ctx), ctx


@pytest.mark.parametrize(
    ("heard", "word", "says"),
    [
        pytest.param(Heard(START - 9, succeeded=START - 5), "", "", id="it called"),
        pytest.param(Heard(), "waiting", "a running daemon alone", id="nobody listens"),
        pytest.param(Heard(START - 9), "waiting", "no call came since", id="it has not called yet"),
        pytest.param(Heard(START - 3900), "missed", "no success yet, expected one at", id="it never called"),
        pytest.param(Heard(1.0, succeeded=START - 3900), "missed", "or within 5m after it", id="it did not call again"),
        pytest.param(
            Heard(1.0, succeeded=START - 9, failed=START - 5, message="disk\nfull", exit_code=3),
            "exit_code",
            "the exit code 3 at 2025-",
            id="it ended badly",
        ),
        pytest.param(
            Heard(1.0, failed=START - 5, message="disk\nfull"), "assertion", "it failed: disk ⏎ full", id="it failed"
        ),
        pytest.param(
            Heard(1.0, succeeded=START - 9000, started=START - 7200),
            "timeout",
            "expected its end within 2h",
            id="it does not end",
        ),
        pytest.param(Heard(1.0, succeeded=START - 9000, started=START - 7100), "", "", id="it is late, but under way"),
        pytest.param(
            Heard(START - 5, succeeded=START - 3700, deaf=(START - 60, START - 5)),
            "waiting",
            "while we could not hear it (we were away from",
            id="we could not hear it",
        ),
        pytest.param(Heard(START - 5, succeeded=START - 60), "", "", id="its schedule changed after its call"),
    ],
)
async def test_verdicts(heard, word, says):
    """What was heard is judged at each probe, in words that say what is expected."""
    result, _ = await judged(job(max_runtime="2h"), heard)

    assert (result.error_type or result.reason) == word
    assert says in result.message.replace("2026-", "2025-") or not word


async def test_what_is_measured():
    """When it last succeeded, and how long its last run took, whatever the verdict."""
    heard = Heard(1.0, succeeded=START - 9000, duration=12.5, message="42 rows")

    result, ctx = await judged(job(), heard)

    assert result.error_type == "missed"
    assert [(u.family, u.value) for u in ctx.updates] == [(HEARTBEAT_SUCCESS, START - 9000), (HEARTBEAT_DURATION, 12.5)]
    assert ctx.notes["said"] == "42 rows"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"schedule": "0 3 * * *"}, "got both of `period` and `schedule`", id="both"),
        pytest.param({"period": None}, "got none of `period` and `schedule`", id="neither"),
        pytest.param({"period": None, "schedule": "at noon"}, "expected minute, hour", id="no schedule"),
        pytest.param({"period": "500ms"}, "greater than or equal to 1", id="too short"),
        pytest.param({"period": "soon"}, "soon", id="no period"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    """A heartbeat has one expectation, and the message says which kinds there are."""
    with pytest.raises(ValidationError, match=says.replace("(", r"\(")):
        job(**settings)


def test_a_short_period_is_looked_at_as_often():
    """Unless somebody says otherwise."""
    assert job().every == 15.0
    assert job(period="2s").every == 2.0
    assert job(period="2s", every="1s").every == 1.0


def test_it_is_this_pods_own():
    """Calls come to one pod, over no network of which we know."""
    assert job().per_pod
    assert job().target == "heartbeat://backup"

"""Many checks, some of which hang."""

import asyncio
from itertools import pairwise

import pytest
import structlog

from sidecar.model.families import PROBES_MISSED
from tests.services.desk import Scripted, Target, hang


@pytest.fixture(autouse=True)
def _quiet():
    """A line per check would be most of the work."""
    with structlog.testing.capture_logs():
        yield


async def test_a_thousand_checks_keep_their_grid(probing):
    """A thousand checks at 15 s have four turns each in a minute, though a hundred others hang."""
    targets = {f"check {n}": Target() for n in range(1000)}
    checks = [Scripted(name=name, does=target) for name, target in targets.items()]
    hanging = [Scripted(name=f"hangs {n}", does=hang) for n in range(100)]
    desk = probing(*hanging, *checks)

    await asyncio.sleep(23)  # the first probes, and the grid's first turn after them, are no grid
    desk.prober.report()
    await asyncio.sleep(60)

    assert not desk.task.done()
    for target in targets.values():
        planned = [at for at in target.probed[1:] if at >= 23][:4]
        assert len(planned) == 4
        assert [later - at for at, later in pairwise(planned)] == pytest.approx([15.0] * 3, abs=0.01)
    assert desk.values(PROBES_MISSED) == []
    assert desk.prober.report()[0].value < 0.01


async def test_more_that_hang_than_places_delay_nobody(probing):
    """A burst of hanging probes holds the places for a second, however long their timeout is."""
    target = Target()
    hanging = [Scripted(name=f"hangs {n}", does=hang, timeout=300.0, every=600.0) for n in range(300)]
    desk = probing(*hanging, Scripted(name="gateway", does=target), parallel=10, most=2000)

    await asyncio.sleep(900)

    gaps = [later - at for at, later in pairwise(at for at in target.probed if at > 45)]
    assert gaps == pytest.approx([15.0] * len(gaps), abs=1.1)
    assert len(gaps) > 50
    assert desk.values(PROBES_MISSED, "gateway") == []


async def test_a_thousand_by_one_cron_expression(probing):
    """A minute at which everything is due is a burst that is held back, not lost."""
    targets = [Target(takes=0.3) for _ in range(1000)]
    desk = probing(*(Scripted(name=f"check {n}", does=target, cron="* * * * *") for n, target in enumerate(targets)))

    await asyncio.sleep(70)

    assert all(len(target.probed) == 2 for target in targets)
    assert max(target.probed[1] for target in targets) == pytest.approx(60 + 9 * 0.3, abs=0.1)
    assert desk.values(PROBES_MISSED) == []

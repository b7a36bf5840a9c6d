"""Who may probe, and who waits."""

import asyncio

import pytest

from sidecar.services.slots import Slots, room
from tests.services.desk import now


async def begin(slots: Slots, takes: float, begun: list[float]) -> None:
    async with slots.one():
        begun.append(now())
        await asyncio.sleep(takes)


@pytest.mark.parametrize(
    ("fresh", "most", "takes", "expected"),
    [
        pytest.param(2, 10, 0.5, [0, 0, 0.5, 0.5, 1.0, 1.0], id="a burst is held back"),
        pytest.param(2, 10, 60.0, [0, 0, 1, 1, 2, 2], id="those that hang lend their places after a second"),
        pytest.param(2, 3, 60.0, [0, 0, 1, 60, 60, 61], id="but no more than the sockets last"),
        pytest.param(9, 2, 5.0, [0, 0, 5, 5, 10, 10], id="the lesser of the two holds"),
    ],
)
async def test_six_begin(fresh, most, takes, expected):
    """They begin in order, as early as both bounds allow."""
    slots, begun = Slots(fresh, most), list[float]()

    async with asyncio.TaskGroup() as group:
        for _ in expected:
            group.create_task(begin(slots, takes, begun))
        await asyncio.sleep(0)
        assert slots.running == min(fresh, most)

    assert begun == pytest.approx(expected)
    assert slots.running == 0


async def test_whoever_is_cancelled_takes_no_place():
    """A probe that is given up, before or after it began, leaves its place."""
    slots, begun = Slots(1, 2), list[float]()
    tasks = [asyncio.create_task(begin(slots, 60.0, begun)) for _ in range(3)]
    await asyncio.sleep(0.5)

    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for _ in range(3):
        await begin(slots, 0.0, begun)

    assert begun == pytest.approx([0.0, 0.5, 0.5, 0.5])


def test_there_is_room():
    """Probes get half of the files that the process may open, and at least one."""
    assert 1 <= room() <= 2000

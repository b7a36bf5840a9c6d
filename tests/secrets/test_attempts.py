"""Attempts that are made again when what was refused has changed."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sidecar.secrets import Secret, attempted, refused


@dataclass
class Door:
    """Lets in whoever has the word; *rotate* runs before it answers."""

    word: str
    rotate: Callable[[], object] = lambda: None
    heard: list[str] = field(default_factory=list)
    begun_anew: int = 0

    async def knock(self, *several: Secret) -> str:
        """Asks with the first of *several*; all are revealed."""
        words = [secret.reveal() for secret in several]
        self.heard.append(words[0])
        self.rotate()
        if words[0] != self.word:
            refused()
            raise PermissionError(f"wrong: {words[0]}")
        return words[0]

    def between(self) -> None:
        self.begun_anew += 1

    async def tried(self, *several: Secret) -> str:
        return await attempted(lambda: self.knock(*several), self.between)


def stale(path: Path, before: str, after: str) -> Secret:
    """A secret whose file was read, and then written anew in place so that its time and size do not tell."""
    path.write_text(before)
    os.utime(path, ns=(1, 1))
    secret = Secret.from_file(str(path))
    secret.reveal()
    path.write_text(after)
    os.utime(path, ns=(1, 1))
    return secret


async def test_a_refusal_has_the_files_read_whatever_their_time_says(tmp_path):
    """A file that changed without a trace is seen when its old value is refused."""
    door = Door("two")

    said = await door.tried(stale(tmp_path / "a", "one", "two"))

    assert (said, door.heard, door.begun_anew) == ("two", ["one", "two"], 1)


async def test_a_secret_that_rotates_while_it_is_on_its_way(tmp_path):
    """The value was right when it was read and wrong when it arrived."""
    path = tmp_path / "a"
    path.write_text("one")
    door = Door("two", lambda: path.write_text("two"))

    assert await door.tried(Secret.from_file(str(path))) == "two"


async def test_any_of_the_secrets_may_have_changed(tmp_path):
    """A name and a password in two files change one after the other, and both are read again."""
    first, second = stale(tmp_path / "a", "one", "two"), stale(tmp_path / "b", "old", "new")

    await Door("two").tried(first, second)

    assert second.reveal() == "new"


async def test_a_second_refusal_stands(tmp_path):
    """There are two attempts and no third, and the failure is that of the second."""
    door = Door("three")

    with pytest.raises(PermissionError, match="wrong: two"):
        await door.tried(stale(tmp_path / "a", "one", "two"))

    assert door.heard == ["one", "two"]


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda folder: stale(folder / "a", "one", "one"), id="a file that is as it was"),
        pytest.param(lambda folder: stale(folder / "a", "one", "one\n"), id="only the line's end is new"),
        pytest.param(lambda _: Secret("one"), id="a text"),
    ],
)
async def test_what_did_not_change_is_asked_once(build, tmp_path):
    """A refusal is not repeated with the value that was refused."""
    door = Door("two")

    with pytest.raises(PermissionError):
        await door.tried(build(tmp_path))

    assert (door.heard, door.begun_anew) == (["one"], 0)


async def test_a_file_that_is_gone_leaves_the_refusal(tmp_path):
    """When there is no other value to be had, the first failure stands."""
    path = tmp_path / "a"
    secret = stale(path, "one", "one")
    door = Door("two", path.unlink)

    with pytest.raises(PermissionError, match="wrong: one"):
        await door.tried(secret)


async def test_a_failure_of_another_kind_is_not_repeated(tmp_path):
    """Nobody refused the secret, so that it changed is no reason."""
    secret = stale(tmp_path / "a", "one", "two")
    asked = 0

    async def fail() -> None:
        nonlocal asked
        asked += 1
        secret.reveal()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await attempted(fail, lambda: None)

    assert asked == 1


async def test_a_secret_of_somebody_else_is_no_reason(tmp_path):
    """What another attempt reveals at the same time does not count for this one."""
    mine, other = stale(tmp_path / "a", "one", "one"), stale(tmp_path / "b", "old", "new")
    door = Door("two")

    async def elsewhere() -> None:
        await asyncio.gather(attempted(lambda: Door("old").knock(other), lambda: None))

    with pytest.raises(PermissionError):
        await asyncio.gather(door.tried(mine), elsewhere())

    assert door.heard == ["one"]


async def test_tasks_and_threads_of_an_attempt_belong_to_it(tmp_path):
    """What is revealed or refused on behalf of an attempt counts, wherever it runs."""
    secret = stale(tmp_path / "a", "one", "two")
    heard: list[str] = []

    async def ask() -> None:
        heard.append(await asyncio.to_thread(secret.reveal))
        if heard[-1] == "one":
            await asyncio.create_task(asyncio.to_thread(refused))
            raise PermissionError

    await attempted(ask, lambda: None)

    assert heard == ["one", "two"]


def test_outside_of_attempts_nothing_is_kept():
    """Whoever reveals or refuses without an attempt disturbs nobody."""
    refused()

    assert Secret("one").reveal() == "one"

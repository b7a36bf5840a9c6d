"""When files are read again, and what that comes to."""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sidecar import config as configuration
from sidecar.app.reloading import Origin, Reloader
from sidecar.app.running import build, load
from sidecar.clock import SystemClock
from sidecar.config import Config, Disk, kept
from sidecar.model.errors import ConfigError
from sidecar.services.evaluator import Stopped

GOOD = "checks: [{{type: http, name: {name}, url: http://{name}/}}]\n"


@dataclass
class Folder:
    """A configuration in files, and who takes it up."""

    path: Path
    applied: list[list[str]] = field(default_factory=list)

    def write(self, text: str, name: str = "sidecar.yml") -> None:
        """Replace a file, as an editor does: another file under the same name."""
        file = self.path / name
        beside = file.with_name(f".{file.name}.new")
        beside.write_text(text)
        beside.rename(file)

    async def apply(self, config: Config) -> None:
        self.applied.append([check.name for check in config.checks])

    def reloader(self, problem: str = "") -> Reloader:
        disk = Disk()
        config = configuration.read(self.path / "sidecar.yml", files=disk)
        origin = Origin(self.path / "sidecar.yml", disk=disk, problem=problem)
        return Reloader(config, origin, SystemClock(monotonic=asyncio.get_running_loop().time), self.apply)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with a configuration of one check, `a`."""
    found = Folder(tmp_path)
    found.write(f"database: {tmp_path}/state.db\n" + GOOD.format(name="a"))
    return found


async def test_what_the_files_say_is_taken_up(folder: Folder) -> None:
    """A reload reads the file and hands on what it says."""
    reloader = folder.reloader()
    folder.write(GOOD.format(name="b"))

    status = await reloader.reload()

    assert (status.ok, folder.applied) == (True, [["b"]])


async def test_a_file_with_a_mistake_changes_nothing(folder: Folder) -> None:
    """Nothing is applied, every mistake is told with its line, and the next good file ends it."""
    reloader = folder.reloader()
    folder.write("checks:\n  - type: htp\n    name: b\n")

    status = await reloader.reload()

    assert folder.applied == []
    assert "sidecar.yml:2: checks[0].type" in status.problem
    folder.write(GOOD.format(name="b"))
    assert (await reloader.reload()).ok
    assert next(update.value for update in reloader.facts()) == 1.0


async def test_changes_that_need_a_restart_are_named(folder: Folder) -> None:
    """A listener cannot be moved under those who use it: what can be is taken up, and the rest is named."""
    reloader = folder.reloader()
    folder.write("database: other.db\nhttp: {listen: '127.0.0.1:1'}\n" + GOOD.format(name="b"))

    assert (await reloader.reload()).needs_restart == ("database", "http")


async def test_a_changed_file_is_found_when_it_rests(folder: Folder) -> None:
    """Whoever writes is given the time to finish: one reload, at the second look that finds the same."""
    reloader = folder.reloader()
    watch = asyncio.create_task(reloader.watch(lambda: 5.0))
    await asyncio.sleep(11)
    assert folder.applied == []

    folder.write(GOOD.format(name="b"))
    await asyncio.sleep(5)
    folder.write(GOOD.format(name="c"))
    await asyncio.sleep(5)
    assert folder.applied == []
    await asyncio.sleep(60)

    assert folder.applied == [["c"]]
    watch.cancel()


async def test_a_broken_file_is_tried_once(folder: Folder) -> None:
    """A mistake is told once and not at every look, and its mending is found."""
    reloader = folder.reloader()
    watch = asyncio.create_task(reloader.watch(lambda: 5.0))
    folder.write("checks: [\n")
    await asyncio.sleep(60)
    assert (reloader.status.ok, folder.applied) == (False, [])

    (folder.path / "sidecar.yml").unlink()
    await asyncio.sleep(60)
    assert "cannot be read" in reloader.status.problem
    folder.write(GOOD.format(name="b"))
    await asyncio.sleep(60)

    assert (reloader.status.ok, folder.applied) == (True, [["b"]])
    watch.cancel()


async def test_a_mounted_configmap_is_followed(folder: Folder) -> None:
    """Kubernetes swaps a link to a folder; the file that we read is never written."""
    for version, name in (("..1", "a"), ("..2", "b")):
        (folder.path / version).mkdir()
        (folder.path / version / "sidecar.yml").write_text(GOOD.format(name=name))
    (folder.path / "..data").symlink_to("..1")
    (folder.path / "sidecar.yml").unlink()
    (folder.path / "sidecar.yml").symlink_to("..data/sidecar.yml")
    reloader = folder.reloader()
    watch = asyncio.create_task(reloader.watch(lambda: 5.0))
    await asyncio.sleep(11)

    (folder.path / "..new").symlink_to("..2")
    (folder.path / "..new").rename(folder.path / "..data")
    await asyncio.sleep(11)

    assert folder.applied == [["b"]]
    watch.cancel()


async def test_nothing_is_watched_when_nobody_wants_it(folder: Folder) -> None:
    """`reload.watch: false` leaves changes to whoever asks."""
    reloader = folder.reloader()
    watch = asyncio.create_task(reloader.watch(lambda: None))
    folder.write(GOOD.format(name="b"))
    await asyncio.sleep(60)

    assert folder.applied == []
    watch.cancel()


async def test_a_broken_file_at_the_start_runs_the_last_good_one(folder: Folder) -> None:
    """What ran last is kept beside the database, is started with, and says so; --strict does not."""
    watch = asyncio.create_task(folder.reloader().watch(lambda: 5.0))
    await asyncio.sleep(1)
    watch.cancel()
    folder.write(f"database: {folder.path}/state.db\nchecks: [{{type: nonsense, name: a}}]\n")

    config, origin = load(folder.path / "sidecar.yml", {})

    assert [check.name for check in config.checks] == ["a"]
    assert "nonsense" in origin.problem
    reloader = Reloader(config, origin, SystemClock(), folder.apply)
    assert (reloader.status.ok, reloader.status.last_good) == (False, True)
    with pytest.raises(ConfigError, match="nonsense"):
        load(folder.path / "sidecar.yml", {}, strict=True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("database: {database}\nchecks: [\n", id="no YAML"),
        pytest.param("database: '{database}' # here\nchecks: [{{type: x}}]\n", id="YAML with a mistake"),
        pytest.param('database: "{database}"\n\tchecks: 1\n', id="a tab"),
        pytest.param("database: ${{NO_SUCH_PLACE:-{database}}}\nchecks: [\n", id="a default"),
    ],
)
def test_the_database_of_a_broken_file_is_found(text: str, folder: Folder) -> None:
    """Where the last good configuration lies stands in a file that is broken."""
    folder.write(text.format(database=folder.path / "state.db"))

    disk = Disk()
    disk.read(folder.path / "sidecar.yml")

    assert kept.database_of(disk, {}) == str(folder.path / "state.db")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="a list"),
        pytest.param('{"version": 9}', id="newer"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"version": 1, "texts": {}, "found": [["a", "b", 1]]}', id="paths that are none"),
    ],
)
def test_what_was_kept_may_be_broken_too(text: str, folder: Folder) -> None:
    """Then the daemon says what is wrong with the files, and does not start."""
    folder.write(text, "state.db.last-good.json")
    folder.write(f"database: {folder.path}/state.db\nchecks: [\n")

    with pytest.raises(ConfigError, match=r"sidecar\.yml"):
        load(folder.path / "sidecar.yml", {})


async def test_what_is_kept_holds_no_value_of_a_variable(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are kept as they stand, for the daemon's own user alone to read."""
    monkeypatch.setitem(os.environ, "KEY", "s3cr3t")
    folder.write(
        f"database: {folder.path}/state.db\n" + GOOD.format(name="a") + "external_labels: {{a: '${{KEY}}'}}\n".format()
    )
    await folder.reloader().keep()

    place = folder.path / "state.db.last-good.json"
    assert "s3cr3t" not in place.read_text()
    assert place.stat().st_mode & 0o077 == 0


async def test_a_folder_that_cannot_be_written_harms_nothing(folder: Folder) -> None:
    """A read-only volume costs the last good configuration, and nothing else."""
    (folder.path / "file").write_text("")
    folder.write(f"database: {folder.path}/file/state.db\n" + GOOD.format(name="a"))

    await folder.reloader().keep()


async def test_what_was_kept_is_found_from_another_folder(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that was started beside its files is started again with their whole path."""
    (folder.path / "more").mkdir()
    folder.write("rules: [{file: '*.rules'}]\n", "more/a.yml")
    folder.write("groups: []\n", "more/a.rules")
    folder.write(f"database: {folder.path}/state.db\ninclude: more\n" + GOOD.format(name="a"))
    monkeypatch.chdir(folder.path)
    disk = Disk()
    config = configuration.read(Path("sidecar.yml"), files=disk)
    await Reloader(config, Origin(Path("sidecar.yml"), disk=disk), SystemClock(), folder.apply).keep()
    folder.write(f"database: {folder.path}/state.db\nchecks: [\n")
    monkeypatch.chdir("/")

    config, _ = load(folder.path / "sidecar.yml", {})

    assert [check.name for check in config.checks] == ["a"]


async def test_the_database_may_be_named_in_an_included_file(folder: Folder) -> None:
    """Where the last good configuration lies is found there, too."""
    folder.write(f"database: {folder.path}/state.db\n", "more.yml")
    folder.write("include: more.yml\n" + GOOD.format(name="a"))
    await folder.reloader().keep()
    folder.write("include: more.yml\nchecks: [{type: nonsense, name: a}]\n")

    config, _ = load(folder.path / "sidecar.yml", {})

    assert [check.name for check in config.checks] == ["a"]


async def test_what_is_kept_goes_through_no_link_and_is_open_to_nobody(folder: Folder) -> None:
    """What lies at its place, or at that of its draft, is replaced: never written into, never open to others."""
    place, other = folder.path / "state.db.last-good.json", folder.path / "other"
    other.write_text("not ours")
    place.symlink_to(other)
    draft = place.with_name(f"{place.name}.new")
    draft.symlink_to(other)
    await folder.reloader().keep()
    assert (other.read_text(), place.is_symlink()) == ("not ours", False)

    draft.write_text("")
    draft.chmod(0o644)
    await folder.reloader().keep()
    assert place.stat().st_mode & 0o077 == 0


async def test_a_dry_daemon_keeps_nothing(folder: Folder) -> None:
    """A trial beside the real daemon leaves its last good configuration alone."""
    disk = Disk()
    path = folder.path / "sidecar.yml"
    config = configuration.read(path, files=disk)
    async with build(config, origin=Origin(path, disk=disk), dry=True) as app:
        await app.reloader.keep()

    assert [found.name for found in folder.path.iterdir()] == ["sidecar.yml"]


async def test_a_pattern_that_is_none_is_a_mistake_and_no_crash(folder: Folder) -> None:
    """Whatever is wrong with the files, what runs goes on, and the watch with it."""
    reloader = folder.reloader()
    watch = asyncio.create_task(reloader.watch(lambda: 5.0))
    folder.write("include: 'a**'\n" + GOOD.format(name="b"))
    await asyncio.sleep(60)
    assert "sidecar.yml:1: include" in reloader.status.problem

    folder.write(GOOD.format(name="c"))
    await asyncio.sleep(60)

    assert folder.applied == [["c"]]
    watch.cancel()


async def test_signals_in_a_row_are_few_reloads(folder: Folder) -> None:
    """Whoever asks while somebody waits already is answered with him."""
    reloader = folder.reloader()
    for _ in range(50):
        reloader.ask()
    await asyncio.sleep(10)

    assert folder.applied == [["a"], ["a"]]


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path, text: path.write_text(text), id="truncate and write"),
        pytest.param(lambda path, text: (path.unlink(), path.write_text(text)), id="delete and create"),
        pytest.param(
            lambda path, text: (path.rename(path.with_suffix(".yml~")), path.write_text(text)), id="backup and create"
        ),
    ],
)
async def test_editors_write_in_their_own_ways(write: Any, folder: Folder) -> None:
    """Each way of writing a file is one change."""
    reloader = folder.reloader()
    watch = asyncio.create_task(reloader.watch(lambda: 5.0))
    write(folder.path / "sidecar.yml", GOOD.format(name="bb"))
    await asyncio.sleep(60)

    assert folder.applied == [["bb"]]
    watch.cancel()


async def test_a_reload_at_the_end_is_answered(folder: Folder) -> None:
    """Who asks a daemon that stops is told so, and does not wait for ever."""

    async def apply(_: Config) -> None:
        raise Stopped("the daemon is stopping")

    disk = Disk()
    config = configuration.read(folder.path / "sidecar.yml", files=disk)
    reloader = Reloader(config, Origin(folder.path / "sidecar.yml", disk=disk), SystemClock(), apply)

    assert "stopping" in (await reloader.reload()).problem

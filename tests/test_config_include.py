"""`include:` joins files, and every mistake still knows its own."""

from pathlib import Path

import pytest

from sidecar import config as configuration
from sidecar.config.files import Disk, Kept
from sidecar.model.errors import ConfigError

CHECK = "checks: [{{type: http, name: {name}, url: http://{name}/}}]\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        configuration.read(path)
    return [str(mistake).replace(f"{path.parent}/", "") for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    "include",
    [
        pytest.param("conf.d", id="a folder"),
        pytest.param("conf.d/*.yml", id="a pattern"),
        pytest.param("[conf.d/a.yml, conf.d/b.yml]", id="a list"),
    ],
)
def test_lists_follow_one_another_and_mappings_are_joined(include: str, tmp_path: Path) -> None:
    """Included files add checks behind those of the first file, and settings beside its own."""
    first = write(
        tmp_path, "sidecar.yml", f"include: {include}\nhttp: {{listen: '127.0.0.1:1'}}\n" + CHECK.format(name="a")
    )
    write(tmp_path, "conf.d/a.yml", "http: {public: '127.0.0.1:2'}\n" + CHECK.format(name="b"))
    write(tmp_path, "conf.d/b.yml", "timezone: Europe/Berlin\n" + CHECK.format(name="c"))
    write(tmp_path, "conf.d/.hidden.yml", "nonsense: true\n")

    config = configuration.read(first)

    assert [check.name for check in config.checks] == ["a", "b", "c"]
    assert (config.settings.http.listen, config.settings.http.public) == ("127.0.0.1:1", "127.0.0.1:2")
    assert config.settings.timezone == "Europe/Berlin"


def test_a_mistake_names_its_own_file_and_line(tmp_path: Path) -> None:
    """A mistake in an included list item is told with the line of that file, not of the joined list."""
    first = write(tmp_path, "sidecar.yml", "include: conf.d\n" + CHECK.format(name="a"))
    write(
        tmp_path,
        "conf.d/a.yml",
        "timezone: UTC\nchecks:\n  - type: http\n    name: b\n    url: http://b/\n    evry: 5s\n",
    )
    write(tmp_path, "conf.d/b.yml", "\n" + CHECK.format(name="a"))

    found = mistakes(first)

    assert found[0].startswith("conf.d/a.yml:6: checks[1].evry: unknown key; did you mean 'every'?")
    assert found[1].startswith("conf.d/b.yml:2: checks[2].name: 'a' is also the name at line 2 of")
    assert found[1].endswith("sidecar.yml; expected another")


def test_a_value_given_twice_names_both_places(tmp_path: Path) -> None:
    """Which of two values would win is nothing that anybody should have to know."""
    first = write(tmp_path, "sidecar.yml", "include: conf.d\nhttp: {listen: '127.0.0.1:1'}\nchecks: []\n")
    write(tmp_path, "conf.d/a.yml", "\nhttp: {listen: '127.0.0.1:2'}\n")

    (found,) = mistakes(first)

    assert found.startswith("conf.d/a.yml:2: http.listen: is given twice, also in ")
    assert "sidecar.yml at line 2; expected it once" in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("include: more.yml\n", "only the first may include", id="an include in an include"),
        pytest.param("- a\n", "holds no keys", id="a list"),
        pytest.param("a: [\n", "more.yml:", id="no YAML"),
    ],
)
def test_a_file_that_cannot_be_included_says_why(text: str, expected: str, tmp_path: Path) -> None:
    """A mistake in an included file is a mistake of the configuration."""
    first = write(tmp_path, "sidecar.yml", "include: more.yml\n" + CHECK.format(name="a"))
    write(tmp_path, "more.yml", text)

    assert expected in mistakes(first)[0]


def test_a_name_without_a_file_is_a_mistake(tmp_path: Path) -> None:
    """An include that finds nothing would be checks that are missing unnoticed."""
    first = write(tmp_path, "sidecar.yml", "include: [conf.d/*.yml]\n" + CHECK.format(name="a"))

    assert "sidecar.yml:1: include[0]: got 'conf.d/*.yml', which names no file in" in mistakes(first)[0]


def test_rule_files_are_found_from_the_file_that_names_them(tmp_path: Path) -> None:
    """A team's folder holds its configuration and its rules, and moves as one."""
    first = write(tmp_path, "sidecar.yml", "include: team/sidecar.yml\n" + CHECK.format(name="a"))
    write(tmp_path, "team/sidecar.yml", "rules: [{file: rules.yml}]\n")
    write(tmp_path, "team/rules.yml", "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n")

    assert [group.name for group in configuration.read(first).rules.groups] == ["g"]


def test_what_was_read_can_be_read_again_from_memory(tmp_path: Path) -> None:
    """A configuration that was read whole gives the same when all its files are gone."""
    first = write(tmp_path, "sidecar.yml", "include: conf.d\nrules: [{file: '*.rules'}]\n" + CHECK.format(name="a"))
    included = write(tmp_path, "conf.d/a.yml", CHECK.format(name="b"))
    rules = write(tmp_path, "x.rules", "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n")
    disk = Disk()
    before = configuration.read(first, files=disk)
    for path in (first, included, rules):
        path.unlink()

    after = configuration.read(first, files=Kept(disk.texts, disk.found))

    assert (after.checks, after.settings.model_dump()) == (before.checks, before.settings.model_dump())
    assert [group.name for group in after.rules.groups] == ["g"]


def test_a_change_of_any_file_is_seen(tmp_path: Path) -> None:
    """The signature differs after a write, a new file behind a pattern, and a swapped link; else it stays."""
    first = write(tmp_path, "sidecar.yml", "include: link/conf.d\n" + CHECK.format(name="a"))
    write(tmp_path, "one/conf.d/a.yml", CHECK.format(name="b"))
    write(tmp_path, "two/conf.d/a.yml", CHECK.format(name="b"))
    (tmp_path / "link").symlink_to("one")
    disk = Disk()
    configuration.read(first, files=disk)
    assert disk.now() == disk.seen()

    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("two")
    assert disk.now() != disk.seen()

    disk = Disk()
    configuration.read(first, files=disk)
    write(tmp_path, "two/conf.d/b.yml", CHECK.format(name="c"))
    assert disk.now() != disk.seen()


@pytest.mark.parametrize(
    "include",
    [
        pytest.param("a**", id="no pattern"),
        pytest.param("x" * 5000, id="a name that is too long"),
        pytest.param("/", id="the root"),
    ],
)
def test_what_cannot_be_looked_for_is_a_mistake(include: str, tmp_path: Path) -> None:
    """Whatever stands there, the answer is short and says where."""
    first = write(tmp_path, "sidecar.yml", f"include: '{include}'\n" + CHECK.format(name="a"))

    assert all(len(mistake) < 400 for mistake in mistakes(first))


def test_the_other_files_of_the_folder_may_be_included(tmp_path: Path) -> None:
    """A pattern that fits the first file, too, means the others."""
    first = write(tmp_path, "sidecar.yml", "include: '*.yml'\n" + CHECK.format(name="a"))
    write(tmp_path, "b.yml", CHECK.format(name="b"))

    assert [check.name for check in configuration.read(first).checks] == ["a", "b"]


def test_an_empty_folder_adds_nothing(tmp_path: Path) -> None:
    """Nobody has put anything into it yet, or the last file was taken out; from what was kept it is read the same."""
    first = write(tmp_path, "sidecar.yml", "include: conf.d\n" + CHECK.format(name="a"))
    write(tmp_path, "conf.d/.gitkeep", "")
    disk = Disk()

    config = configuration.read(first, files=disk)

    kept = configuration.read(first, files=Kept(disk.texts, disk.found))
    assert [check.name for check in config.checks] == ["a"]
    assert [check.name for check in kept.checks] == ["a"]


def test_a_folder_of_other_files_is_a_mistake(tmp_path: Path) -> None:
    """What was named otherwise by mistake is not left out in silence."""
    first = write(tmp_path, "sidecar.yml", "include: conf.d\n" + CHECK.format(name="a"))
    write(tmp_path, "conf.d/more.conf", CHECK.format(name="b"))

    assert mistakes(first) == ["conf.d: holds other files, but no *.yml and no *.yaml; `include` names it"]

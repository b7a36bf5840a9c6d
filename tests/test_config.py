"""The configuration: read whole, every mistake at once."""

import os
from pathlib import Path

import pytest

from sidecar import config
from sidecar.channels.email import EmailChannel
from sidecar.model.errors import ConfigError

GOOD = """
checks:
  - {type: http, name: gateway, url: "http://gateway:8080/health", every: 5s}
channels:
  - {type: log, name: log}
"""


def mistakes(text: str, folder: Path = Path()) -> list[str]:
    """What is wrong with *text*, each as the user reads it."""
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "sidecar.yml", folder=folder)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_built():
    """Durations, types and defaults are what the file says."""
    found = config.parse(GOOD, "sidecar.yml")

    assert [(check.name, check.type, check.every) for check in found.checks] == [("gateway", "http", 5.0)]
    assert [channel.name for channel in found.channels] == ["log"]
    assert found.settings.http.listen == "127.0.0.1:9797"


def test_every_mistake_at_once():
    """All mistakes are named together, each with file, line, key, what was found and what was expected."""
    found = mistakes(
        """
timezone: Mars/Olympus
chanels: []
checks:
  - {type: http, name: gateway, url: "http://gateway/", every: 5}
  - {type: htp, name: other}
  - {name: third}
  - {type: http, name: gateway, url: "http://gateway/", labels: {check: x}}
channels:
  - {type: log, name: log, colour: red}
rules:
  - {pack: availabilty}
"""
    )

    text = "\n".join(found)
    for expected in (
        "sidecar.yml:2: timezone: ",
        "sidecar.yml:3: chanels: ",
        "did you mean",
        "sidecar.yml:5: checks[0].every: ",
        "with its unit",
        "sidecar.yml:6: checks[1].type: got type 'htp', expected one of: ",
        "sidecar.yml:7: checks[2]: has no `type`",
        "sidecar.yml:8: checks[3].name: 'gateway' is also the name at line 5",
        "sidecar.yml:8: checks[3].labels.check: ",
        "sidecar.yml:10: channels[0].colour: ",
        "sidecar.yml:12: rules[0].pack: ",
    ):
        assert expected in text, text


def test_dependencies_of_checks():
    """What is depended on has to be there and may not depend on who depends on it; its own mistakes are told once."""
    found = mistakes(
        """
checks:
  - {type: http, name: a, url: "http://a/", depends_on: [b, c]}
  - {type: http, name: b, url: "http://b/", depends_on: [a, typo]}
  - {type: http, name: c, url: "no address"}
"""
    )

    assert [mistake for mistake in found if "depends_on" in mistake] == [
        "sidecar.yml:3: checks[0].depends_on: a → b → a is a circle; expected that nothing depends on itself",
        "sidecar.yml:4: checks[1].depends_on[1]: no check 'typo'; expected one of: a, b",
    ]


def test_a_channel_with_a_mistake_is_there_all_the_same():
    """A rule that names it has no mistake of its own, and nobody looks for one there."""
    found = mistakes(
        """
channels: [{type: slack, name: oncall, webhook_url: {env: NO_SUCH_VARIABLE}}]
rules: [{pack: availability, override: {ClaudeDown: {channels: [oncall]}}}]
"""
    )

    assert len(found) == 1
    assert "NO_SUCH_VARIABLE" in found[0]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param("every: 5m, cron: '@hourly'", "checks[0]: got a mapping: has both", id="two schedules"),
        pytest.param("cron: 61 * * * *", "checks[0].cron: ", id="no minute"),
        pytest.param("hours: {from: 8:00}", "checks[0].hours.from: ", id="no time of day"),
        pytest.param("hours: [{days: mo-fr}]", "checks[0].hours[0].days: ", id="no day"),
        pytest.param("timezone: Berlin", "checks[0].timezone: ", id="no zone"),
    ],
)
def test_schedules_of_checks(schedule, expected):
    """A wrong schedule is told with its place."""
    [found] = mistakes(f'checks: [{{type: http, name: a, url: "http://a/", {schedule}}}]')

    assert found.startswith(f"sidecar.yml:1: {expected}"), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("- a\n", "got a list", id="a list"),
        pytest.param("a: [1\n", "sidecar.yml:", id="broken YAML"),
        pytest.param("a: \x00\n", "sidecar.yml", id="binary"),
        pytest.param("checks: 5\n", "sidecar.yml:1: checks: ", id="a number for a list"),
        pytest.param("checks: [5]\n", "sidecar.yml:1: checks[0]", id="a number for a check"),
        pytest.param("tick: 15s\ntick: 30s\n", "tick", id="a key given twice"),
    ],
)
def test_not_a_configuration(text, expected):
    """What is no configuration at all gets one clear sentence."""
    assert expected in "\n".join(mistakes(text))


def test_flags_over_environment_over_file(monkeypatch):
    """Flags win over the environment, the environment over the file, the file over the defaults."""
    text = GOOD + "database: file.db\ntimezone: Europe/Berlin\nexternal_url: http://file\n"
    monkeypatch.setenv("SIDECAR_DATABASE", "environment.db")
    monkeypatch.setenv("SIDECAR_EXTERNAL_URL", "http://environment")

    found = config.parse(text, "sidecar.yml", {"database": "flag.db"}).settings

    assert (found.database, found.external_url, found.timezone) == ("flag.db", "http://environment", "Europe/Berlin")


def test_variables(monkeypatch):
    """`${NAME}` is taken from the environment, with a default if there is one; `$${` stands for itself."""
    monkeypatch.setenv("GATEWAY", "gateway:8080")
    text = 'checks: [{type: http, name: a, url: "http://${GATEWAY}/${PATH_OF_IT:-health}", body: "$${A} $B ${B:-$5}"}]'

    found = config.parse(text, "sidecar.yml")

    assert found.checks[0].target == "http://gateway:8080/health"
    assert found.checks[0].model_dump()["body"] == "${A} $B $5"


def test_a_password_keeps_its_dollars():
    """What is no variable is left as it was written: nobody sees a password to find out what was made of it."""
    channel = "{type: email, name: m, host: h, from: a@b.c, to: [a@b.c], username: u, password: 'a$$b$c^$$'}"

    (found,) = config.parse(f"channels: [{channel}]", "sidecar.yml").channels

    assert isinstance(found, EmailChannel)
    assert found.password is not None
    assert found.password.reveal() == "a$$b$c^$$"


def test_missing_variable(monkeypatch):
    """A variable that is not there is a mistake at its line, with what to do."""
    monkeypatch.delenv("NOT_THERE", raising=False)

    found = mistakes("\nexternal_url: http://${NOT_THERE}\n")

    assert found == [
        "sidecar.yml:2: external_url: the environment has no NOT_THERE; set it, or write ${NOT_THERE:-default}"
    ]


def test_unreadable_file(tmp_path):
    """A file that is not there is said by name, with what to do."""
    with pytest.raises(ConfigError, match=r"nothing\.yml: cannot be read: No such file"):
        config.read(tmp_path / "nothing.yml")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("SIDECAR_TICK", "abc", "tick: got 'abc', expected a duration", id="a duration"),
        pytest.param("sidecar_tick", "abc", "tick: got 'abc'", id="in small letters"),
        pytest.param("SIDECAR_HTTP__LISTEN", "nope", "http.listen: got the address 'nope'", id="an address"),
        pytest.param("SIDECAR_HTTP__PORT", "1", "http.port: unknown key; known: listen", id="a key that is none"),
        pytest.param("SIDECAR_HTTP__TOKEN", " ", "http.token: got ***: the text is empty", id="an empty secret"),
        pytest.param("SIDECAR_LOG", "info", "log: is not JSON", id="a word for a group"),
        pytest.param("SIDECAR_CHECKS", "canary-canary", "checks: is not JSON", id="no list"),
        pytest.param("SIDECAR_CHECKS", '[{"type": "scrape", "name": "a"}]', "checks[0].url: is missing", id="a check"),
        pytest.param("SIDECAR_CHANNELS", '[{"typ": "canary-canary"}]', "channels[0]: has no `type`", id="a channel"),
        pytest.param("SIDECAR_RULES", '[{"pack": "nope"}]', "rules[0].pack: got 'nope'", id="rules"),
    ],
)
def test_a_mistake_in_a_variable_names_the_variable(monkeypatch, variable, value, expected):
    """Who set a variable wrongly does not look for the mistake in the file, and secrets in it are not shown."""
    monkeypatch.setenv(variable, value)

    (found,) = mistakes(GOOD)

    assert found.startswith(f"the variable {variable}: {expected}")
    assert "canary" not in found


def test_a_mistake_in_a_flag_names_the_flag():
    """The same holds for the command line, which wins over both."""
    with pytest.raises(ConfigError, match=r"^--listen: http\.listen: got the address 'nope'"):
        config.parse(GOOD, "sidecar.yml", {"http": {"listen": "nope"}})


def test_rules_from_the_environment(monkeypatch):
    """What a variable says of the rules is what the daemon evaluates."""
    monkeypatch.setenv("SIDECAR_RULES", '[{"pack": "errors"}]')

    assert config.parse(GOOD, "sidecar.yml").rules.groups


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "http: {listen: nope}", "http.listen: got the address 'nope', expected host:port", id="no address"
        ),
        pytest.param('http: {listen: ""}', "http.listen: ", id="nowhere"),
        pytest.param("http: {token: {env: NOT_THERE}}", "http.token: the environment has no NOT_THERE", id="no secret"),
        pytest.param("http: {public: nope}", "http.public: got the address 'nope'", id="no public address"),
        pytest.param("http: {listen: ':9797'}", "http: got http.listen 0.0.0.0:9797, which other", id="wide, no token"),
        pytest.param(
            "external_url: 'http://u:canary@h/'", "external_url: got ***: expected", id="a link with a password"
        ),
        pytest.param("external_url: 'http://['", "external_url: got ***: expected", id="a link that is broken"),
        pytest.param("external_url: 'javascript:canary'", "external_url: got ***: expected", id="no link"),
        pytest.param("tick: .inf", "tick: got inf, expected at most 100y", id="never"),
        pytest.param('database: "a\\0b"', "database: holds a NUL", id="a NUL"),
        pytest.param(
            "pod: '${HOST-x}'", "pod: holds `${` without a name, expected ${NAME}", id="another shell's default"
        ),
        pytest.param("pod: '${HOST'", "pod: holds `${` without a name", id="a brace that is open"),
        pytest.param("pod: '${NOT_UTF8}'", "pod: the variable NOT_UTF8 is not UTF-8 text", id="bytes that are no text"),
        pytest.param("rules: [{file: /}]", "rules[0].file: got '/', which names no file", id="the root"),
        pytest.param("rules: [{file: loop}]", "rules[0].file: ", id="a loop of links"),
        pytest.param("rules: [{file: folder}]", "folder cannot be read: Is a directory", id="a folder"),
        pytest.param("rules: [{file: '*.bin'}]", "x.bin is not UTF-8 text: invalid start byte at byte 0", id="binary"),
        pytest.param("rules: [{file: /dev/zero}]", "has 16,777,216 bytes, expected at most", id="a file without end"),
    ],
)
def test_what_would_stop_the_daemon_later(tmp_path, monkeypatch, line, expected):
    """A mistake that only the start would find is found when the configuration is read."""
    monkeypatch.setitem(os.environ, "NOT_UTF8", b"a\xff".decode("utf-8", "surrogateescape"))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.bin").write_bytes(b"\xff")

    found = mistakes(f"{line}\n", tmp_path)

    assert expected in found[0]
    assert "canary" not in found[0]


def test_two_without_a_name():
    """Checks that lack a name lack it; they do not share one."""
    found = mistakes("checks: [{type: http, url: 'http://a/'}, {type: http, url: 'http://a/'}]")

    assert [line.partition("checks")[2] for line in found] == ["[0].name: is missing", "[1].name: is missing"]


def test_brackets_in_the_name_of_the_folder(tmp_path):
    """Only what the configuration says is a pattern, not where it lies."""
    folder = tmp_path / "we[ird]*"
    folder.mkdir()
    (folder / "mine.yml").write_text("groups: [{name: g, rules: [{record: a, expr: '1'}]}]")

    found = config.parse("rules: [{file: 'm*.yml'}]", "sidecar.yml", folder=folder)

    assert [group.name for group in found.rules.groups] == ["g"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings(tmp_path, encoding):
    """A byte-order mark is passed over; another encoding than UTF-8 is refused by name, with what to do."""
    file = tmp_path / "sidecar.yml"
    file.write_bytes(GOOD.encode(encoding))

    if encoding == "utf-8-sig":
        assert config.read(file).checks
    else:
        with pytest.raises(ConfigError, match=r"not UTF-8, expected|control character"):
            config.read(file)

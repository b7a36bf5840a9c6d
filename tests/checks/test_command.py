"""Programs that end well, badly, late or never."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks._process import run
from sidecar.checks.command import CommandCheck
from sidecar.clock import SystemClock
from sidecar.model.families import COMMAND_EXIT_CODE
from sidecar.outbound import Outbound
from sidecar.secrets import Secret
from sidecar.services import prober
from sidecar.services.probing import Recording, probe_once

pytestmark = pytest.mark.realtime


def check(*argv: str, **settings: Any) -> CommandCheck:
    return CommandCheck.model_validate({"name": "job", "command": list(argv), "timeout": "5s"} | settings)


def shell(script: str, **settings: Any) -> CommandCheck:
    return check("/bin/sh", "-c", script, **settings)


async def probe(one: CommandCheck):
    ctx = Recording(SystemClock(), Outbound())
    return await probe_once(one, ctx), ctx


def values(ctx: Recording) -> dict[str, float]:
    """What was recorded, by name and labels."""
    return {
        u.family.name + "".join(f",{name}={text}" for name, text in sorted(u.labels.items())): round(u.value, 9)
        for u in ctx.updates
        if u.family is not COMMAND_EXIT_CODE
    }


@pytest.mark.parametrize(
    ("script", "settings", "word", "says"),
    [
        pytest.param("true", {}, "", "", id="well"),
        pytest.param("echo no disk; exit 3", {}, "exit_code", "got the exit code 3, expected 0: no disk", id="badly"),
        pytest.param("echo why >&2; exit 1", {}, "exit_code", "expected 0: why", id="its errors are read, too"),
        pytest.param("exit 3", {"expect_exit": [3, 4]}, "", "", id="as expected"),
        pytest.param(
            "exit 0", {"expect_exit": [3, 4]}, "exit_code", "got the exit code 0, expected 3 or 4", id="not so"
        ),
        pytest.param("kill -SEGV $$", {}, "exit_code", "ended by SIGSEGV", id="by a signal"),
        pytest.param("echo fine; exit 1", {"nagios": True}, "", "", id="Nagios' warning"),
        pytest.param(
            "echo 'so so | x=1'; exit 1",
            {"nagios": True, "warning": "failure"},
            "exit_code",
            "the plugin says warning: so so",
            id="Nagios' warning counts",
        ),
        pytest.param("echo bad; exit 2", {"nagios": True}, "exit_code", "the plugin says critical: bad", id="critical"),
        pytest.param("echo eh; exit 3", {"nagios": True}, "unknown", "the plugin says unknown: eh", id="unknown"),
        pytest.param("exit 64", {"nagios": True}, "exit_code", "expected 0 to 3 from a plugin", id="no plugin's code"),
        pytest.param("echo 'x y'", {"output": "prometheus"}, "assertion", "no text of metrics", id="no metrics"),
        pytest.param("pwd", {"cwd": "/nowhere"}, "not_found", "there is no folder /nowhere", id="no folder"),
        pytest.param("yes", {"max_output": 1000}, "too_large", "more than 1000 bytes", id="endless output"),
        pytest.param("yes >&2", {}, "too_large", "raise `max_output`", id="endless errors"),
        pytest.param("cat; echo read", {}, "", "", id="nothing to read"),
    ],
)
async def test_how_it_ends(script, settings, word, says):
    """The exit code decides, and the message has what the program said."""
    result, _ = await probe(shell(script, **settings))

    assert (result.error_type or result.reason) == word
    assert says in result.message


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        pytest.param(["no-such-program-here"], "not_found", id="no program"),
        pytest.param(["PLAIN"], "permission", id="not executable"),
        pytest.param(["NOISE"], "bad_request", id="no program after all"),
        pytest.param(["/bin/true", "x" * 99_000, *(["y" * 99_999] * 30)], "bad_request", id="too many arguments"),
    ],
)
async def test_programs_that_cannot_be_run(argv, word, tmp_path):
    """Each has its word, and the message says what is expected."""
    (tmp_path / "PLAIN").write_text("words")
    (tmp_path / "NOISE").write_bytes(b"\x00\x01\x02")
    (tmp_path / "NOISE").chmod(0o755)
    first = argv[0].replace("PLAIN", str(tmp_path / "PLAIN")).replace("NOISE", str(tmp_path / "NOISE"))

    result, _ = await probe(check(first, *argv[1:]))

    assert result.error_type == word


async def test_its_environment(monkeypatch):
    """Of the daemon's variables it sees four, and those that are named; secrets reach it and nobody else."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-for-you")
    monkeypatch.setenv("REGION", "eu")
    one = check("/usr/bin/env", inherit=["REGION"], env={"API_TOKEN": "hush-hush-hush", "MODE": "test"})

    _, ctx = await probe(one)

    said = dict(line.split("=", 1) for line in ctx.body.decode().splitlines())
    assert set(said) - {"PATH", "LANG", "HOME", "TZ"} == {"REGION", "API_TOKEN", "MODE"}
    assert said["API_TOKEN"] == "hush-hush-hush"
    assert "hush" not in repr(one)


async def test_no_secret_in_what_it_said():
    """Whatever it prints is redacted before anybody sees it."""
    Secret("hunter2-hunter2")
    result, _ = await probe(shell("echo hunter2-hunter2; exit 1"))

    assert "hunter2" not in result.message + str(result.notes) + str(result.evidence)


async def gone(pid: int) -> bool:
    """Whether a process has ended; one that is a child of ours is given the time to be noticed by its watcher."""
    for patience in range(100):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" or patience < 25:
                await asyncio.sleep(0.02)
                continue
        await asyncio.sleep(0.02)
        return True
    return False


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("echo $$; sleep 60", id="one that sleeps"),
        pytest.param("trap '' TERM; echo $$; while :; do sleep 0.05; done", id="one that does not want to end"),
    ],
)
async def test_one_that_takes_too_long_is_killed(script, tmp_path):
    """With all of its session, and nobody waits for it any longer."""
    pid = tmp_path / "pid"
    result, _ = await probe(shell(script.replace("echo $$", f"echo $$ > {pid}"), timeout="300ms"))

    assert result.error_type == "timeout"
    assert await gone(int(pid.read_text()))


async def test_a_cancellation_leaves_nobody_behind(tmp_path):
    """Also when it is cancelled again while it waits for the end."""
    pid = tmp_path / "pid"
    script = f"trap '' TERM; echo $$ > {pid}.new; mv {pid}.new {pid}; while :; do sleep 0.05; done"
    task = asyncio.create_task(run(["/bin/sh", "-c", script], {"PATH": os.environ["PATH"]}, most=100))
    while not pid.exists():
        await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert await gone(int(pid.read_text()))


async def test_the_end_of_the_daemon_leaves_nobody_behind(tmp_path, monkeypatch):
    """Whoever is probed then gets its time to end, and is killed."""
    monkeypatch.setattr(prober, "GRACE", 0.05)
    pid = tmp_path / "pid"
    one = shell(f"trap '' TERM; echo $$ > {pid}.new; mv {pid}.new {pid}; while :; do sleep 0.05; done", timeout="1m")
    watching = prober.Prober(
        [one], SystemClock(), Outbound(), emit=lambda _: None, lapse=lambda *_: None, on_change=lambda *_: None
    )
    task = asyncio.create_task(watching.run())
    while not pid.exists():
        await asyncio.sleep(0.01)

    task.cancel()
    await asyncio.wait([task])

    assert await gone(int(pid.read_text()))


async def test_a_grandchild_holds_nobody(tmp_path):
    """One that keeps the pipe open does not delay the result, and does not outlive the probe."""
    pid = tmp_path / "pid"
    result, _ = await probe(shell(f"sleep 60 & echo $! > {pid}; echo done"))

    assert result.error_type == ""
    assert result.notes["said"] == "done"
    assert await gone(int(pid.read_text()))


async def test_what_is_written_to_it():
    """A program may be given bytes to read."""
    ended = await run(["/bin/cat"], {}, most=100, stdin=b"hello")

    assert (ended.code, ended.stdout, ended.signal) == (0, b"hello", "")


async def test_the_name_of_a_signal():
    """A program that is killed says by what."""
    ended = await run(["/bin/sh", "-c", "kill -KILL $$"], {}, most=100)

    assert ended.code == -signal.SIGKILL
    assert ended.signal == "SIGKILL"


@pytest.mark.parametrize(
    ("printed", "settings", "found"),
    [
        pytest.param(
            "OK - 4 ms|'round trip'=4ms;10;20;0 loss=0%;; size=1.5KB;;;0; n=3 bad=U big=2GB",
            {},
            {
                "probe_value,name=round trip": 0.004,
                "probe_value,name=loss": 0.0,
                "probe_value,name=size": 1536.0,
                "probe_value,name=n": 3.0,
                "probe_value,name=big": 2.0 * 1024**3,
            },
            id="Nagios' performance data",
        ),
        pytest.param(
            "OK | a=1\nlong text\nmore | b=2\nc=3;1;2",
            {},
            {f"probe_value,name={name}": float(n) for n, name in enumerate("abc", 1)},
            id="behind the second bar, too",
        ),
        pytest.param(
            '# TYPE jobs_total counter\njobs_total{queue="a"} 3\n# HELP x y\ntemperature 21.5\n',
            {},
            {"jobs_total,queue=a": 3.0, "temperature": 21.5},
            id="Prometheus' text",
        ),
        pytest.param("a 1\nb 2 oh no", {}, {}, id="not quite metrics"),
        pytest.param("all is well", {}, {}, id="words"),
        pytest.param("a 1", {"output": "none"}, {}, id="not asked for"),
        pytest.param("x | a=1", {"output": "nagios"}, {"probe_value,name=a": 1.0}, id="as told"),
    ],
)
async def test_numbers_in_the_output(printed, settings, found):
    """What is printed in one of two formats becomes metrics."""
    _, ctx = await probe(check("/usr/bin/printf", "%s", printed, **settings))

    assert values(ctx) == found


@pytest.mark.parametrize(
    "line",
    [
        'sidecar_check_up{check="x"} 1',
        "probe_success 1",
        "ALERTS 1",
        "system_load1 1",
        'a{check="other"} 1',
        'a{team="other"} 1',
        "a NaN",
        f'a{{b="{"x" * 300}"}} 1',
    ],
)
async def test_numbers_that_are_not_the_programs_to_tell(line):
    """Nobody speaks in our name, or of another check; what is left out is noted."""
    one = check("/usr/bin/printf", "%s\n", line, "good 2", output="prometheus", labels={"team": "ours"})

    _, ctx = await probe(one)

    assert values(ctx) == {"good": 2.0}
    assert ctx.notes["left_out"] == 1


async def test_more_numbers_than_there_is_room_for():
    """The first ones are taken, and the others are noted."""
    _, ctx = await probe(shell("for i in 1 2 3 4 5; do echo n$i $i; done", max_series=3))

    assert len(values(ctx)) == 3
    assert ctx.notes["left_out"] == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"command": "df -h"}, "expected a list such as", id="a text"),
        pytest.param({"command": []}, "at least 1 item", id="nothing"),
        pytest.param({"command": [" "]}, "expected the name of a program", id="no program"),
        pytest.param({"command": ["a\x00b"]}, "pattern", id="a NUL byte"),
        pytest.param({"nagios": True, "expect_exit": [1]}, "has both", id="two meanings"),
        pytest.param({"env": {"A B": "x"}}, "expected letters", id="no variable"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    """The mistake says what is expected."""
    with pytest.raises(ValidationError, match=says):
        CommandCheck.model_validate({"name": "job", "command": ["true"]} | settings)

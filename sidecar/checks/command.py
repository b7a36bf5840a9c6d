"""Whether a program ends well, and what it prints."""

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sidecar.checks import Check, CheckFailed, CheckUnknown, ProbeContext
from sidecar.checks._http import quoted, reveal
from sidecar.checks._printed import Printed, looks_like_metrics, metrics, perfdata
from sidecar.checks._process import Ended, run
from sidecar.model.families import COMMAND_EXIT_CODE
from sidecar.secrets import Secret

_INHERITED: Final = ("PATH", "LANG", "HOME", "TZ")
_CREDENTIAL: Final = re.compile(r"auth|key|token|secret|password|passwd|credential|dsn|url", re.IGNORECASE)
_WARNING, _CRITICAL, _UNKNOWN = 1, 2, 3  # Nagios' exit codes


def _no_shell(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 -- pydantic takes this one for a mistake in the settings
            f"got the text {value[:60]!r}, expected a list such as [/usr/bin/check, --fast]: no shell reads it. "
            "With a shell of its own it is [/bin/sh, -c, '…']"
        )
    return value


def _variables(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    for name in value:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError("got a variable whose name is not one, expected letters, digits and underscores")
    # A variable such as MODE=production is hidden like the others, but its word stays readable elsewhere.
    return {
        name: Secret(str(text), known=False)
        if isinstance(text, str | int | float) and not _CREDENTIAL.search(name)
        else text
        for name, text in value.items()
    }


Argument = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=100_000)]


class CommandCheck(Check):
    """Runs a program, without a shell, and looks at its exit code.

    The program has a session of its own, which is ended with the probe: whatever it leaves behind is killed, too. It
    sees no variable of the daemon but PATH, LANG, HOME and TZ. Numbers that it prints become metrics.
    """

    crosses_network: ClassVar[bool] = False

    type: Literal["command"] = "command"
    command: Annotated[tuple[Argument, ...], BeforeValidator(_no_shell)] = Field(
        description="The program and its arguments, as a list.", examples=[["/bin/true"]], min_length=1
    )
    env: Annotated[dict[str, Secret], BeforeValidator(_variables)] = Field(
        default_factory=dict,
        description="Variables of its environment; their values are never shown.",
        examples=[{"PGPASSFILE": "/run/secrets/pgpass"}],
    )
    inherit: tuple[str, ...] = Field(
        (),
        description="Variables of the daemon that it sees as well; always PATH, LANG, HOME and TZ.",
        examples=[["KUBECONFIG"]],
    )
    cwd: str = Field(
        "", description="The folder in which it runs; without it, the daemon's.", examples=["/var/lib/sidecar"]
    )
    expect_exit: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        (0,), description="Exit codes that are a success.", min_length=1
    )
    nagios: bool = Field(
        False, description="Whether it is a plugin of Nagios: 0 is well, 1 a warning, 2 critical, 3 unknown."
    )
    warning: Literal["success", "failure"] = Field("success", description="What Nagios' exit code 1 is.")
    output: Literal["auto", "nagios", "prometheus", "none"] = Field(
        "auto",
        description="What its output is read as: Nagios' performance data become `probe_value{name}` in base units, "
        "Prometheus' text keeps its names; auto takes what it looks like.",
    )
    max_output: int = Field(256 * 1024, description="The most bytes that it may print.", ge=1, le=16 * 1024 * 1024)
    max_series: int = Field(100, description="The most numbers that are taken from its output.", ge=0, le=2000)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.nagios and "expect_exit" in self.model_fields_set:
            raise ValueError("has both `nagios` and `expect_exit`; expected one: Nagios' codes have fixed meanings")
        if not self.command[0].strip():
            raise ValueError("the first argument is empty, expected the name of a program")
        return self

    @property
    def target(self) -> str:
        return f"command://{self.command[0]}"

    async def probe(self, ctx: ProbeContext) -> None:
        env = {name: os.environ[name] for name in (*_INHERITED, *self.inherit) if name in os.environ}
        env |= {name: reveal(value, "not_found") for name, value in self.env.items()}
        try:
            ended = await run(self.command, env, cwd=self.cwd or None, most=self.max_output)
        except (OSError, ValueError) as exc:
            raise self._not_begun(exc) from exc
        text = ended.stdout.decode("utf-8", "replace")
        ctx.saw({}, ended.stdout or ended.stderr)
        if ended.flooded:
            raise CheckFailed(
                "too_large", f"it printed more than {self.max_output} bytes; print less, or raise `max_output`"
            )
        if ended.code >= 0:
            ctx.record(COMMAND_EXIT_CODE, ended.code)
        broken = self._numbers(ctx, text)
        self._judge(ctx, ended, self._first_line(ended))
        if broken:
            raise CheckFailed("assertion", broken)

    def _not_begun(self, exc: OSError | ValueError) -> CheckFailed:
        program = quoted(self.command[0])
        if self.cwd and not Path(self.cwd).is_dir():
            return CheckFailed("not_found", f"there is no folder {quoted(self.cwd)}, expected one to run {program} in")
        match exc:
            case FileNotFoundError():
                return CheckFailed("not_found", f"there is no program {program}, expected one in PATH or a whole path")
            case PermissionError():
                return CheckFailed("permission", f"{program} may not be run; is it executable, and for our user?")
            case OSError(errno=errno.EAGAIN | errno.ENOMEM | errno.EMFILE | errno.ENFILE):
                return CheckFailed("overloaded", f"{program} cannot be run: {os.strerror(exc.errno or 0)}")
            case OSError():
                return CheckFailed("bad_request", f"{program} cannot be run: {os.strerror(exc.errno or 0)}")
        return CheckFailed("bad_request", f"{program} cannot be run with these arguments or variables")

    def _judge(self, ctx: ProbeContext, ended: Ended, line: str) -> None:
        said = f": {line}" if line else ""
        if line:
            ctx.note(said=line)
        if ended.signal:
            raise CheckFailed("exit_code", f"it was ended by {ended.signal}{said}")
        if not self.nagios:
            if ended.code not in self.expect_exit:
                expected = " or ".join(map(str, self.expect_exit))
                raise CheckFailed("exit_code", f"got the exit code {ended.code}, expected {expected}{said}")
            return
        if ended.code == _UNKNOWN:
            raise CheckUnknown("unknown", f"the plugin says unknown{said}")
        if ended.code == _WARNING:
            ctx.note(warning=line or "without words")
        if ended.code == _CRITICAL or (ended.code == _WARNING and self.warning == "failure"):
            word = "critical" if ended.code == _CRITICAL else "warning"
            raise CheckFailed("exit_code", f"the plugin says {word}{said}")
        if ended.code > _UNKNOWN:
            raise CheckFailed("exit_code", f"got the exit code {ended.code}, expected 0 to 3 from a plugin{said}")

    def _first_line(self, ended: Ended) -> str:
        """What it says to a person: its first line, and of a plugin's without the numbers."""
        for written in (ended.stdout, ended.stderr):
            for line in written.decode("utf-8", "replace").splitlines():
                said = line.partition("|")[0] if self.nagios or self.output == "nagios" else line
                if said.strip() and not line.startswith("# "):
                    return quoted(said)
        return ""

    def _numbers(self, ctx: ProbeContext, text: str) -> str:
        """Export the numbers in its output; what is wrong with them, or nothing."""
        found, broken = Printed(self.max_series), ""
        try:
            match self._kind(text):
                case "prometheus":
                    metrics(text, found, self.labels)
                case "nagios":
                    perfdata(text, found)
        except ValueError as exc:
            broken = f"its output is no text of metrics: {quoted(str(exc))}; expected that, or another `output`"
        for family, labels, value in found:
            ctx.record(family, value, **labels)
        if found.refused:
            ctx.note(left_out=found.refused)
        return broken if self.output == "prometheus" else ""

    def _kind(self, text: str) -> str:
        if self.output != "auto":
            return self.output
        if self.nagios or "|" in text.partition("\n")[0]:
            return "nagios"
        return "prometheus" if looks_like_metrics(text) else "none"

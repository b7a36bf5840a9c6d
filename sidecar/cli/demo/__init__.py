"""`sidecar demo`: an incident in about a minute, with no key and no network."""

import asyncio
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console

from sidecar.cli.demo import configuration
from sidecar.cli.demo.narrator import Narrator
from sidecar.cli.demo.scenarios import SCENARIOS, Scenario
from sidecar.cli.demo.story import Story
from sidecar.cli.groups import notes
from sidecar.model import durations
from sidecar.model.durations import DurationError


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else durations.parse(str(value))
        except DurationError as exc:
            self.fail(str(exc), param, ctx)


_STORIES = "\n".join(f"  {scenario.name:<11}{scenario.title}" for scenario in SCENARIOS.values())


@click.command(
    short_help="An incident in about a minute, with no key and no network.",
    epilog=f"\b\nScenarios:\n{_STORIES}\n\n"
    + notes(
        "sidecar demo",
        "sidecar demo --scenario stall --for 10m",
        "sidecar demo --print-config > sidecar.yml",
    ),
)
@click.option(
    "--scenario", type=click.Choice(list(SCENARIOS)), default="incident", show_default=True, help="What happens."
)
@click.option(
    "--for",
    "stay",
    type=_Duration(),
    metavar="DURATION",
    help="Stay up for so long in all, to look around: 10m. The story is told to its end.",
)
@click.option("--print-config", is_flag=True, help="Print the configuration that the demo uses, and end.")
def demo(scenario: str, stay: float | None, *, print_config: bool) -> None:
    """See it work: Claude breaks, the sidecar notices, people are told, Claude recovers.

    Starts a simulated Claude API, a toy gateway with users, receivers for Slack, mail and webhooks, and the real daemon
    with the shipped rules; tells what happens as it happens. Everything is local and gone afterwards.
    """
    if print_config:
        click.echo(configuration.text(configuration.EXAMPLE), nl=False)
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=110)
    with tempfile.TemporaryDirectory(prefix="sidecar-demo-") as folder:
        went_well = _tell(SCENARIOS[scenario], stay, Narrator(console), Path(folder))
    if not went_well:
        raise SystemExit(1)


def _tell(scenario: Scenario, stay: float | None, narrator: Narrator, folder: Path) -> bool:
    async def told() -> bool:
        task = asyncio.current_task()
        assert task is not None
        for name in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal must not leave a daemon behind
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        return await Story(scenario, narrator, folder).tell(stay)

    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        return asyncio.run(told())
    narrator.heading("Ended; nothing is left running")
    return True

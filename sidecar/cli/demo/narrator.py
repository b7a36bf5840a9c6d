"""How the demo speaks: short headings, a line for each thing that happens, messages as people see them."""

import textwrap
import time
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from sidecar.cli.demo.reading import Seen
from sidecar.cli.tables import Column, fitted

_WIDEST = 110
_INDENT = 19
_STYLES = {
    "claude": "magenta",
    "users": "blue",
    "sidecar": "cyan",
    "slack": "yellow",
    "email": "yellow",
    "webhook": "yellow",
}
_FORMS = {"slack": "as Slack shows it", "email": "as a mail program shows it", "webhook": "as your program gets it"}


class Narrator:
    """Says things on *console*, which may be a terminal or a pipe; the story's time stands before what happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, _WIDEST)
        self._begun: float | None = None

    def begin(self) -> None:
        """The story's time is zero now."""
        self._begun = time.monotonic()

    @property
    def now(self) -> float:
        """Seconds of the story; 0.0 before it begins."""
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    def heading(self, text: str) -> None:
        """A new part of the story."""
        title = text if self._begun is None else f"{self.now:.0f} s · {text}"
        self._console.print()
        self._console.print(Rule(Text(title, style="bold"), align="left", style="dim"), width=self._width)

    def say(self, text: str) -> None:
        """A paragraph."""
        self._console.print(Text(text), width=self._width)

    def lines(self, lines: Iterable[str]) -> None:
        """Text that stays as it is."""
        for line in lines:
            self._console.print(Text(f"  {line}"), soft_wrap=True)

    def addresses(self, rows: Sequence[tuple[str, str]]) -> None:
        """What to look at, and where."""
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self._console.print(Text(f"  {name:<{width}}  ").append(value, style="bold"), soft_wrap=True)

    def event(self, who: str, what: str, *, good: bool | None = None) -> None:
        """Something happened to *who*."""
        style = "" if good is None else "green" if good else "red"
        first, *rest = self._fitting(what)
        line = Text().append(f"{self.now:6.1f} s  ", style="dim")
        line.append(f"{who:<8} ", style=_STYLES.get(who, "")).append(first, style=style)
        self._console.print(line, soft_wrap=True)
        for text in rest:
            self._console.print(Text(" " * _INDENT).append(text, style=style), soft_wrap=True)

    def _fitting(self, what: str) -> list[str]:
        """*what* as lines beside the time and who it was; in a pipe one line, however long."""
        if not self._console.is_terminal:
            return [what]
        return textwrap.wrap(what, max(20, self._width - _INDENT), break_on_hyphens=False) or [""]

    def message(self, seen: Seen, *, whole: bool) -> None:
        """A message arrived; its body is shown when *whole*."""
        self.event(seen.channel, f"→ {seen.to}: {seen.headline}", good=not seen.opens)
        if whole and seen.body:
            title = Text(_FORMS.get(seen.channel, ""), style="dim")
            style = "red" if seen.opens else "green"
            panel = Panel(Text("\n".join(seen.body)), title=title, title_align="left", border_style=style)
            self._console.print(Padding(panel, (0, 0, 0, 11)), width=self._width)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Rows under a header; where there is no room, without the columns that matter least."""
        head, *lines = map(click.unstyle, fitted(columns, rows, self._width - 2, indent=0))
        self._console.print(Text(f"  {head}", style="bold"), soft_wrap=True)
        for line in lines:
            self._console.print(Text(f"  {line}"), soft_wrap=True)

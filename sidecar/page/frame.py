"""What every page stands in: sections that can be replaced one by one, in one document.

A view makes its sections with a `Frame`:

    frame = Frame(now, root="../")
    return Page("claude", (frame.section("summary", "check/summary.html", check=check),), status="down")

Templates are found in `templates/`; all that they are given is escaped. They know `now` (seconds since the epoch),
`zone` (of the people who read, as a `tzinfo`),
`root` (the way to `/`, for links: `href="{{ root }}alerts/{{ fingerprint }}"`), the filters `when`, `seconds`,
`percent`, `dollars`, `segment`, and the functions of `graphics`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from sidecar.model import durations
from sidecar.model.uptime import WINDOWS
from sidecar.page import assets, graphics, times, writing
from sidecar.secrets import redact
from sidecar.templating.times import zone

_NO_PARTS: Final[Mapping[str, Markup]] = MappingProxyType({})

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every document: nothing of others is loaded, nothing of ours is told to others."""


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a page that is replaced when it has changed. Its *id* is unique on the page.

    With *parts*, by their ids, `html` is what stands around them, each of which is a `PART` there; then a part is
    replaced alone as long as those around it stay.
    """

    id: str
    html: Markup
    parts: Mapping[str, Markup] = field(default_factory=lambda: _NO_PARTS)

    def whole(self) -> Markup:
        """With the parts in their places."""
        if not self.parts:
            return self.html
        found = re.split("<!--part ([A-Za-z0-9-]+)-->", self.html)
        return Markup("".join(self.parts[text] if n % 2 else text for n, text in enumerate(found)))  # noqa: S704 -- ours


def part(id_: str) -> Markup:
    """Where the part of that id stands in its section."""
    return Markup("<!--part {}-->").format(id_)


@dataclass(frozen=True, slots=True)
class Page:
    """A title, and what stands below it from top to bottom."""

    title: str
    sections: tuple[Section, ...]
    health: str = "unknown"  # a word of `Status`, for the icon of the window
    now: float = 0.0  # what it shows, seconds since the epoch
    root: str = ""  # the way from here to `/`


class Frame:
    """Makes the sections of one page, as they are at *now*, for people in the time zone *timezone*.

    *root* is the way from the page to `/`.
    """

    def __init__(self, now: float, root: str = "", timezone: str = "UTC") -> None:
        self.now = now
        self.root = root
        self._zone = zone(timezone)

    def html(self, template: str, **context: Any) -> Markup:
        """What the template of that name makes of *context*."""
        made = environment().get_template(template).render(now=self.now, root=self.root, zone=self._zone, **context)
        return Markup(made.strip())  # noqa: S704 -- escaped by the template

    def section(self, id_: str, template: str, **context: Any) -> Section:
        """The same, as a section."""
        return Section(id_, self.html(template, **context))


@dataclass(frozen=True, slots=True)
class Around:
    """What stands on every page: whose it is."""

    pod: str
    labels: Mapping[str, str]
    version: str
    timezone: str = "UTC"

    @property
    def build(self) -> str:
        """The same as long as an open page can stay: its parts are replaced, but not its style and its script."""
        told = [self.version, self.timezone, sorted(self.labels.items()), *map(assets.version, ("page.css", "page.js"))]
        return hashlib.blake2s(json.dumps(told).encode(), digest_size=8).hexdigest()


def document(page: Page, around: Around, live: str = "") -> str:
    """The whole document; *live* is where its changes are heard, from the root."""
    return (
        environment()
        .get_template("document.html")
        .render(page=page, around=around, live=live, now=page.now, root=page.root, revision=revision(page))
    )


def refusal(title: str, text: str, root: str) -> tuple[str, Mapping[str, str]]:
    """A small document that says why there is no other, and its headers; *root* is the way from it to `/`."""
    return environment().get_template("refusal.html").render(title=title, text=text, root=root), HEADERS


def digest(html: str) -> str:
    """The same for two renderings that differ in nothing but how long ago something was."""
    return hashlib.blake2s(times.without(html).encode("utf-8", "replace"), digest_size=8).hexdigest()


def revision(page: Page) -> str:
    """The same for two pages that say the same."""
    told = [page.title, page.health, *(digest(section.whole()) for section in page.sections)]
    return hashlib.blake2s(json.dumps(told).encode(), digest_size=8).hexdigest()


@cache
def environment() -> jinja2.Environment:
    """Where templates are found, and what they know. What is not defined is an error, and all is escaped."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("sidecar.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "when": times.when,
        "span": times.span,
        "iso": times.iso,
        "clock": times.clock,
        "seconds": writing.seconds,
        "duration": durations.show,
        "percent": writing.percent,
        "dollars": writing.dollars,
        "spent": writing.spent,
        "count": writing.count,
        "words": writing.words,
        "ticks": writing.ticks,
        "segment": lambda text: quote(str(text), safe=""),
    }
    made.tests["weblink"] = _is_web
    made.globals |= {
        "asset": assets.address,
        "sparkline": graphics.sparkline,
        "strip": graphics.strip,
        "bar": graphics.bar,
        "part": part,
        "windows": WINDOWS,
    }
    return made


def _harmless(value: object) -> object:
    """*value* as it may be shown: texts of others without a secret in them. Markup is ours."""
    return redact(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _is_web(url: str) -> bool:
    """Whether a browser may be sent there: what others write might be `javascript:`."""
    return url.lower().startswith(("https://", "http://"))

"""Times as the page shows them: absolute in UTC, where people are, and how long ago."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from jinja2 import pass_context
from markupsafe import Markup

_SHORT: Final = 90
"""Seconds that are not called minutes, and minutes that are not called hours."""
_LONG: Final = 48 * 3600
"""Seconds that are called days."""
_AGO: Final = re.compile(r'(<span class="ago" data-at="([0-9.]+)" data-form="(\w+)">)[^<]*')


def span(seconds: float) -> str:
    """How long, in a unit that fits: `42 s`, `4 min`, `3 h 59 min`, `2 d 5 h`; `page.js` has the same."""
    whole = int(max(0.0, seconds))
    if whole < _SHORT:
        return f"{whole} s"
    if whole < _SHORT * 60:
        return f"{whole // 60} min"
    if whole < _LONG:
        return f"{whole // 3600} h" + (f" {minutes} min" if (minutes := whole % 3600 // 60) else "")
    return f"{whole // 86400} d" + (f" {hours} h" if (hours := whole % 86400 // 3600) else "")


def relative(at: float, now: float, form: str = "ago") -> str:
    """*at* as seen from *now*: `4 min ago`, `in 4 min`, `just now`; with the form `for` only `4 min`."""
    away = abs(now - at)
    if form == "for":
        return span(away)
    if away < 1:
        return "just now" if now >= at else "now"
    return f"{span(away)} ago" if now >= at else f"in {span(away)}"


@pass_context
def when(context: Mapping[str, Any], at: float | None, form: str = "ago") -> Markup:
    """A filter: the time *at* with its relative words, which the page's script keeps true; a dash for None.

    The words stand alone in a `span.ago`, so that two renderings can be compared without them. What the time is where
    people are shows when they point at it, and with the form `for` at once.
    """
    if at is None:
        return Markup("–")
    now: float = context["now"]
    words = Markup('<span class="ago" data-at="{:.3f}" data-form="{}">{}</span>').format(
        at, form, relative(at, now, form)
    )
    there = local(at, context.get("zone", UTC))
    title = Markup(' title="{}"').format(there) if there else ""
    time = Markup('<time datetime="{}"{}>{}</time>').format(iso(at), title, clock(at, now))
    if there and form == "for":
        time += Markup(', <span class="nowrap">{}</span>').format(there)
    return (Markup("{} ({})") if form == "for" else Markup("{} {}")).format(time, words)


def refreshed(html: Markup, now: float) -> Markup:
    """*html*, made by a template some time ago, with its relative words as they are *now*."""
    return Markup(_AGO.sub(lambda found: found[1] + relative(float(found[2]), now, found[3]), html))  # noqa: S704 -- ours


def without(html: str) -> str:
    """*html* without its relative words: the same as long as nothing but time has passed."""
    return _AGO.sub(r"\1", html)


def iso(at: float) -> str:
    """*at* as RFC 3339 in UTC, to the second; the nearest time that has a text."""
    return _moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(at: float, now: float) -> str:
    """`03:12:04 UTC`, with the date in front when it is another day than *now*."""
    then, today = _moment(at), _moment(now)
    if then.date() == today.date():
        return then.strftime("%H:%M:%S UTC")
    if then.year == today.year:
        return f"{then.day} {then:%b %H:%M:%S} UTC"
    return then.strftime("%Y-%m-%d %H:%M:%S UTC")


def local(at: float, zone: tzinfo) -> str:
    """`05:12:04 CEST`, with the date in front when it is another day than in UTC; empty where UTC is the time."""
    then = _moment(at)
    there = then.astimezone(zone)
    if there.tzname() == "UTC":
        return ""
    return there.strftime("%H:%M:%S %Z") if there.date() == then.date() else f"{there.day} {there:%b %H:%M:%S %Z}"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0.0), 253402300799.0), UTC)

"""Prometheus' template functions."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit

import re2

from sidecar.model import durations
from sidecar.templating.gotemplate.nodes import TemplateError
from sidecar.templating.gotemplate.printing import sprintf, type_name

_LARGE: Final = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_BINARY: Final = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL: Final = ("m", "u", "n", "p", "f", "a", "z", "y")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_NANOSECONDS: Final = 2.0**63


class Sample:
    """One result of `query`: `.Labels` and `.Value`."""

    def __init__(self, labels: Mapping[str, str], value: float) -> None:
        self.template_fields: Mapping[str, Any] = {"Labels": labels, "Value": value}

    @property
    def labels(self) -> Mapping[str, str]:
        return self.template_fields["Labels"]  # type: ignore[no-any-return]  # set above

    @property
    def value(self) -> float:
        return self.template_fields["Value"]  # type: ignore[no-any-return]  # set above

    def __str__(self) -> str:
        labels = " ".join(f"{name}:{value}" for name, value in sorted(self.labels.items()))
        return f"&{{map[{labels}] {sprintf('%v', [self.value])}}}"


def number(value: Any) -> float:
    """*value* as a number, as every `humanize…` takes it; text is read."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError as exc:
            raise TemplateError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from exc
    raise TemplateError(f"can't convert {type_name(value)} to float")


def _short(value: float) -> str:
    return sprintf("%.4g", [value])


def _scaled(value: float, limit: float, prefixes: Sequence[str]) -> tuple[float, str]:
    """*value* with the prefix that makes it less than *limit*."""
    prefix = ""
    for candidate in prefixes:
        if abs(value) < limit:
            break
        prefix, value = candidate, value / limit
    return value, prefix


def _tiny(value: float) -> tuple[float, str]:
    prefix = ""
    for candidate in _SMALL:
        if abs(value) >= 1:
            break
        prefix, value = candidate, value * 1000
    return value, prefix


def humanize(value: Any) -> str:
    """`1234567` is `1.235M`."""
    plain = number(value)
    if plain == 0 or not math.isfinite(plain):
        return _short(plain)
    scaled, prefix = _scaled(plain, 1000, _LARGE) if abs(plain) >= 1 else _tiny(plain)
    return _short(scaled) + prefix


def humanize1024(value: Any) -> str:
    """`1048576` is `1Mi`."""
    plain = number(value)
    if abs(plain) <= 1 or not math.isfinite(plain):
        return _short(plain)
    scaled, prefix = _scaled(plain, 1024, _BINARY)
    return _short(scaled) + prefix


def humanize_duration(value: Any) -> str:
    """Seconds: `3661` is `1h 1m 1s`, `0.25` is `250ms`."""
    plain = number(value)
    if not math.isfinite(plain):
        return _short(plain)
    if plain == 0:
        return "0s"
    if abs(plain) < 1:
        scaled, prefix = _tiny(plain)
        return f"{_short(scaled)}{prefix}s"
    sign, plain = ("-", -plain) if plain < 0 else ("", plain)
    minutes, seconds = divmod(int(plain), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{_short(plain)}s"


def humanize_timestamp(value: Any) -> str:
    """Seconds since the epoch: `2015-11-18 17:23:20 +0000 UTC`."""
    plain = number(value)
    if not math.isfinite(plain):
        return _short(plain)
    if abs(plain * 1e9) >= _MAX_NANOSECONDS:
        raise TemplateError(
            f"{_short(plain)} cannot be represented as a nanoseconds timestamp since it overflows int64"
        )
    milliseconds = int(plain * 1e9) // 1_000_000 if plain >= 0 else -(-int(plain * 1e9) // 1_000_000)
    try:
        at = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as exc:
        raise TemplateError(f"{_short(plain)} is no time that can be shown") from exc
    fraction = f".{at.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{at.strftime('%Y-%m-%d %H:%M:%S')}{fraction} +0000 UTC"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"wrong type for value; expected string; got {type_name(value)}")
    return value


def _regex(pattern: Any) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_text(pattern), options=options)
    except re2.error as exc:
        raise TemplateError(f"got the regular expression {pattern!r}: {exc}") from exc


_REFERENCE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def replace_all(pattern: Any, replacement: Any, text: Any) -> str:
    """Every match of *pattern* in *text* replaced; `$1` and `${name}` are groups."""
    regex, new = _regex(pattern), _text(replacement)

    def group(found: Any, name: str) -> str:
        try:
            return found.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError, OverflowError, re2.error):
            return ""

    def fill(found: Any) -> str:
        return _REFERENCE.sub(lambda ref: group(found, ref[1] or ref[2]) if ref[1] or ref[2] else "$", new)

    return str(regex.sub(fill, _text(text)))


def title(text: Any) -> str:
    """The first letter of each word large, the others as they are."""
    return re.sub(
        r"[^\W\d_](?:[\w]|(?<=\w)['’.:](?=[^\W\d_]))*", lambda found: found[0][0].upper() + found[0][1:], _text(text)
    )


def _samples(value: Any) -> Sequence[Sample]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TemplateError(f"wrong type for value; expected the result of a query; got {type_name(value)}")
    return value


def _sample(value: Any) -> Sample:
    if not isinstance(value, Sample):
        raise TemplateError(f"wrong type for value; expected one sample; got {type_name(value)}")
    return value


def _first(value: Any) -> Sample:
    samples = _samples(value)
    if not samples:
        raise TemplateError("first() called on vector with no elements")
    return samples[0]


def _strip_port(text: Any) -> str:
    host = _text(text)
    found = re.fullmatch(r"\[([^\]]*)\]:[^:]*|([^:\[\]]*):[^:]*", host)
    return host if found is None else next(group for group in found.groups() if group is not None)


def _strip_domain(text: Any) -> str:
    found = re.fullmatch(r"(.*?)(:\d+)?", _text(text), re.DOTALL)
    host, port = (found[1], found[2] or "") if found else (text, "")
    bare = host.strip("[]")
    if ":" in bare or re.fullmatch(r"[\d.]+", bare):
        return str(text)  # an address has no domain
    return host.partition(".")[0] + port


def _parse_duration(text: Any) -> float:
    try:
        return durations.parse(_text(text))
    except durations.DurationError as exc:
        raise TemplateError(str(exc)) from exc


def _link(tab: int) -> Callable[[Any], str]:
    return lambda expression: f"/graph?g0.expr={quote_plus(_text(expression))}&g0.tab={tab}"


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "first": _first,
    "label": lambda name, sample: _sample(sample).labels.get(_text(name), ""),
    "value": lambda sample: _sample(sample).value,
    "strvalue": lambda sample: _sample(sample).labels.get("__value__", ""),
    "sortByLabel": lambda name, samples: sorted(_samples(samples), key=lambda one: one.labels.get(_text(name), "")),
    "humanize": humanize,
    "humanize1024": humanize1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": lambda value: _short(number(value) * 100) + "%",
    "humanizeTimestamp": humanize_timestamp,
    "title": title,
    "toUpper": lambda text: _text(text).upper(),
    "toLower": lambda text: _text(text).lower(),
    "match": lambda pattern, text: _regex(pattern).search(_text(text)) is not None,
    "reReplaceAll": replace_all,
    "stripPort": _strip_port,
    "stripDomain": _strip_domain,
    "safeHtml": _text,
    "parseDuration": _parse_duration,
    "graphLink": _link(0),
    "tableLink": _link(1),
}
"""All but those that need the daemon: `query`, `externalURL`, `pathPrefix`."""


def path_of(url: str) -> str:
    """The path of *url*, as `pathPrefix` shows it."""
    return urlsplit(url).path.rstrip("/")

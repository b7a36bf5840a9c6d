"""Requests to Claude, as a gateway reports them."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sidecar.claude import pricing, stop_reasons, usage
from sidecar.claude.errors import outcome
from sidecar.claude.usage import Usage
from sidecar.ingest import names
from sidecar.ingest.effects import Effect, Effects
from sidecar.ingest.failures import Failures
from sidecar.ingest.rejecting import Rejected, amount, shown, text
from sidecar.model.families import (
    CLAUDE_COST,
    CLAUDE_DURATION,
    CLAUDE_FIRST_TOKEN,
    CLAUDE_REQUESTS,
    CLAUDE_RETRIES,
    CLAUDE_STOP_REASONS,
    CLAUDE_TOKENS,
    CLAUDE_TOKENS_PER_SECOND,
)
from sidecar.model.labels import Labels
from sidecar.model.samples import Family, Update
from sidecar.store import Reason

SOURCE: Final = "traffic"
_TARGET: Final = "claude"  # of whoever does not say
_OTHER: Final = "other"
_SET: Final = frozenset({"model", "target", "source", "outcome", "error_type", "token_type", "stop_reason"})
_REMEMBERED: Final = 2000
_PRICED_ABOVE: Final = 30
_TOKENS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
}
# What others call the same: the API's usage, Claude Code's events, OpenTelemetry's attributes. Milliseconds are *_ms.
_ALIASES: Final[Mapping[str, str]] = {
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation_tokens": "cache_write_tokens",
    "cost_usd": "cost",
    "status_code": "status",
    "duration_ms": "duration",
    "ttft_ms": "time_to_first_token",
    "gen_ai.request.model": "model",
    "gen_ai.response.time_to_first_chunk": "time_to_first_token",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cache_read_tokens",
    "gen_ai.usage.cache_write.input_tokens": "cache_write_tokens",
    "http.response.status_code": "status",
    "error.type": "error_type",
    "anthropic.message.stop_reason": "stop_reason",
}


class Words:
    """Texts that others choose, as values of a label: the first so many, and `other` for the rest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, word: str) -> str:
        """*word*, or `other`."""
        if word in self._known:
            return word
        if len(self._known) >= self._most:
            return _OTHER
        self._known.add(word)
        return word


class _Route:
    """Requests with the same labels, and what they come to since the last look."""

    __slots__ = ("_labels", "_on", "_sums", "_waiting", "model")

    def __init__(self, model: str, labels: Labels) -> None:
        self.model = model
        self._on = labels
        self._labels: dict[tuple[str, str], Labels] = {}
        self._sums: dict[tuple[str, str, str], tuple[Family, float]] = {}
        self._waiting: dict[str, list[int]] = {}

    def requests(self, error_type: str, index: int) -> None:
        """The event at *index* is a request that ended so."""
        self._waiting.setdefault(error_type, []).append(index)

    def add(self, family: Family, value: float, label: str = "", word: str = "") -> None:
        """Count *value* more, with one label beside the route's."""
        key = family.name, label, word
        before = self._sums.get(key)
        self._sums[key] = (family, value if before is None else before[1] + value)

    def observe(self, family: Family, value: float) -> Effect:
        return Effect(Update(family, value, self._on))

    def gauge(self, family: Family, value: float, sender: str) -> Effect:
        return Effect(Update(family, value, self._with("sender", sender)))

    def effects(self) -> list[Effect]:
        """All that was added."""
        found = []
        for word, indices in self._waiting.items():
            on = self._with("error_type", word).with_(outcome=outcome(word))
            found.append(Effect(Update(CLAUDE_REQUESTS, len(indices), on), indices))
        for (_, label, word), (family, value) in self._sums.items():
            found.append(Effect(Update(family, value, self._with(label, word))))
        self._waiting, self._sums = {}, {}
        return found

    def _with(self, label: str, word: str) -> Labels:
        if not label or not word:
            return self._on
        known = self._labels.get((label, word))
        if known is None:
            known = self._labels[label, word] = self._on.with_({label: word})
        return known


class Requests:
    """Reads events of the type `request`."""

    def __init__(self, models: int = _PRICED_ABOVE, targets: int = 50) -> None:
        self._models = Words(models)
        self._targets = Words(targets)
        self._failures = Failures()
        self._routes: dict[tuple[object, ...], _Route] = {}
        self._touched: dict[_Route, None] = {}

    def take(self, event: Mapping[str, Any], index: int, sender: str, into: Effects) -> None:
        """Take in one event; raises Rejected, and then nothing of it counts."""
        if not _ALIASES.keys().isdisjoint(event):
            event = _translated(event)
        route = self._route(event)
        error_type = self._failures.word(event)
        numbers = {name: amount(event, name) for name in ("duration", "time_to_first_token", "cost", "retries")}
        tokens = _usage(event) if "usage" in event else _flat(event)
        reason = text(event, "stop_reason")
        # Nothing is wrong with it, so from here on it counts.
        self._touched[route] = None
        route.requests(error_type, index)
        duration, first = numbers["duration"], numbers["time_to_first_token"]
        if duration is not None and not error_type:
            into.counted.append(route.observe(CLAUDE_DURATION, duration))
        if first is not None:
            into.counted.append(route.observe(CLAUDE_FIRST_TOKEN, first))
        if tokens is not None:
            self._consumed(route, tokens, numbers["cost"])
            writing = 0.0 if duration is None or first is None else duration - first
            if writing > 0 and tokens.output_tokens and not error_type:
                speed = tokens.output_tokens / writing
                into.measured.append(route.gauge(CLAUDE_TOKENS_PER_SECOND, speed, sender))
        elif numbers["cost"]:
            route.add(CLAUDE_COST, numbers["cost"])
        if reason:
            route.add(CLAUDE_STOP_REASONS, 1.0, "stop_reason", stop_reasons.label(reason))
        if numbers["retries"]:
            route.add(CLAUDE_RETRIES, numbers["retries"])

    def finish(self, into: Effects) -> None:
        """What all that was taken in since the last time comes to."""
        for route in self._touched:
            into.counted += route.effects()
        self._touched.clear()

    def _consumed(self, route: _Route, tokens: Usage, dollars: float | None) -> None:
        for kind, count in (
            ("input", tokens.input_tokens),
            ("output", tokens.output_tokens),
            ("cache_read", tokens.cache_read),
            ("cache_write", tokens.cache_write),
        ):
            if count:
                route.add(CLAUDE_TOKENS, count, "token_type", kind)
        if dollars is None:
            price = pricing.cost(route.model, tokens)
            dollars = None if price is None else float(price)
        if dollars:
            route.add(CLAUDE_COST, dollars)

    def _route(self, event: Mapping[str, Any]) -> _Route:
        model, target, raw = event.get("model"), event.get("target"), event.get("labels")
        key = (model, target, tuple(raw.items()) if isinstance(raw, dict) else raw)
        try:
            route = self._routes.get(key)
        except TypeError:  # something in it is a list or an object
            route = None
        if route is None:
            if not text(event, "model"):
                raise Rejected(Reason.MALFORMED, f"got model = {shown(model)}, expected the model's name")
            on = names.labels(raw, taken=_SET)
            name = pricing.canonical(text(event, "model"))
            label = name if pricing.price(name, Usage()) else self._models.label(name)
            place = self._targets.label(_place(text(event, "target", 1000)))
            route = _Route(name, on.with_(model=label, target=place, source=SOURCE))
            if len(self._routes) >= _REMEMBERED:
                self._routes.clear()
            self._routes[key] = route
        return route


def _translated(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """*event* in our words; what it says in our words already wins."""
    found = dict(event)
    for name, ours in _ALIASES.items():
        value = found.pop(name, None)
        if value is not None and found.get(ours) is None:
            known = name.endswith("_ms") and isinstance(value, int | float) and not isinstance(value, bool)
            found[ours] = value / 1000 if known else value
    return found


def _place(target: str) -> str:
    """Scheme, host, port and path of *target*: never a user, a password or a query."""
    if not target:
        return _TARGET
    bare = target.partition("?")[0].partition("#")[0]
    if "@" not in bare:
        return bare[:200]
    try:
        parts = urlsplit(bare if "//" in bare else f"//{bare}")
    except ValueError:
        return _OTHER
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{parts.netloc.rpartition('@')[2]}{parts.path}"[:200] or _OTHER


def _usage(event: Mapping[str, Any]) -> Usage | None:
    """The API's own object."""
    raw = event["usage"]
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise Rejected(Reason.MALFORMED, f"got usage = {shown(raw)}, expected the API's object")
    return usage.parse(raw)


def _flat(event: Mapping[str, Any]) -> Usage | None:
    """The event's own fields; None when there are none."""
    counts = [_tokens(event, name) for name in _TOKENS.values()]
    if counts == _NOTHING:
        return None
    read, wrote, cached, written = (count or 0 for count in counts)
    return Usage(
        read,
        wrote,
        cached,
        written,
        fast=event.get("speed") == "fast",
        batch=event.get("service_tier") == "batch",
        inference_geo=text(event, "inference_geo"),
    )


_NOTHING: Final = [None] * len(_TOKENS)


def _tokens(event: Mapping[str, Any], name: str) -> int | None:
    count = event.get(name)
    if count is None or (type(count) is int and 0 <= count < 1 << 40):
        return count
    if type(count) is int and count < 0:
        raise Rejected(Reason.NEGATIVE, f"got {name} = {shown(count)}, expected a count that is not negative")
    raise Rejected(Reason.VALUE, f"got {name} = {shown(count)}, expected a count of tokens")

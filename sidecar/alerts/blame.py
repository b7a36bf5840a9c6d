"""Whose fault it is that a check is down, where the checks know it together.

What an answer says of itself comes first; what other checks find at the same time is the witness where it says
nothing. Between a check and Claude there may be a gateway, so one that asks the API itself is the best witness.
Wherever two readings are left, nobody is blamed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest
from typing import Final

from sidecar.claude.errors import ErrorType, Fault
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.notifications import Blame
from sidecar.templating import safe, times

_UNREACHED: Final = frozenset({ErrorType.DNS, ErrorType.CONNECT, ErrorType.RESET})
_ALONE: Final = 2  # other hosts that cannot be reached either, from which on it is not they who are away
_LATELY: Final = 300.0
"""Seconds before a check went down from which on another's failure may be of the same outage."""
_MESSAGES: Final = ("claude.messages", "claude.stream")
_OURS: Final = (Fault.OUR_KEY, Fault.OUR_ACCOUNT, Fault.OUR_REQUEST)
# Another key, account or supplier may be behind the gateway; and a certificate is wrong, or we trust the wrong ones.
_AMBIGUOUS: Final = frozenset({ErrorType.OVERLOADED, ErrorType.TLS})
_WORDS: Final[Mapping[str, str]] = {ErrorType.SPEND_CAP: "spend limit", ErrorType.THROTTLED: "rate limit"}


@dataclass(frozen=True)
class Witness:
    """A check, and what its probes say together."""

    name: str
    type: str
    state: CheckState
    host: str = ""
    model: str = ""
    api: bool = False  # it asks the API itself, and nothing in between
    local: bool = False  # no network stands between it and what it asks
    negative: bool = False  # it has to fail, and so is well also when it reached nobody

    @cached_property  # in a storm every check is a witness for every alert
    def failure(self) -> ProbeResult | None:
        """Why it is down; None when it is not, or when its latest probe found something else."""
        down = self.state.status is CheckStatus.DOWN and self.state.failures > 0
        return self.state.last_failure if down else None

    @cached_property
    def word(self) -> str:
        """Why it is down, in one word."""
        return self.failure.error_type if self.failure else ""

    def fails(self, since: float) -> bool:
        """Whether it is down, by a probe that ended after *since*."""
        return self.failure is not None and self.failure.at >= since

    def reached(self, since: float) -> bool:
        """Whether it is well, by a probe that ended after *since*."""
        last = self.state.last
        well = self.state.status is CheckStatus.UP and self.state.failures == 0
        return well and last is not None and last.ok and last.at >= since


def blame(own: Witness, others: Iterable[Witness]) -> Blame | None:
    """Whose fault it is that *own* is down, by what it and *others* find; None when that is not known."""
    failure = own.failure
    if failure is None:
        return None
    others = (other for other in others if not other.negative)
    if failure.error_type in _UNREACHED:
        others = tuple(others)
        if found := _cut_off(own, failure, others):
            return found
    if not own.type.startswith("claude."):
        return None
    if own.api:
        return _by_the_api(failure)
    return _by_its_words(failure) or _beside(own, failure, [other for other in others if other.api])


def _began(own: Witness, failure: ProbeResult) -> float:
    """When the probe began that took *own* down."""
    return (failure.at if own.state.since is None else own.state.since) - failure.duration


def _cut_off(own: Witness, failure: ProbeResult, others: Sequence[Witness]) -> Blame | None:
    """The pod's own network, when nothing beyond it is reached."""
    beyond = [other for other in others if not other.local and other.host != own.host]
    since = _began(own, failure) - _LATELY
    away = [other for other in beyond if other.word in _UNREACHED and other.fails(since)]
    if own.local or len({other.host for other in away}) < _ALONE:
        return None
    if any(other.word not in _UNREACHED for other in beyond if other.state.last is not None):
        return None
    return Blame(Fault.NETWORK, "this pod's network", f"{own.word}; {_names(away)} cannot be reached from here either")


def _by_the_api(failure: ProbeResult) -> Blame | None:
    """What the API's own answer says."""
    word = failure.error_type
    match failure.notes.get("fault"):
        case Fault.PROVIDER:
            return Blame(Fault.PROVIDER, "Anthropic", f"{word}, says the API itself")
        case Fault.OUR_ACCOUNT:
            return Blame(Fault.OUR_ACCOUNT, "your account", f"{_WORDS.get(word, word)}, says the API itself")
        case Fault.OUR_KEY:
            return Blame(Fault.OUR_KEY, "your key", f"{word}, says the API itself")
        case Fault.OUR_REQUEST:
            return Blame(Fault.OUR_REQUEST, "this check's own request", f"{word}, says the API itself")
        case _:
            return None  # in front of the API stands more than the API


def _by_its_words(failure: ProbeResult) -> Blame | None:
    """What came through a gateway and says of itself where it came from."""
    word, fault = failure.error_type, failure.notes.get("fault")
    if not str(failure.notes.get("request_id", "")).startswith("req_"):
        return None
    # Only the API gives out such ids: the gateway has passed on what it was told.
    match fault:
        case Fault.PROVIDER:
            return Blame(Fault.PROVIDER, "Anthropic", f"{word}, passed on by the gateway")
        case Fault.OUR_ACCOUNT:
            said = _WORDS.get(word, word)
            return Blame(Fault.OUR_ACCOUNT, "your account", f"{said}, passed on by the gateway")
        case Fault.OUR_KEY:
            return Blame(Fault.OUR_KEY, "your key at Anthropic", f"{word}, passed on by the gateway")
        case _:
            return None  # the request may be the gateway's own making


def _beside(own: Witness, failure: ProbeResult, direct: Sequence[Witness]) -> Blame | None:
    """What the checks say that ask the API itself."""
    # A success says something about the same time when it ended while the probe ran that took the check down, or later.
    word, since = failure.error_type, _began(own, failure)
    same = [other for other in direct if other.word == word and other.fails(since - _LATELY)]
    if same and word not in _UNREACHED and word != ErrorType.TIMEOUT:
        return _also(word, same)
    if failure.notes.get("fault") in _OURS or word in _AMBIGUOUS:
        return None
    if word == ErrorType.NOT_JSON:
        since -= _LATELY  # whoever answers in the API's place has broken by himself, unless the API did just before
    alike = [other for other in direct if word in _UNREACHED or _asks_alike(own, other)]
    well = [other for other in alike if other.reached(since)]
    if not well or any(other.state.failures for other in alike):
        return None
    latest = max(well, key=lambda other: other.state.last.at if other.state.last else 0.0)
    at = times.clock(latest.state.last.at, failure.at) if latest.state.last else ""
    ground = f"{word}; {_name(latest)} reached the API itself at {at}"
    return Blame(Fault.GATEWAY, "the gateway, or the way to it", ground)


def _also(word: str, same: Sequence[Witness]) -> Blame | None:
    """What the API says to the gateway's check, it says to *same*, too."""
    found = next((found for other in same if other.failure and (found := _by_the_api(other.failure))), None)
    if found is None:
        return None
    return Blame(found.fault, found.who, f"{_WORDS.get(word, word)}; {_names(same)} hears the same from the API itself")


def _asks_alike(own: Witness, other: Witness) -> bool:
    """Whether *other* asks for what *own* asks for."""
    kind = own.type == other.type or (own.type in _MESSAGES and other.type in _MESSAGES)
    return kind and own.model == other.model


def _name(witness: Witness) -> str:
    return safe.line(witness.name, 60)


def _names(witnesses: Sequence[Witness]) -> str:
    shown = nsmallest(3, witnesses, key=lambda witness: witness.name)
    more = len(witnesses) - len(shown)
    return ", ".join(map(_name, shown)) + (f" and {more} more" if more else "")

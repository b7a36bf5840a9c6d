"""What is taken out of texts: secrets that are in use, and those that were until lately."""

import base64
import html
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK: Final = "***"
"""What stands wherever a secret would."""
FADES: Final = 3600.0
"""Seconds for which a value is known after its last use: it may be in flight, and in texts that are not shown yet."""

_MOST_FADING: Final = 64  # values; whatever rotates faster than that is forgotten sooner
_SHORTEST: Final = 6  # a shorter value would blot out ordinary words
_SHORTEST_PART: Final = 16  # of a secret URL: shorter parts, such as /alerts, give nothing away
_LONGEST_ENCODED: Final = 2000  # bytes; who repeats more of a secret writes it as it is
_SEARCH_MEMORY: Final = 64 * 1024 * 1024


class Registry:
    """Knows values as long as somebody holds them, and for a while after.

    *monotonic* is its clock, in seconds. All of it may be called from any thread.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._holders: Counter[str] = Counter()
        self._fading: dict[str, float] = {}  # until when; the earliest first
        self._forms: dict[str, frozenset[str]] = {}  # of every value that is known
        self._released: deque[str] = deque()
        self._next = float("inf")  # when the first of _fading is forgotten
        self._steady: _Steady | None = None  # made when somebody asks
        self._lent: tuple[str, ...] = ()  # one that two borrowed stands here twice

    def hold(self, value: str) -> None:
        """Know *value* until it is released as often as it was held, and for FADES seconds after."""
        with self._lock:
            self._holders[value] += 1
            self._fading.pop(value, None)
            self._learn(value)

    def release(self, value: str) -> None:
        """Somebody holds *value* no more."""
        # Garbage is collected in the midst of anything, so this takes no lock; who asks next sees to it.
        self._released.append(value)

    def remember(self, value: str) -> None:
        """Know *value* for FADES seconds from now."""
        with self._lock:
            if value not in self._holders:
                self._fade(value)
                self._learn(value)
                self._forget()

    def lend(self, value: str) -> None:
        """Know *value* until it is given back as often as it was lent, and no longer."""
        with self._lock:
            self._lent = (*self._lent, *_long_forms(value))

    def give_back(self, value: str) -> None:
        """*value* was lent, and is needed no more."""
        with self._lock:
            left = list(self._lent)
            for form in _long_forms(value):
                left.remove(form)
            self._lent = tuple(left)

    def within(self, text: str) -> tuple[str, ...]:
        """The forms to take out of *text*, the longest first, so that no tail stays of one that begins with another.

        None of them, when *text* holds none.
        """
        steady, lent = self._known()
        if steady.is_in(text) or any(value in text for value in lent):
            return _longest_first({*steady.forms, *lent}) if lent else steady.forms
        return ()

    def all(self) -> tuple[str, ...]:
        """Every form of every value that is known."""
        steady, lent = self._known()
        return (*steady.forms, *lent)

    def _known(self) -> "tuple[_Steady, tuple[str, ...]]":
        steady = self._steady
        if steady is None or self._released or self._monotonic() >= self._next:
            with self._lock:
                self._forget()
                if self._steady is None:
                    forms = frozenset[str]().union(*self._forms.values())
                    self._steady = _Steady(_longest_first(forms))
                steady = self._steady
        return steady, self._lent

    def _learn(self, value: str) -> None:
        if value not in self._forms:
            self._forms[value] = frozenset(_long_forms(value))
            self._steady = None

    def _fade(self, value: str) -> None:
        self._fading.pop(value, None)  # to the end
        self._fading[value] = self._monotonic() + FADES

    def _let_go(self, value: str) -> bool:
        """One holder less; whether it was the last."""
        if value not in self._holders:
            return False
        self._holders[value] -= 1
        if self._holders[value]:
            return False
        del self._holders[value]
        return True

    def _forget(self) -> None:
        while self._released:
            value = self._released.popleft()
            if self._let_go(value):
                self._fade(value)
        now = self._monotonic()
        old = [value for value, until in self._fading.items() if until <= now]
        old += list(self._fading)[len(old) : max(len(old), len(self._fading) - _MOST_FADING)]
        for value in old:
            del self._fading[value]
            del self._forms[value]
            self._steady = None
        self._next = next(iter(self._fading.values()), float("inf"))


class _Steady:
    """Forms that change seldom, and whether any of them is in a text, in one pass: texts may be megabytes."""

    def __init__(self, forms: tuple[str, ...]) -> None:
        self.forms = forms

    def is_in(self, text: str) -> bool:
        return bool(self.forms) and bool(self._search(text.encode("utf-8", "surrogatepass")))

    @cached_property
    def _search(self) -> Callable[[bytes], object]:
        import re2  # here, because commands that show nothing secret need not load it

        options = re2.Options()
        options.never_capture = True
        options.log_errors = False
        options.max_mem = _SEARCH_MEMORY
        options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are
        pattern = b"|".join(re2.escape(form.encode("utf-8", "surrogatepass")) for form in self.forms)
        try:
            search: Callable[[bytes], object] = re2.compile(pattern, options).search
        except re2.error:  # more than fits: then each is looked for by itself
            return bool
        return search


_registry = Registry()  # one for the process: whoever prints does not know who holds what


def hold(value: str) -> None:
    """Let `redact` know *value*, and the forms in which it travels, until it is released."""
    _registry.hold(value)


def release(value: str) -> None:
    """What was held is held no more; `redact` knows it for an hour yet."""
    _registry.release(value)


def remember(value: str) -> None:
    """Let `redact` know *value*, and the forms in which it travels, for an hour; again, for an hour from then."""
    _registry.remember(value)


@contextmanager
def borrowed() -> Iterator[Callable[[str], None]]:
    """Something to tell values to that `redact` has to know until the block ends, such as a token of one session."""
    told: list[str] = []

    def keep(value: str) -> None:
        told.append(value)
        _registry.lend(value)

    try:
        yield keep
    finally:
        for value in told:
            _registry.give_back(value)


def redact(text: str, *, cut: bool = False) -> str:
    """*text* with `***` wherever it names a secret of six characters or more that is in use, or was within the hour.

    *cut*: the text may go on where it came from, so the beginning of a secret at its end is taken out, too.
    """
    for value in _registry.within(text):
        text = text.replace(value, MASK)
    if not cut:
        return text
    begun = max((_begun(text, value) for value in _registry.all()), default=0)
    return text[: len(text) - begun] + MASK if begun else text


def _begun(text: str, value: str) -> int:
    """How many characters at the end of *text* are the beginning of *value*; 0 for a few, which any word may be."""
    longest = min(len(text), len(value) - 1)
    if value[:_SHORTEST] not in text[len(text) - longest :]:
        return 0
    return next((n for n in range(longest, _SHORTEST - 1, -1) if text.endswith(value[:n])), 0)


def _longest_first(forms: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(forms, key=len, reverse=True))


def _long_forms(value: str) -> list[str]:
    return [form for form in _forms(value) if len(form) >= _SHORTEST]


def _forms(value: str) -> set[str]:
    """*value*, its parts that are secret by themselves, and how others write them."""
    return {form for part in (value, *_parts(value)) for form in _written(part)}


def _parts(value: str) -> set[str]:
    scheme, _, credential = value.partition(" ")
    parts = {credential.strip()} if scheme.lower() in ("bearer", "basic", "token") else set()
    if "://" in value:
        parts |= _attempt(lambda: _parts_of_url(value))
    lines = value.split("\n")
    if len(lines) > 1:  # a file of credentials: who repeats one does so alone
        parts |= {line.strip() for line in lines if len(line.strip()) >= _SHORTEST_PART and "--" not in line}
    return parts


def _written(value: str) -> set[str]:
    """*value* as it travels: in URLs, JSON, HTML, Python's quotes, Base64 and hexadecimal."""
    encoded = value.encode("utf-8", "surrogatepass")
    in_json, in_utf8 = json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]
    written = {value, in_json, in_utf8, in_json.replace("/", "\\/"), in_utf8.replace("/", "\\/")}
    written |= {quote(encoded, safe=""), quote(encoded), quote_plus(encoded), html.escape(value)}
    written |= {html.escape(value, quote=False), repr(value)[1:-1], value.encode("unicode_escape").decode()}
    if len(encoded) > _LONGEST_ENCODED:
        return written
    in_base64 = {form for shift in range(3) for form in _in_base64(encoded, shift)}
    return written | in_base64 | {encoded.hex(), encoded.hex().upper()}


def _in_base64(value: bytes, shift: int) -> tuple[str, str]:
    """What *value* is in Base64, and in that for URLs, behind *shift* bytes, without what the neighbours change.

    A password stands behind its user's name in a header of the scheme Basic.
    """
    text = base64.b64encode(bytes(shift) + value)
    inner = text[(0, 2, 3)[shift] : (shift + len(value)) * 8 // 6].decode()
    return inner, inner.replace("+", "-").replace("/", "_")


def _parts_of_url(url: str) -> set[str]:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    # Whoever complains of a token names it alone: the last segment of an incoming webhook's path.
    segments = parts.path.split("/") + [value for _, value in parse_qsl(parts.query)]
    found = {form for form in (path, parts.path, parts.query, *segments) if len(form) >= _SHORTEST_PART}
    return found | ({parts.password, unquote(parts.password)} if parts.password else set())


def _attempt(parts: Callable[[], set[str]]) -> set[str]:
    try:
        return parts()
    except ValueError:  # not a URL after all
        return set()

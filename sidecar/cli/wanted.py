"""Which alerts somebody means who names them on a command line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import click

from sidecar.model.matchers import Matcher, MatcherError, MatchOp

_MATCHER: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{4,16}")
_NAMED: Final = re.compile(r"([A-Za-z_:][\w:]*)?\{(.*)\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts are meant."""

    name: str = ""  # of the rule
    fingerprint: str = ""  # or its beginning
    matchers: tuple[Matcher, ...] = ()

    def fits(self, labels: Mapping[str, str], fingerprint: str) -> bool:
        """Whether an alert is meant."""
        if self.fingerprint:
            return fingerprint.startswith(self.fingerprint)
        named = not self.name or labels.get("alertname") == self.name
        return named and all(matcher.matches(labels) for matcher in self.matchers)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name or self.fingerprint, *map(str, self.matchers))))


def read(words: Sequence[str]) -> Wanted:
    """Which alerts *words* mean; raises UsageError."""
    name = fingerprint = ""
    matchers: list[Matcher] = []
    for word in words:
        named = _NAMED.fullmatch(word.strip())
        if named:
            name = named[1] or name
            matchers += [_matcher(part) for part in re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', named[2])]
        elif _MATCHER.fullmatch(word):
            matchers.append(_matcher(word))
        elif _FINGERPRINT.fullmatch(word) and any(char.isdigit() for char in word):
            fingerprint = word
        elif name:
            raise click.UsageError(
                f"got two names, {name!r} and {word!r}; expected one, and conditions such as check=gateway"
            )
        else:
            name = word
    return Wanted(name, fingerprint, tuple(matchers))


def _matcher(text: str) -> Matcher:
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise click.UsageError(f"got {text!r}, expected a condition such as check=gateway or severity!=info")
    value = found[3]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace(r"\"", '"').replace(r"\\", "\\")
    try:
        return Matcher(found[1], MatchOp(found[2]), value)
    except MatcherError as exc:
        raise click.UsageError(str(exc)) from exc

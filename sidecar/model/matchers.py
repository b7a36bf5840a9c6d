"""Label matchers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import re2

from sidecar.model.errors import SidecarError


class MatcherError(SidecarError):
    """A matcher's regular expression is not RE2."""


class MatchOp(StrEnum):
    EQ = "="
    NE = "!="
    RE = "=~"
    NRE = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; regular expressions are RE2, anchored at both ends, and `.` matches a newline."""

    name: str
    op: MatchOp
    value: str
    _regex: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op in (MatchOp.RE, MatchOp.NRE):
            options = re2.Options()
            options.dot_nl = True
            options.log_errors = False
            try:
                regex = re2.compile(self.value, options=options)
            except re2.error as exc:
                raise MatcherError(f"{self}: {exc}; expected a regular expression in RE2 syntax") from exc
            object.__setattr__(self, "_regex", regex)

    def __str__(self) -> str:
        return f'{self.name}{self.op}"{self.value}"'

    def accepts(self, value: str) -> bool:
        """Whether a label with *value* matches; an absent label has the empty value."""
        match self.op:
            case MatchOp.EQ:
                return value == self.value
            case MatchOp.NE:
                return value != self.value
            case MatchOp.RE:
                return self._regex.fullmatch(value) is not None
            case MatchOp.NRE:
                return self._regex.fullmatch(value) is None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether *labels* satisfy this condition."""
        return self.accepts(labels.get(self.name, ""))

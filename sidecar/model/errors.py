"""The tree of our errors.

SidecarError                 everything that the daemon raises on purpose
├── ConfigError              a settings file, with every mistake in it         (model/errors.py)
├── MatcherError             a label matcher                                   (model/matchers.py)
├── DurationError            a duration as text                                (model/durations.py)
├── QueryError               a PromQL expression or its evaluation             (promql/)
├── RuleError                a rule file                                       (rules/)
├── TemplateError            an annotation or a message body                   (templating/)
├── SecretError              a secret whose variable or file is not there      (secrets.py)
├── PluginError              an unknown type, or one whose driver is missing   (plugins.py)
├── CheckFailed              a probe that did not succeed                      (checks/)
├── DeliveryError            a message that a channel did not take             (channels/)
├── EventsRefused            a request of events of which none was looked at   (model/events.py)
└── DatabaseError            a database that cannot be used                    (db/)
"""

from dataclasses import dataclass

from sidecar.model.credentials import masked


class SidecarError(Exception):
    """Whatever the daemon raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong in one file: where, what was found, what was expected.

    Words of a person are repeated without what looks like a credential: people put those into the wrong places.
    """

    file: str
    line: int  # 1-based; 0 when the mistake is the file's as a whole
    key: str  # dotted path, list items by index: "checks[2].every"; may be empty
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", masked(self.message))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(SidecarError):
    """Settings that cannot be used; names every mistake at once."""

    def __init__(self, *mistakes: Mistake) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))

"""What an examination came to."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "OK"
    NOTE = "NOTE"  # worth knowing, no fault
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined; a failure has its next step."""

    part: str  # configuration, dns, tls, key …
    subject: str  # which one
    verdict: Verdict
    text: str
    next_step: str = ""

    def document(self) -> dict[str, str]:
        """The finding as JSON has it."""
        return {name: str(value) for name, value in asdict(self).items()}


def ok(part: str, subject: str, text: str) -> Finding:
    return Finding(part, subject, Verdict.OK, text)


def note(part: str, subject: str, text: str, next_step: str = "") -> Finding:
    return Finding(part, subject, Verdict.NOTE, text, next_step)


def fail(part: str, subject: str, text: str, next_step: str) -> Finding:
    return Finding(part, subject, Verdict.FAIL, text, next_step)

"""What a failed probe leaves for a person: its words in one line for an alert, and what the peer answered."""

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import Final

from sidecar.checks import Check
from sidecar.model.alerts import Alert
from sidecar.model.checks import CheckState, CheckStatus, Evidence, ProbeResult, Verdict, max_age
from sidecar.model.families import PROBE_PHASE
from sidecar.model.samples import Update
from sidecar.model.schedules import previous_run, zone
from sidecar.secrets import MASK, redact
from sidecar.templating import safe

KEPT: Final = 2048
"""Bytes of an answer's body that are kept."""

_LONGEST: Final = 300
_LONGEST_ID: Final = 80
_LONGEST_MESSAGE: Final = 1000
_MOST_HEADERS: Final = 60
_TELLING: Final = r"(?:auth(?!ors?(?![a-z]))|cookie|credential|key|passw|secret|session|signature|token(?!s))"
_HIDDEN: Final = re.compile(_TELLING, re.IGNORECASE)
_SHOWN: Final = re.compile(r"rate-?limit", re.IGNORECASE)  # what is left of the tokens gives nothing away
_LINKS: Final = re.compile(r"location|link|refresh|url|referer", re.IGNORECASE)
_QUERY: Final = re.compile(r"[?#][^\s>;\"']+")
# Whoever hands out credentials does so in JSON or in a form; the rest of such a field goes, also when it is cut.
_SECRET_FIELDS: Final = re.compile(
    rf'("[^"\n]{{0,60}}{_TELLING}[^"\n]{{0,60}}"\s*:\s*")((?:[^"\\]|\\.)*)'
    rf"|(\b[\w\-]{{0,60}}(?:secret|passw|token(?!s)|api_?key)[\w\-]{{0,60}}=)([^\s&;,<\"']+)",
    re.IGNORECASE,
)
_CREDENTIALS: Final = re.compile(r"\b(?:(Bearer|Basic)\s+[\w\-.~+/=]{6,}|(sk)-[\w\-]{6,}|(eyJ)[\w\-]{6,}[\w\-.]*)")


def evidence(alert: Alert, check: Check, state: CheckState) -> str:
    """The failure that speaks for *alert* about *check*, such as `auth: invalid x-api-key (request id req_1)`.

    While it fires, that is the last failed probe of a check that is not well; once it has ended, the last one of its
    time. Empty when there is none.
    """
    failure = state.last_failure
    if failure is None:
        return ""
    if alert.firing:
        speaks = state.status is not CheckStatus.UP or (
            state.last is not None and state.last.verdict is Verdict.FAILURE
        )
    else:
        # The probe came before the turn that saw it, and nothing tells whether the next one was a failure.
        speaks = failure.at >= _probed_before(check, alert.active_at)
    return _words(failure) if speaks else ""


def advice(alert: Alert, checks: Iterable[Check], states: Mapping[str, CheckState]) -> str:
    """What to do about the failure that speaks for *alert*, as the probe itself knows it; in one line, or nothing."""
    name = alert.labels.text("check")
    check = next((check for check in checks if check.name == name and name in states), None)
    if check is None or not alert.firing or not evidence(alert, check, states[name]):
        return ""
    failure = states[name].last_failure
    return safe.line(redact(str(failure.notes.get("next_step", ""))), _LONGEST) if failure else ""


def answered(headers: Mapping[str, str], body: bytes, updates: Iterable[Update]) -> Evidence:
    """What a peer said, without what is or may be secret, and without what would command a terminal."""
    begun = codecs.getincrementaldecoder("utf-8")("replace").decode(body[:KEPT])  # no half of a character at the end
    whole = len(body) < KEPT
    return Evidence(
        {_shown(name, 80).lower(): _header(name, text) for name, text in list(headers.items())[:_MOST_HEADERS]},
        _block(_masked(redact(begun, cut=not whole))),
        whole,
        {u.labels.text("phase"): u.value for u in updates if u.family is PROBE_PHASE},
    )


def message(text: str) -> str:
    """What a probe says of itself, as one line without secrets."""
    return safe.line(redact(text), _LONGEST_MESSAGE)


def facts(notes: Mapping[str, str | float]) -> dict[str, str | float]:
    """What a probe noted, without secrets."""
    return {
        name: safe.line(redact(note), _LONGEST_MESSAGE) if isinstance(note, str) else note
        for name, note in notes.items()
    }


def _header(name: str, text: str) -> str:
    if _HIDDEN.search(name) and not _SHOWN.search(name):
        return MASK
    said = redact(text, cut=True)
    if _LINKS.search(name):
        said = _QUERY.sub(lambda found: f"{found[0][0]}{MASK}", said)
    return _shown(_masked(said), _LONGEST)


def _shown(text: str, limit: int) -> str:
    """*text* as `safe.line` has it; most of what peers say needs no look at each character."""
    text = text.strip()
    return text if len(text) <= limit and text.isascii() and text.isprintable() else safe.line(text, limit)


def _masked(text: str) -> str:
    """*text* without what looks like a credential that nobody told us of."""
    text = _SECRET_FIELDS.sub(lambda found: f"{found[1] or found[3]}{MASK}", text)
    return _CREDENTIALS.sub(lambda found: f"{found[1]} {MASK}" if found[1] else MASK, text)


def _block(text: str) -> str:
    """*text* line by line, safe to show; indentation stays."""
    lines = text.replace("\r\n", "\n").rstrip().split("\n")
    return "\n".join(line[: len(line) - len(line.lstrip(" "))] + _shown(line, KEPT) for line in lines)


def _probed_before(check: Check, at: float) -> float:
    """The earliest end of a probe after which, at the time *at*, nothing newer need have come."""
    if check.cron is None:
        return at - max_age(check)
    place = zone(check.timezone or "")
    return previous_run(check.cron, previous_run(check.cron, at, place), place) - check.timeout


def _words(failure: ProbeResult) -> str:
    said = ": ".join(filter(None, (failure.error_type, redact(failure.message))))
    request_id = safe.line(redact(str(failure.notes.get("request_id", ""))), _LONGEST_ID)
    behind = f" (request id {request_id})" if request_id and request_id not in said else ""
    return safe.line(said, _LONGEST - len(behind)) + behind

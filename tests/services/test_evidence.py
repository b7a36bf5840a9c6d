"""What a failed probe says for an alert."""

import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.checks.http import HttpCheck
from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult
from sidecar.model.families import PROBE_PHASE, PROBE_STATUS
from sidecar.model.labels import Labels
from sidecar.model.samples import Update
from sidecar.secrets import Secret
from sidecar.services.evidence import advice, answered, evidence, facts, message

CHECK = HttpCheck(type="http", name="gateway", url="http://gateway/", every=30.0, timeout=10.0)
FIRING = Alert(RuleKey("group", "Down"), Labels(alertname="Down", check="gateway"), AlertState.FIRING, 1000.0, 1.0)
ENDED = replace(FIRING, state=AlertState.ENDED, ended_at=2000.0, end_reason=EndReason.RECOVERED)
WORKED = ProbeResult(1010.0, 0.1)
FAILED = ProbeResult(998.0, 0.1, "connect", "connection refused")
SAID = "connect: connection refused"


def failed(message: str, **notes: str | float) -> CheckState:
    failure = ProbeResult(1000.0, 0.1, "auth", message, notes)
    return CheckState(CheckStatus.DOWN, last=failure, last_failure=failure)


@pytest.mark.parametrize(
    ("alert", "state", "expected"),
    [
        pytest.param(FIRING, CheckState(CheckStatus.DOWN, last=FAILED, last_failure=FAILED), SAID, id="down"),
        pytest.param(
            FIRING, CheckState(CheckStatus.DOWN, last=WORKED, last_failure=FAILED), SAID, id="down, one worked"
        ),
        pytest.param(FIRING, CheckState(CheckStatus.UNKNOWN, last_failure=FAILED), SAID, id="unknown"),
        pytest.param(FIRING, CheckState(CheckStatus.UP, last=FAILED, last_failure=FAILED), SAID, id="up, one failed"),
        pytest.param(FIRING, CheckState(CheckStatus.UP, last=WORKED, last_failure=FAILED), "", id="up again"),
        pytest.param(FIRING, CheckState(), "", id="nothing failed"),
        pytest.param(ENDED, CheckState(CheckStatus.UP, last=WORKED, last_failure=FAILED), SAID, id="ended"),
        pytest.param(
            replace(ENDED, active_at=5000.0),
            CheckState(CheckStatus.UP, last=WORKED, last_failure=FAILED),
            "",
            id="ended, and the failure was of another time",
        ),
    ],
)
def test_the_failure_speaks_while_it_matters(alert, state, expected):
    """A failure is evidence while the check is not well, and for an end when it is of the alert's time."""
    assert evidence(alert, CHECK, state) == expected


@pytest.mark.parametrize(
    ("message", "notes", "expected"),
    [
        pytest.param("invalid x-api-key", {}, "auth: invalid x-api-key", id="no request id"),
        pytest.param("no", {"request_id": "req_1"}, "auth: no (request id req_1)", id="a request id"),
        pytest.param("no, req_1", {"request_id": "req_1"}, "auth: no, req_1", id="the message names it"),
        pytest.param("", {}, "auth", id="no message"),
        pytest.param("a\r\nRECOVERED\x1b", {}, "auth: a ⏎ RECOVERED‹U+001B›", id="words that would be obeyed"),
        pytest.param(
            "x" * 5000, {"request_id": "r" * 5000}, f"auth: {'x' * 199}… (request id {'r' * 79}…)", id="too much"
        ),
    ],
)
def test_the_words_are_one_bounded_line(message, notes, expected):
    """The kind of failure, the message and the request id, in at most 300 characters."""
    found = evidence(FIRING, CHECK, failed(message, **notes))

    assert len(found) <= 300
    assert found == expected


def test_no_secret_is_evidence():
    """A secret in a probe's words is masked, whatever the check let through."""
    secret = Secret("sk-ant-evidence-0123456789")

    found = evidence(FIRING, CHECK, failed(f"invalid {secret.reveal()}", request_id=secret.reveal()))

    assert found == "auth: invalid ***"


def test_no_verdict_is_no_failure():
    """A probe without a verdict does not bring back an old failure; a check that is unknown speaks of its last one."""
    state = CheckState(CheckStatus.UP, last=replace(WORKED, reason="offline"), last_failure=FAILED)

    assert evidence(FIRING, CHECK, state) == ""
    assert evidence(FIRING, CHECK, replace(state, status=CheckStatus.UNKNOWN)) == SAID


@pytest.mark.parametrize(("failed_at", "speaks"), [(86400.0 * 10 + 10800, True), (86400.0 * 8 + 10800, False)])
def test_the_time_of_a_check_with_a_calendar(failed_at, speaks):
    """A failure of the latest runs of a cron expression is of an ended alert's time; one of days before is not."""
    check = HttpCheck(type="http", name="gateway", url="http://gateway/", cron="0 3 * * *")
    state = CheckState(CheckStatus.UP, last=WORKED, last_failure=replace(FAILED, at=failed_at))

    assert bool(evidence(replace(ENDED, active_at=86400.0 * 10 + 10801), check, state)) is speaks


PHASES = [Update(PROBE_PHASE, 0.5, Labels(phase="connect")), Update(PROBE_STATUS, 500.0)]


def test_what_a_peer_said_is_kept():
    """Headers, the beginning of the body and the phases; a body that was cut says so."""
    found = answered({"Server": "nginx", "Request-Id": "req_1"}, b'{"error":\n  {"type": "api_error"}}\r\n', PHASES)

    assert found.headers == {"server": "nginx", "request-id": "req_1"}
    assert found.body == '{"error":\n  {"type": "api_error"}}'
    assert found.phases == {"connect": 0.5}
    assert found.whole
    assert not answered({}, b"x" * 2048, []).whole
    assert answered({}, b"x" * 9999, []).body == "x" * 2048


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        pytest.param("Set-Cookie", "session=abc", "***", id="a cookie"),
        pytest.param("Authorization", "Bearer abcdefgh", "***", id="who we are"),
        pytest.param("WWW-Authenticate", 'Bearer realm="x"', "***", id="what is asked for"),
        pytest.param("X-Api-Key", "abc", "***", id="a key"),
        pytest.param("X-Amz-Security-Token", "abc", "***", id="a token"),
        pytest.param("X-Client-Secret", "abc", "***", id="a secret"),
        pytest.param("anthropic-ratelimit-tokens-remaining", "79000", "79000", id="how many tokens are left"),
        pytest.param("X-RateLimit-Reset-Tokens", "6s", "6s", id="when they come back"),
        pytest.param("Location", "https://a/cb?code=abc&state=1", "https://a/cb?***", id="a link's query"),
        pytest.param("Link", '<https://a/?k=1>; rel="next"', '<https://a/?***>; rel="next"', id="a link among words"),
        pytest.param("Via", "a\x1b[31m\u202eb", "a‹U+001B›[31m‹U+202E›b", id="what would command a terminal"),
        pytest.param("X-Debug", "key sk-live-0123456789", "key ***", id="a key among words"),
        pytest.param("X-Long", "x" * 5000, "x" * 299 + "…", id="too much"),
    ],
)
def test_a_header_is_shown_without_secrets(name, text, shown):
    """A header whose name tells of a secret is masked; others are one bounded line."""
    assert answered({name: text}, b"", []).headers == {name.lower(): shown}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param('{"access_token": "abc", "n": 1}', '{"access_token": "***", "n": 1}', id="a token in JSON"),
        pytest.param('{"client_secret":"a\\"b"}', '{"client_secret":"***"}', id="with a quote in it"),
        pytest.param('{"api_key": "abc', '{"api_key": "***', id="cut"),
        pytest.param('{"usage": {"input_tokens": 3}}', '{"usage": {"input_tokens": 3}}', id="tokens are counted"),
        pytest.param("token=abc&user=x", "token=***&user=x", id="a form"),
        pytest.param("said Bearer abcdefghij", "said Bearer ***", id="a bearer's"),
        pytest.param("eyJhbGciOi.eyJzdWIi.c2ln", "***", id="a JWT"),
        pytest.param("a\x00\x1b[2Jb\nc", "a‹U+0000›‹U+001B›[2Jb\nc", id="control characters"),
        pytest.param("é".encode()[:1].decode("latin-1"), "Ã", id="any text"),
    ],
)
def test_a_body_is_shown_without_secrets(body, shown):
    """What looks like a credential goes, even one that nobody told us of; what is odd is spelt out."""
    assert answered({}, body.encode(), []).body == shown


@pytest.mark.parametrize("secret", ["sk-ant-cut-0123456789abcdef", "pässwörter-sind-geheim"])
@pytest.mark.parametrize("shift", range(12, 20))
def test_a_secret_that_the_cut_divides_is_not_shown(secret, shift):
    """The beginning of a secret at the end of what is kept is taken out, also one divided within a character."""
    Secret(secret)
    body = b"x" * (2048 - shift) + secret.encode() + b" and more"

    assert secret[:8] not in answered({}, body, []).body


@given(st.binary(max_size=3000), st.dictionaries(st.text(max_size=20), st.text(max_size=400), max_size=4))
def test_any_answer_is_safe_to_show(body, headers):
    """Whatever a peer sends can be written as JSON, is bounded, and has no control characters but line breaks."""
    found = answered(headers, body, [])

    json.dumps([found.body, dict(found.headers)]).encode()
    shown = found.body.replace("\n", "") + "".join(f"{name}{text}" for name, text in found.headers.items())
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown)
    assert len(found.body) <= 2048 * 8  # each character may be spelt out


def test_words_and_notes_have_no_secrets():
    """A probe's message is one line; its notes keep their numbers."""
    secret = Secret("sk-ant-notes-0123456789")

    assert message(f"no\n{secret.reveal()}") == "no ⏎ ***"
    assert facts({"status": 500.0, "said": f"{secret.reveal()}\x1b"}) == {"status": 500.0, "said": "***‹U+001B›"}


@pytest.mark.parametrize(
    ("alert", "notes", "expected"),
    [
        pytest.param(FIRING, {"next_step": "Buy credit"}, "Buy credit", id="the probe knows"),
        pytest.param(FIRING, {"next_step": "a\nb\x1b"}, "a ⏎ b‹U+001B›", id="words that would be obeyed"),
        pytest.param(FIRING, {}, "", id="the probe does not know"),
        pytest.param(ENDED, {"next_step": "Buy credit"}, "", id="over"),
        pytest.param(replace(FIRING, labels=Labels(check="gone")), {"next_step": "x"}, "", id="a check that is gone"),
    ],
)
def test_what_the_probe_advises(alert, notes, expected):
    """A rule without a next step borrows the probe's."""
    assert advice(alert, [CHECK], {"gateway": failed("no", **notes)}) == expected

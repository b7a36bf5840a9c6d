"""The simulator and the classifier were written from the same facts, apart from each other: they must agree."""

import json

import pytest

from sidecar.claude.errors import classify, classify_event
from sidecar.simulator import errors
from sidecar.simulator.faults import Fault, FaultKind

WORDS = {
    FaultKind.OVERLOADED: "overloaded",
    FaultKind.THROTTLED: "throttled",
    FaultKind.RAMP_LIMIT: "throttled",
    FaultKind.SPEND_CAP: "spend_cap",
    FaultKind.SELF_LIMIT: "spend_cap",
    FaultKind.CREDIT: "spend_cap",
    FaultKind.BILLING: "spend_cap",
    FaultKind.ON_HOLD: "permission",
    FaultKind.AUTH: "auth",
    FaultKind.PERMISSION: "permission",
    FaultKind.NOT_FOUND: "not_found",
    FaultKind.TOO_LARGE: "too_large",
    FaultKind.SERVER_ERROR: "server_error",
    FaultKind.UNAVAILABLE: "server_error",
    FaultKind.GATEWAY_TIMEOUT: "timeout",
}
ANSWERS = {kind: error for kind in FaultKind if (error := errors.of(Fault(kind), 0.0)) is not None}


def test_every_fault_that_is_an_answer_has_its_word():
    """What the simulator answers with an error is told by the word that the fault is about."""
    words = {}
    for kind, error in ANSWERS.items():
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        words[kind] = classify(error.status, headers, json.dumps(error.body("req_1")).encode()).error_type

    assert words == WORDS


@pytest.mark.parametrize("page", [errors.BAD_GATEWAY_HTML, errors.PORTAL_HTML], ids=["a bad gateway", "a portal"])
@pytest.mark.parametrize("status", [200, 502])
def test_a_page_is_no_answer(page, status):
    """Pages that something in between puts up are not the API's, whatever their status."""
    assert classify(status, {"Content-Type": "text/html"}, page.encode()).error_type == "not_json"


@pytest.mark.parametrize(
    ("type_", "word"),
    [*zip(errors.STREAM_MESSAGES, ("overloaded", "server_error", "throttled", "timeout"), strict=True)],
)
def test_errors_in_streams_have_their_words(type_, word):
    """What the simulator puts into a stream is told as if it had come before."""
    assert classify_event({"type": type_, "message": errors.STREAM_MESSAGES[type_]}).error_type == word

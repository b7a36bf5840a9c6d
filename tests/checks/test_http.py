"""The http check, against bytes written by hand."""

import gzip
from typing import Any

import pytest
from pydantic import ValidationError

from sidecar.checks.http import HttpCheck
from sidecar.model.families import PROBE_PHASE, PROBE_STATUS
from tests.checks.script import HANG, RESET, Peer, answer, probe

SECRET = "s3cr3t-of-the-gateway"


def check(**settings: Any) -> HttpCheck:
    return HttpCheck.model_validate({"name": "gateway", "url": "http://gateway:8080/health?key=x", **settings})


async def test_a_good_answer_is_a_success(wire):
    """A 200 is a success, with its status and the phases of the connection."""
    peer = Peer([0.25, answer(200, b"ok")])
    wire.raw("gateway:8080", peer)

    probed = await probe(check(headers={"X-Token": SECRET}), wire)

    assert probed.result.ok
    assert probed.value(PROBE_STATUS) == 200
    phases = {labels["phase"]: value for labels, value in probed.values(PROBE_PHASE)}
    assert phases == {"resolve": 0, "connect": 0, "first_byte": 0.25, "transfer": 0}
    assert peer.request.startswith("GET /health?key=x HTTP/1.1\r\n")
    assert f"X-Token: {SECRET}\r\n" in peer.request
    assert "User-Agent: claude-sidecar" in peer.request
    assert probed.notes == {"status": 200}


@pytest.mark.parametrize(
    ("settings", "steps", "error_type", "message"),
    [
        pytest.param({}, [answer(503, b"no\nhost")], "assertion", "got 503, expected 2xx: no ⏎ host", id="status"),
        pytest.param({}, [answer(503)], "assertion", "got 503, expected 2xx", id="status without words"),
        pytest.param(
            {},
            [b"HTTP/1.1 500 -\r\nContent-Length: 9\r\n\r\n", HANG],
            "assertion",
            "got 500, expected 2xx",
            id="words that never come",
        ),
        pytest.param(
            {}, [answer(302, b"", "Location: http://other/login?next=%2F")], "assertion",
            "got 302, expected 2xx; it redirects to http://other/login", id="a redirect is an answer",
        ),
        pytest.param({"status": [200, 204]}, [answer(201)], "assertion", "got 201, expected 200 or 204", id="codes"),
        pytest.param(
            {"body_contains": "ready"}, [answer(200, b"starting")], "assertion",
            "the body lacks 'ready'; got: starting", id="body",
        ),
        pytest.param({"body_contains": "ready"}, [answer(200)], "assertion",
            "the body lacks 'ready'; got: an empty body", id="no body"),
        pytest.param({"max_body": 3}, [answer(200, b"1234")], "too_large",
            "http://gateway:8080/health answered with more than 3 bytes", id="a large body"),
        pytest.param({"max_body": 2000}, [answer(200, gzip.compress(b"0" * 10_000_000), "Content-Encoding: gzip")],
            "too_large", "http://gateway:8080/health answered with more than 2000 bytes", id="a bomb"),
        pytest.param({}, [answer(200, b"no gzip", "Content-Encoding: gzip")], "reset",
            "http://gateway:8080/health broke off or garbled its answer", id="garbled"),
        pytest.param({}, [b"HTTP/1.1 200 -\r\nContent-Length: 9\r\n\r\nhalf"], "reset",
            "http://gateway:8080/health broke off or garbled its answer", id="half an answer"),
        pytest.param({}, [], "reset", "http://gateway:8080/health hung up without an answer", id="hangs up"),
        pytest.param({}, [RESET], "reset",
            "http://gateway:8080/health broke the connection: connection reset by peer", id="reset"),
        pytest.param({}, [bytes(range(256))], "reset", "http://gateway:8080/health answered with what is no HTTP",
            id="binary"),
        pytest.param({}, [b"HTTP/1.1 200 " + b"x" * 100_000, HANG], "reset",
            "http://gateway:8080/health answered with what is no HTTP", id="an endless line"),
        pytest.param({}, [HANG], "timeout", "got no result, expected one within 10s", id="silent"),
    ],
)  # fmt: skip
async def test_each_failure_has_its_word(wire, settings, steps, error_type, message):
    """Whatever the peer does wrong is told in one word, and in a sentence that names what was found."""
    wire.raw("gateway:8080", Peer(steps))

    probed = await probe(check(**settings), wire)

    assert (probed.error_type, probed.message) == (error_type, message)


@pytest.mark.parametrize(
    ("prepare", "error_type", "message"),
    [
        pytest.param("unresolvable", "dns", "the name gateway does not resolve", id="no such name"),
        pytest.param(
            "refuse", "connect", "no connection to http://gateway:8080/health: connection refused", id="nobody listens"
        ),
        pytest.param("hang", "timeout", "got no result, expected one within 10s", id="packets are dropped"),
    ],
)
async def test_no_connection(wire, prepare, error_type, message):
    """A network that does not connect is told apart by how it does not."""
    getattr(wire, prepare)("gateway:8080")

    probed = await probe(check(), wire)

    assert (probed.error_type, probed.message) == (error_type, message)


@pytest.mark.parametrize("status", [200, "2xx", ["3xx", 200]])
async def test_status_as_a_person_writes_it(wire, status):
    """A number, a class, or a list of both."""
    wire.raw("gateway:8080", Peer([answer(200)]))

    assert (await probe(check(status=status), wire)).result.ok


async def test_any_status_may_be_the_expected_one(wire):
    """A page that must not be open is well when it answers 401."""
    wire.raw("gateway:8080", Peer([answer(401)]))

    assert (await probe(check(status=401), wire)).result.ok


async def test_a_request_with_everything(wire):
    """Method and body are sent as written."""
    peer = Peer([answer(200, b"pong")])
    wire.raw("gateway:8080", peer)

    probed = await probe(check(method="POST", body="ping", body_contains="pong"), wire)

    assert probed.result.ok
    assert peer.request.startswith("POST /health")
    assert peer.request.endswith("\r\n\r\nping")


async def test_redirects_are_followed_as_far_as_allowed(wire):
    """A redirect within the limit leads to the answer; headers stay with the origin that they were written for."""
    other = Peer([answer(200)])
    first = Peer([answer(302, b"", "Location: http://other/here")])
    wire.raw("gateway:8080", first)
    wire.raw("other", other)

    probed = await probe(check(redirects=1, headers={"X-Token": SECRET}), wire)

    assert probed.result.ok
    assert probed.value(PROBE_STATUS) == 200
    assert SECRET in first.request
    assert SECRET not in other.request


async def test_a_ring_of_redirects_ends(wire):
    """The redirect after the last allowed one is the answer."""
    ring = Peer([answer(307, b"", "Location: /health")])
    wire.raw("gateway:8080", ring)

    probed = await probe(check(redirects=3), wire)

    assert probed.message == "got 307, expected 2xx; it redirects to /health"
    assert len(ring.requests) == 4


async def test_a_secret_that_cannot_be_read(wire, tmp_path):
    """A header's file that is gone is a request that cannot be made."""
    gone = {"file": str(tmp_path / "gone")}

    probed = await probe(check(headers={"Authorization": gone}), wire)

    assert probed.error_type == "bad_request"
    assert "is it mounted?" in probed.message


async def test_an_answer_that_repeats_a_secret(wire):
    """What a peer says is quoted without the secrets that it was told."""
    wire.raw("gateway:8080", Peer([answer(403, f"bad token {SECRET}".encode())]))

    probed = await probe(check(headers={"X-Token": SECRET}), wire)

    assert probed.message == "got 403, expected 2xx: bad token ***"


@pytest.mark.parametrize(
    "url",
    ["gateway:8080", "ftp://gateway/", "http://", "http://g:99999/", "http://u:pw-in-url@gateway/", "http://a b/"],
)  # fmt: skip
def test_an_address_that_cannot_be_asked(url):
    """A URL that is none, or that shows a password, is refused when it is read, and not repeated."""
    with pytest.raises(ValidationError) as caught:
        check(url=url)

    assert "pw-in-url" not in str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize("status", [[], 99, "6xx", "200-299", True, "ok"])
def test_a_status_that_is_none(status):
    """Statuses are codes or classes."""
    with pytest.raises(ValidationError):
        check(status=status)


def test_the_target_shows_no_query():
    """What is probed is named without what may be a key."""
    assert check().target == "http://gateway:8080/health"


async def test_an_echo_without_end_shows_no_half_of_a_secret(wire):
    """Of an answer that repeats a header over and over only the beginning is read, and no half of it is shown."""
    key = "gateway-canary-0123456789-0123456789-0123"
    wire.raw("gateway:8080", Peer([answer(401, key.encode() * 100)]))

    probed = await probe(check(headers={"X-Api-Key": key}), wire)

    assert probed.message == "got 401, expected 2xx: " + "***" * 20

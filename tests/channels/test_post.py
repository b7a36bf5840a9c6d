"""What all channels that speak HTTP have in common."""

import asyncio

import pytest

from sidecar.channels import DeliveryError, post
from sidecar.secrets import Secret, redaction
from tests.channels.receiver import HOST, PATH, URL, Receiver, context
from tests.channels.stories import NOON, Fixed


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """No secret that another test made known."""
    monkeypatch.setattr(redaction, "_registry", redaction.Registry())


HEADERS = {"Content-Type": "text/plain", "Authorization": "Bearer canary-6f1d0c-token"}


@pytest.mark.parametrize("status", [pytest.param(s, id=f"HTTP {s}") for s in (200, 201, 202, 204, 299)])
async def test_a_status_of_two_hundred_and_something_is_a_delivery(status, wire):
    """2xx delivers, whatever the body says."""
    answer = await post(context(wire, Receiver(status)), URL, b"hello", HEADERS)

    assert answer.status == status


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        *(
            pytest.param(s, False, id=f"HTTP {s}: no")
            for s in (301, 302, 307, 400, 401, 402, 403, 404, 409, 410, 413, 422)
        ),
        *(pytest.param(s, True, id=f"HTTP {s}: yes") for s in (408, 425, 429, 500, 501, 502, 503, 504, 529, 599)),
    ],
)
async def test_the_status_says_whether_to_try_again(status, retryable, wire):
    """Any status is an answer, so the message has not arrived; some are worth another try."""
    receiver = Receiver(status, headers={"Location": URL} if status < 400 else {})

    with pytest.raises(DeliveryError) as failure:
        await post(context(wire, receiver), URL, b"hello", HEADERS)

    assert (failure.value.retryable, failure.value.maybe) == (retryable, False)
    assert f"{HOST} answered HTTP {status}" in str(failure.value)
    assert len(receiver.heard) == 1


async def test_the_wait_that_the_other_end_asks_for_is_handed_on(wire):
    """429 with Retry-After: 7 is tried again after seven seconds."""
    with pytest.raises(DeliveryError) as failure:
        await post(context(wire, Receiver(429, headers={"Retry-After": "7"})), URL, b"", HEADERS)

    assert failure.value.retry_after == 7.0


async def test_a_date_is_counted_from_our_clock(wire):
    """Retry-After as a date is measured against the context's clock."""
    receiver = Receiver(503, headers={"Retry-After": "Mon, 05 Jan 2026 12:01:00 GMT"})

    with pytest.raises(DeliveryError) as failure:
        await post(context(wire, receiver, clock=Fixed(NOON + 20)), URL, b"", HEADERS)

    assert failure.value.retry_after == 40.0


async def test_a_refused_connection_has_surely_not_arrived(wire):
    """Nobody listens: try again, and nothing was sent."""
    wire.refuse(HOST)

    with pytest.raises(DeliveryError) as failure:
        await post(context(wire), URL, b"hello", HEADERS)

    assert (failure.value.retryable, failure.value.maybe) == (True, False)


async def test_a_connection_that_breaks_after_the_request_may_have_arrived(wire):
    """The request was taken and the connection lost: try again, and the message may be there already."""

    class Dropping(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.transport.close()

    wire.raw(HOST, Dropping)

    with pytest.raises(DeliveryError) as failure:
        await post(context(wire), URL, b"hello", HEADERS)

    assert (failure.value.retryable, failure.value.maybe) == (True, True)


async def test_a_peer_that_never_answers_is_left_to_the_timeout(wire):
    """A hanging peer hangs no longer than delivery allows."""
    wire.hang(HOST)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await post(context(wire), URL, b"hello", HEADERS)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(f"you sent {URL}", id="the URL"),
        pytest.param(f"no route for {PATH}", id="its path"),
        pytest.param("bad token canary-6f1d0c-token", id="a header's credential"),
        pytest.param("bad header Bearer canary-6f1d0c-token", id="a whole header"),
        pytest.param("known: canary-6f1d0c-known", id="another secret of the daemon"),
    ],
)
async def test_an_answer_that_repeats_a_secret_is_quoted_without_it(answer, wire):
    """What the other end says stands in the error, less what we told it in confidence."""
    Secret("canary-6f1d0c-known")
    Secret(HEADERS["Authorization"])

    with pytest.raises(DeliveryError, match=r"\*\*\*") as failure:
        await post(context(wire, Receiver(400, answer)), URL, b"", HEADERS)

    assert "canary" not in str(failure.value)


async def test_an_endless_answer_is_quoted_in_part(wire):
    """An answer is quoted in one bounded line, with what a terminal would obey made visible."""
    receiver = Receiver(500, "\x1b[2J\nline\n" * 100_000)

    with pytest.raises(DeliveryError) as failure:
        await post(context(wire, receiver), URL, b"", HEADERS)

    assert len(str(failure.value)) < 300
    assert "‹U+001B›[2J ⏎ line" in str(failure.value)


async def test_a_file_that_holds_no_url_is_not_an_address(wire):
    """A secret's file is read late; what stands in it may be no URL."""
    with pytest.raises(DeliveryError, match="expected one that begins with https://") as failure:
        await post(context(wire), "canary-6f1d0c", b"", {})

    assert "canary" not in str(failure.value)

"""Rate limits that refill."""

import pytest

from sidecar.simulator.limits import Bucket, Limits, Pool


def test_a_bucket_refills_continuously():
    """Of a limit of 60 a minute one comes back each second, up to the limit."""
    bucket = Bucket(60)
    bucket.take(60, 0.0)

    assert bucket.remaining(0.0) == 0
    assert bucket.remaining(1.0) == pytest.approx(1)
    assert bucket.remaining(1.5) == pytest.approx(1.5)
    assert bucket.full_in(30.0) == pytest.approx(30)
    assert bucket.remaining(1000.0) == 60


def test_output_that_was_not_foreseen_is_paid_back_first():
    """A bucket may be overdrawn; then it takes longer until something is there."""
    bucket = Bucket(60)
    bucket.take(90, 0.0)

    assert bucket.wait(1, 0.0) == pytest.approx(31)
    assert bucket.wait(1, 31.0) == 0.0


def test_more_than_the_limit_waits_for_a_full_bucket():
    """A request that never fits is not waited for forever."""
    bucket = Bucket(60)
    bucket.take(30, 0.0)

    assert bucket.wait(1000, 0.0) == pytest.approx(30)
    assert bucket.wait(1000, 30.0) == 0.0


def test_the_limit_that_is_used_up_is_named():
    """The first limit without room is named with the whole seconds to wait."""
    pool = Pool(Limits(requests=60, input_tokens=600, output_tokens=60))

    assert pool.refusal(600, 0.0) is None
    pool.input_tokens.take(600, 0.0)
    assert pool.refusal(25, 0.0) == ("input-tokens", 3)
    pool.requests.take(60, 0.0)
    assert pool.refusal(25, 0.0) == ("requests", 1)


def test_headers_tell_what_is_left_and_when_it_is_full():
    """Tokens are rounded to thousands; the reset is when nothing will be used any more."""
    pool = Pool(Limits(requests=60, input_tokens=60_000, output_tokens=6_000))
    pool.requests.take(2, 0.0)
    pool.input_tokens.take(12_400, 0.0)

    headers = pool.headers(0.0, 0.0)

    assert headers["anthropic-ratelimit-requests-remaining"] == "58"
    assert headers["anthropic-ratelimit-requests-reset"] == "1970-01-01T00:00:02Z"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "48000"
    assert headers["anthropic-ratelimit-input-tokens-reset"] == "1970-01-01T00:00:13Z"
    assert headers["anthropic-ratelimit-output-tokens-reset"] == "1970-01-01T00:00:00Z"
    assert headers["anthropic-ratelimit-tokens-limit"] == "66000"
    assert headers["anthropic-ratelimit-tokens-remaining"] == "54000"

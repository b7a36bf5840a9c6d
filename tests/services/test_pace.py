"""When a channel may be tried again, and each of its messages."""

from sidecar.services.pace import OPEN_FOR, THRESHOLD, Pace


def pace(chance: float = 0.5) -> Pace:
    return Pace(lambda: chance)


def fail(one: Pace, times: int, now: float = 0.0, id_: str = "a") -> float:
    """*times* failures in a row; when the next try is."""
    for _ in range(times):
        now = one.failed(id_, now)
    return now


def test_nothing_to_do():
    """Without messages there is nothing to wait for."""
    assert pace().choose((), 0.0) == (None, None)


def test_in_order():
    """Of messages that did not fail, the first goes first."""
    assert pace().choose(("b", "a"), 0.0) == ("b", None)


def test_one_that_failed_lets_others_pass():
    """A message that failed waits, and others go on."""
    one = pace()
    due = one.failed("a", 10.0)

    assert due == 11.0
    assert one.choose(("a", "b"), 10.0) == ("b", None)
    assert one.choose(("a",), 10.0) == (None, 11.0)
    assert one.choose(("a",), 11.0) == ("a", None)


def test_the_wait_grows_and_is_bounded():
    """Each failure doubles the wait up to five minutes."""
    one, now, waits = pace(0.999999), 0.0, []
    for _ in range(40):
        due = one.failed("a", now)
        waits.append(due - now)
        now = due

    assert [round(wait) for wait in waits[:6]] == [1, 2, 4, 8, 16, 32]
    assert round(max(waits)) == round(waits[-1]) == 300


def test_the_breaker_opens():
    """After five failures in a row no message is tried for a while, then one."""
    one = pace()
    fail(one, THRESHOLD - 1)
    now = 100.0
    assert one.choose(("new",), now) == ("new", None)

    due = one.failed("new", now)

    assert one.open
    assert due == now + OPEN_FOR
    assert one.choose(("new", "newer"), now) == (None, due)
    assert one.choose(("new", "newer"), due) == ("newer", None)


def test_an_answer_closes_the_breaker():
    """When somebody answers again, everything that waited is due."""
    one = pace()
    fail(one, 12)
    assert one.choose(("a", "b"), 0.0)[0] is None

    one.answered("b")

    assert not one.open
    assert one.choose(("a",), 0.0) == ("a", None)


def test_an_answer_does_not_hurry_what_fails_by_itself():
    """While the breaker is closed, an answer to one message changes nothing for another."""
    one = pace()
    due = one.failed("a", 0.0)

    one.answered("b")

    assert one.choose(("a",), 0.0) == (None, due)


def test_what_the_channel_asks_for():
    """Retry-After holds the whole channel, and is no failure of it."""
    one = pace(0.0)
    for n in range(10):
        assert one.failed(f"m{n}", 0.0, 60.0) == 60.0

    assert not one.open
    assert one.choose(("new",), 59.0) == (None, 60.0)
    assert one.choose(("new",), 60.0) == ("new", None)


def test_a_failure_that_says_nothing_about_the_channel():
    """A message that is partly delivered waits alone, and shows that the channel is there."""
    one = pace()
    fail(one, THRESHOLD - 1)

    one.failed("b", 0.0, alone=True)
    one.failed("a", 0.0)

    assert not one.open


def test_what_is_gone_is_forgotten():
    """Nothing is kept of messages that do not wait any more."""
    one = pace()
    for n in range(100):
        one.failed(f"m{n}", 0.0, alone=True)

    one.choose(("m1",), 0.0)

    assert one._due.keys() == one._failures.keys() == {"m1"}

"""Values that are known while they are in use, and for an hour after."""

import gc
import threading
from dataclasses import dataclass

import pytest

from sidecar.secrets import Secret, redact, redaction
from sidecar.secrets.redaction import FADES, Registry


@dataclass
class Hands:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Hands:
    """The clock of the process' registry, which is empty."""
    hands = Hands()
    monkeypatch.setattr(redaction, "_registry", Registry(hands))
    return hands


def test_what_is_held_is_known_for_good(clock):
    """A secret of the configuration is taken out however long the daemon runs."""
    secret = Secret("value-one")
    clock.now = 1e6

    assert redact(f"key {secret.reveal()}") == "key ***"


def test_what_is_held_no_more_is_known_for_an_hour(clock):
    """The value of a configuration that was replaced is hidden while it may be in flight, and then forgotten."""
    secret = Secret("value-one")
    del secret
    gc.collect()
    assert redact("key value-one") == "key ***"

    clock.now = FADES - 1
    still = redact("key value-one")
    clock.now = FADES

    assert (still, redact("key value-one")) == ("key ***", "key value-one")


def test_a_value_that_two_hold_is_known_until_both_let_go(clock):
    """A reload makes secrets anew; the old ones go, and their values stay known."""
    before, after = Secret("value-one"), Secret("value-one")
    del before
    gc.collect()
    redact("")
    clock.now = 10 * FADES

    assert redact(after.reveal()) == "***"


def test_what_a_file_held_before_fades(clock, tmp_path):
    """After a rotation the old value is hidden for an hour, and the new one for good."""
    path = tmp_path / "token"
    path.write_text("value-one")
    secret = Secret.from_file(str(path))
    secret.reveal()
    path.write_text("value-two")
    secret.reveal()
    assert redact("value-one value-two") == "*** ***"

    clock.now = FADES

    assert redact("value-one value-two") == "value-one ***"


def test_a_value_that_comes_back_does_not_fade(clock, tmp_path):
    """A rotation that is undone makes the value known for good again."""
    path = tmp_path / "token"
    secret = Secret.from_file(str(path))
    for value in ("value-one", "value-two", "value-one"):
        path.write_text(value)
        secret.reveal()
        redact("")

    clock.now = 2 * FADES

    assert redact("value-one value-two") == "*** value-two"


def test_what_is_remembered_again_is_known_for_an_hour_from_then(clock):
    """A part of a secret is known for as long as somebody takes it apart now and then."""
    redaction.remember("part-of-it")
    clock.now = FADES - 1
    redaction.remember("part-of-it")
    clock.now = FADES + 1
    still = redact("part-of-it")
    clock.now = 2 * FADES

    assert (still, redact("part-of-it")) == ("***", "part-of-it")


def test_what_is_held_is_not_made_to_fade_by_being_remembered(clock):
    """Whoever remembers a value that is in use takes nothing away."""
    secret = Secret("value-one")
    redaction.remember("value-one")
    clock.now = 2 * FADES

    assert redact(secret.reveal()) == "***"


def test_old_values_take_bounded_memory(clock):
    """However fast a secret rotates, only the latest of its old values are known, and all that are in use."""
    held = Secret("value-in-use")
    for n in range(1000):
        redaction.remember(f"value-{n:06}")

    assert redact("value-000900 value-000999 value-in-use") == "value-000900 *** ***"
    assert len(redaction._registry._forms) == 65
    assert held.reveal() == "value-in-use"


def test_more_than_can_be_looked_for_at_once_is_looked_for_one_by_one(clock, monkeypatch):
    """Secrets that fill the searcher's memory are hidden all the same."""
    monkeypatch.setattr(redaction, "_SEARCH_MEMORY", 10_000)
    redaction.remember("x" * 20_000)
    redaction.remember("value-one")

    assert redact("value-one, value-two") == "***, value-two"


def test_threads_may_hold_and_ask_at_once():
    """Whoever logs in a thread meets a registry that is whole, and what was held by all is let go by all."""
    hands = Hands()
    registry = Registry(hands)
    problems: list[Exception] = []

    def use(n: int) -> None:
        try:
            for i in range(200):
                registry.hold(f"value-{i % 7}")
                registry.remember(f"other-{n}-{i % 5}")
                assert f"value-{i % 7}" in registry.within(f"a value-{i % 7}")
                registry.release(f"value-{i % 7}")
        except Exception as exc:
            problems.append(exc)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    registry.all()
    hands.now = 2 * FADES

    assert problems == []
    assert registry.all() == ()

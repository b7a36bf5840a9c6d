from sidecar.api.turns import Turns


class Hands:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_ready_after_the_first_turn_of_every_service():
    """Readiness waits for the configuration, the listeners and one turn of each service, and says for which."""
    turns = Turns(Hands())
    prober, evaluator = turns.expect("prober", 5.0), turns.expect("evaluator", 15.0)
    assert turns.ready(listening=False) == [
        "the configuration is not loaded",
        "the listeners are not bound",
        "evaluator has not finished a turn",
        "prober has not finished a turn",
    ]
    turns.loaded()
    prober()
    assert turns.ready() == ["evaluator has not finished a turn"]
    evaluator()

    assert turns.ready() == []


def test_not_ready_from_the_start_of_a_shutdown():
    """Once the shutdown began nothing makes the daemon ready again."""
    turns = Turns(Hands())
    turns.loaded()
    turns.stopping()
    turns.loaded()

    assert turns.ready() == ["shutting down"]


def test_a_service_without_turns_is_stuck():
    """A service is stuck after ten periods, and not before a minute."""
    hands = Hands()
    turns = Turns(hands)
    turns.expect("quick", 1.0)
    slow = turns.expect("slow", 15.0)
    hands.now += 60.0
    assert turns.alive() == []
    hands.now += 0.5
    assert turns.alive() == ["quick finished no turn for 60 s, expected one within 60 s"]
    slow()
    turns.dismiss("quick")
    hands.now += 150.5

    assert turns.alive() == ["slow finished no turn for 150 s, expected one within 150 s"]


def test_a_service_that_turns_again_is_alive_again():
    """A turn ends the suspicion."""
    hands = Hands()
    turns = Turns(hands)
    done = turns.expect("prober", 5.0)
    hands.now += 100.0
    assert turns.alive()
    done()

    assert turns.alive() == []

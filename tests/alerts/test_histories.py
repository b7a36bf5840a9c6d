"""The promises about what channels are told, over random histories.

An end is told at once. When all is delivered and nothing mutes, each routed channel's view is the truth; two openings
keep the cooldown; a resolve follows exactly one opening; nothing is opened or repeated under a mute; an episode muted
throughout leaves no message; a message is repeated with its id, at most once per kill or unanswered attempt; three rows
wait at most.
"""

import os

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sidecar.alerts.facts import Mute
from sidecar.model.alerts import EndReason
from tests.alerts.world import CHANNELS, CHECKS, World

EXAMPLES = int(os.environ.get("SIDECAR_SOAK", "100"))

check, channel = st.sampled_from(CHECKS), st.sampled_from(CHANNELS)
outcome = st.sampled_from(["taken", "refused", "forbidden", "silent", "lost"])
seconds = st.sampled_from([0.0, 1.0, 60.0, 299.0, 301.0, 900.0, 3600.0, 4 * 3600.0, 86400.0])
TIMING = st.tuples(st.just("timing"), st.sampled_from([300.0, 0.0, 7200.0]), st.sampled_from([3600.0, 0.0, 600.0]))
STEPS = st.one_of(
    st.tuples(st.just("wait"), seconds),
    st.tuples(st.just("fire"), check),
    st.tuples(st.just("end"), check, st.sampled_from(EndReason)),
    st.tuples(st.just("attempt"), channel, outcome, st.integers(0, 3)),
    st.tuples(st.just("begin"), channel),
    st.tuples(st.just("finish"), channel, outcome),
    st.tuples(st.just("mute"), check, st.sampled_from([Mute.SILENCE, Mute.INTERVAL, Mute.STARTING])),
    st.tuples(st.just("ack"), check),
    st.tuples(st.just("route"), st.sampled_from([(), ("page",), ("mail", "quiet")])),
    st.tuples(st.just("severities"), channel, st.sampled_from([(), ("critical",), ("info",)])),
    st.tuples(st.just("configure"), channel),
    TIMING,
    st.tuples(st.just("kill"), st.booleans(), st.booleans()),
)
# What is hard is the story of one alert and its messages; the rest of the world changes now and then.
BUSY = st.one_of(
    st.tuples(st.just("fire"), st.just("a")),
    st.tuples(st.just("end"), st.just("a"), st.just(EndReason.RECOVERED)),
    st.tuples(st.just("attempt"), st.just("page"), outcome, st.integers(0, 3)),
    st.tuples(st.just("begin"), st.just("page")),
    st.tuples(st.just("finish"), st.just("page"), outcome),
    st.tuples(st.just("wait"), seconds),
)
HOLDS = st.one_of(
    st.tuples(st.just("mute"), st.just("a"), st.sampled_from([Mute.SILENCE, Mute.STARTING])),
    st.tuples(st.just("ack"), st.just("a")),
    st.tuples(st.just("route"), st.sampled_from([(), ("mail",)])),
)
HISTORIES = st.builds(
    lambda timing, steps: [timing, *steps],
    TIMING,
    st.lists(BUSY, max_size=25) | st.lists(BUSY | HOLDS, max_size=25) | st.lists(BUSY | STEPS, max_size=40),
)


def live(history) -> World:
    """A world in which *history* happened, with a turn after each step."""
    world = World()
    for name, *args in history:
        getattr(world, name)(*args)
        world.turn()
    return world


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
@example([("fire", "a"), ("begin", "page"), ("end", "a", EndReason.RECOVERED), ("finish", "page", "forbidden")])
@example(
    [("fire", "a"), ("attempt", "page", "silent"), ("attempt", "page", "refused"), ("end", "a", EndReason.NO_DATA)]
)
@example([("fire", "a"), ("attempt", "page", "silent"), ("wait", 86400.0), ("end", "a", EndReason.RECOVERED)])
@example([("timing", 0.0, 0.0), ("fire", "a"), ("end", "a", EndReason.RECOVERED), ("fire", "a"), ("wait", 86400.0)])
def test_every_promise_holds(history):
    """Whatever happens, and in whatever order, no promise is broken, and in the end everybody knows the truth."""
    world = live(history)

    world.quiesce()
    world.check_views()

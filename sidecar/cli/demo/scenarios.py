"""What can happen in the demo: stories as data."""

from dataclasses import dataclass
from typing import Final

from sidecar.simulator import Fault


@dataclass(frozen=True, slots=True)
class Act:
    """From one moment of the story on, this goes wrong; an act replaces the one before."""

    at: float  # seconds since the daemon was ready
    title: str
    text: str  # what a viewer should know about it
    faults: tuple[Fault, ...] = ()  # times count from the act
    gateway_down: bool = False

    @property
    def is_trouble(self) -> bool:
        """Whether anything is wrong in it."""
        return bool(self.faults) or self.gateway_down


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story: its acts, and whether people are told something in it."""

    name: str
    title: str
    acts: tuple[Act, ...]
    end: float  # when the story is over, if everything that was opened is closed by then
    pages: bool = True
    closes: bool = True  # whether the trouble is over before the end


def _fault(text: str) -> Fault:
    return Fault.parse(text)


_CALM: Final = Act(
    0.0,
    "All is well",
    "Users talk to Claude through the gateway. Every two seconds the sidecar asks a small question the way they do, "
    "asks the API directly whether it is there, and looks at the gateway's own health page. Nobody hears anything, "
    "because nothing is wrong.",
)
_OVERLOAD: Final = (
    "From now on the API answers 529 overloaded_error for this model. The first failing probe is only a question: it "
    "is asked again after half a second, and when that fails, too, the check is down."
)
_RECOVERY: Final = (
    "The API answers again. One good probe makes a check up; what was opened is closed, with how long it lasted."
)

SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "incident",
            "an overload, then streams that stall, then recovery",
            (
                _CALM,
                Act(8.0, "Claude is overloaded", _OVERLOAD, (_fault("overloaded"),)),
                Act(24.0, "The overload ends", _RECOVERY),
                Act(
                    34.0,
                    "Streams stall",
                    "Worse than an error: requests are accepted with 200, the first words come, and then not a byte "
                    "more. Status codes and rate-limit headers look healthy. Only who reads the stream can tell.",
                    (_fault("stall,after=2"),),
                ),
                Act(
                    50.0,
                    "Streams flow again",
                    "The last of it. Whoever was told that it broke is told that it is over.",
                ),
            ),
            end=62.0,
        ),
        Scenario(
            "overload",
            "the API has no capacity for the model for a while",
            (
                _CALM,
                Act(6.0, "Claude is overloaded", _OVERLOAD, (_fault("overloaded"),)),
                Act(24.0, "The overload ends", _RECOVERY),
            ),
            end=36.0,
        ),
        Scenario(
            "stall",
            "streams begin well and stop in the middle",
            (
                _CALM,
                Act(
                    6.0,
                    "Streams stall",
                    "Requests are accepted with 200, the first words come, and then not a byte more.",
                    (_fault("stall,after=2"),),
                ),
                Act(26.0, "Streams flow again", _RECOVERY),
            ),
            end=38.0,
        ),
        Scenario(
            "spend-cap",
            "the month's spend is used up: a 429 that no waiting cures",
            (
                _CALM,
                Act(
                    6.0,
                    "The spend limit is reached",
                    "It comes as 429, as a rate limit does, but without retry-after: nobody gets through until "
                    "somebody raises the limit. Clients that retry only make noise. The message says so.",
                    (_fault("spend_cap"),),
                ),
                Act(26.0, "The limit is raised", "Requests go through again; what was opened is closed."),
            ),
            end=38.0,
        ),
        Scenario(
            "key",
            "the API key is revoked",
            (
                _CALM,
                Act(
                    6.0,
                    "The key is revoked",
                    "401 on everything that needs a key. It is nobody's outage but ours: the message says whose it is.",
                    (_fault("auth"),),
                ),
                Act(24.0, "A new key is in place", "The key is taken again; what was opened is closed."),
            ),
            end=36.0,
        ),
        Scenario(
            "gateway",
            "the gateway breaks while Claude is fine",
            (
                _CALM,
                Act(
                    6.0,
                    "The gateway breaks",
                    "It answers 503 to everybody. The check that asks the API directly stays up, the ones that go "
                    "through the gateway do not: that is how one tells the two apart.",
                    gateway_down=True,
                ),
                Act(24.0, "The gateway is back", "Both alerts are closed by the first good probe of each."),
            ),
            end=36.0,
        ),
        Scenario(
            "blip",
            "one bad second, of which nobody has to hear",
            (
                _CALM,
                Act(
                    6.0,
                    "A blip",
                    "For half a second everything fails, and a user may notice. A probe that falls into it is asked "
                    "again half a second later, and then the answer is good.",
                    (_fault("overloaded@0s-500ms"),),
                ),
                Act(10.0, "Over before it began", "No check went down, so no rule fired and nobody was woken."),
            ),
            end=20.0,
            pages=False,
        ),
        Scenario("calm", "nothing goes wrong", (_CALM,), end=15.0, pages=False),
    )
}

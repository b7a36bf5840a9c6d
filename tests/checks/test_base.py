"""What every check may be told: when it is probed, what it depends on, and what is on this machine."""

import pytest
from pydantic import ValidationError

from sidecar.checks import Check, ProbeContext
from sidecar.checks._dependencies import dependencies


class Plain(Check):
    """A check that does nothing."""

    type: str = "plain"
    name: str = "a"
    at: str = "http://peer/"

    @property
    def target(self) -> str:
        return self.at

    async def probe(self, ctx: ProbeContext) -> None:
        """Nothing."""


class Inside(Plain):
    """A check that asks nobody."""

    crosses_network = False


def test_a_check_has_one_schedule():
    """Either an interval or a cron expression, since both would say when."""
    assert Plain.model_validate({"cron": "@hourly"}).cron == "@hourly"
    with pytest.raises(ValidationError, match="has both `every` and `cron`; expected one of them"):
        Plain.model_validate({"cron": "@hourly", "every": "5m"})


@pytest.mark.parametrize(
    ("check", "local"),
    [
        pytest.param(Plain(at="http://peer/"), False, id="a host"),
        pytest.param(Plain(at="127.0.0.1:6379"), True, id="loopback"),
        pytest.param(Plain(at="unix:/run/redis.sock"), True, id="a Unix socket"),
        pytest.param(Plain(at="[::1]:80"), True, id="loopback in IPv6"),
        pytest.param(Inside(at="command://backup"), True, id="a type that needs no network"),
    ],
)
def test_what_is_on_this_machine(check, local):
    """No network stands between, and its series are this pod's own."""
    assert check.is_local is local
    assert check.per_pod is local


def checks(**depends_on: list[str]) -> dict[str, Check]:
    return {f"checks[{n}]": Plain(name=name, depends_on=tuple(on)) for n, (name, on) in enumerate(depends_on.items())}


@pytest.mark.parametrize(
    ("given", "mistakes"),
    [
        pytest.param(checks(a=[], b=["a"], c=["a", "b"]), [], id="nothing is wrong"),
        pytest.param(
            checks(a=["b", "x"], b=[]),
            [("checks[0].depends_on[1]", "no check 'x'; expected one of: a, b")],
            id="a name that nobody has",
        ),
        pytest.param(
            checks(a=["a"]),
            [("checks[0].depends_on", "a → a is a circle; expected that nothing depends on itself")],
            id="itself",
        ),
        pytest.param(
            checks(z=["a"], a=["b"], b=["c"], c=["a"]),
            [("checks[1].depends_on", "a → b → c → a is a circle; expected that nothing depends on itself")],
            id="a circle is told once, and not at who leads into it",
        ),
        pytest.param(
            checks(a=["b"], b=["a"], c=["d"], d=["c"]),
            [
                ("checks[0].depends_on", "a → b → a is a circle; expected that nothing depends on itself"),
                ("checks[2].depends_on", "c → d → c is a circle; expected that nothing depends on itself"),
            ],
            id="two circles",
        ),
    ],
)
def test_dependencies(given, mistakes):
    """What is depended on is there, and nothing depends on itself."""
    assert list(dependencies(given)) == mistakes


def test_a_name_of_a_check_that_is_wrong():
    """Whoever depends on a check with a mistake of its own has made none."""
    assert list(dependencies(checks(a=["b"]), others=["b", None])) == []


def test_a_long_chain_of_dependencies():
    """A thousand in a row are no recursion too deep."""
    names = [f"c{n}" for n in range(1000)]

    assert list(dependencies(checks(**{name: names[n + 1 : n + 2] for n, name in enumerate(names)}))) == []

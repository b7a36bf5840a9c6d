"""Label matchers."""

import pytest

from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher, MatcherError, MatchOp


@pytest.mark.parametrize(
    ("op", "value", "label", "accepted"),
    [
        pytest.param(MatchOp.EQ, "a", "a", True, id="equal"),
        pytest.param(MatchOp.EQ, "", "", True, id="equal to absent"),
        pytest.param(MatchOp.NE, "a", "", True, id="absent is not a"),
        pytest.param(MatchOp.RE, "b", "abc", False, id="a regex is anchored"),
        pytest.param(MatchOp.RE, "a.c", "a\nc", True, id="a dot is any character, a line break too"),
        pytest.param(MatchOp.RE, "a|", "", True, id="a regex may match the absent label"),
        pytest.param(MatchOp.NRE, "a.*", "b", True, id="not matching"),
        pytest.param(MatchOp.RE, "(a+)+$", "a" * 40 + "b", False, id="no regex takes exponential time"),
    ],
)
def test_accepts(op, value, label, accepted):
    """A matcher judges the value of one label, absent being empty."""
    assert Matcher("x", op, value).matches(Labels(x=label)) is accepted


def test_bad_regex():
    """A regular expression that RE2 does not take is refused when it is made."""
    with pytest.raises(MatcherError, match="RE2"):
        Matcher("x", MatchOp.RE, "a(?=b)")

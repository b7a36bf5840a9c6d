"""Prometheus' own query tests, and ours in the same notation."""

from pathlib import Path

import pytest

from tests.promql.promqltest import BORROWED, Report, run

OWN = sorted(Path(__file__).parent.glob("*.test"))
CLASSIC = {
    "aggregators": 123,
    "at_modifier": 77,
    "functions": 262,
    "histograms": 83,
    "literals": 25,
    "selectors": 31,
    "staleness": 17,
}
"""How many cases of each file need neither native histograms nor experimental features."""


@pytest.mark.parametrize("name", CLASSIC)
def test_prometheus_own_tests_pass(name):
    """Every case of Prometheus' files that this engine supports passes, and those are all the classic ones."""
    path = BORROWED / f"{name}.test"
    if not path.exists():
        pytest.skip(f"{path} is not there; PROMQLTEST_DIR names another folder")

    report = run(path.read_text(), path.name)

    assert report.failed == []
    assert report.passed >= CLASSIC[name]


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_own_tests_pass(path):
    """Every case of our own files passes."""
    report = run(path.read_text(), path.name)

    assert report.failed == []
    assert report.unsupported == []
    assert report.passed > 0


@pytest.mark.parametrize(
    ("text", "report"),
    [
        pytest.param("eval instant at 1m 1 + 1\n  2", Report(1), id="right scalar"),
        pytest.param("eval instant at 1m 1 + 1\n  3", Report(0, ["one"]), id="wrong scalar"),
        pytest.param("load 1m\n  a 1\n\neval instant at 0 a\n  a 1", Report(1), id="right vector"),
        pytest.param("load 1m\n  a 1\n\neval instant at 0 a\n  a{x='y'} 1", None, id="malformed"),
        pytest.param('load 1m\n  a 1\n\neval instant at 0 a\n  a{x="y"} 1', Report(0, ["one"]), id="wrong labels"),
        pytest.param("load 1m\n  a 1\n\neval instant at 0 a", Report(0, ["one"]), id="more than expected"),
        pytest.param("eval instant at 0 b\n  b 1", Report(0, ["one"]), id="less than expected"),
        pytest.param("eval instant at 0 1 +\n  expect fail", Report(1), id="expected failure"),
        pytest.param("eval instant at 0 1\n  expect fail", Report(0, ["one"]), id="no failure"),
        pytest.param("load 1m\n  a {{}}\n\neval instant at 0 a\n  a 1", Report(0, [], ["one"]), id="native histogram"),
        pytest.param("eval instant at 0 limitk(1, a)", Report(0, [], ["one"]), id="experimental"),
        pytest.param("load 1m\n  a 1 2\n\neval range from 0 to 1m step 1m a\n  a 1 2", Report(1), id="range"),
        pytest.param("load 1m\n  a 1 2\n\neval range from 0 to 1m step 1m a\n  a 1 _", Report(0, ["one"]), id="points"),
        pytest.param("eval instant at 0 quantile(2, a)\n  expect warn msg: x", Report(0, ["one"]), id="wrong warning"),
        pytest.param("eval instant at 0 quantile(2, a)\n  expect no_warn", Report(0, ["one"]), id="unwanted warning"),
    ],
)
def test_the_runner_tells_right_from_wrong(text, report):
    """The runner of the notation fails what is wrong, passes what is right and sets aside what is unsupported."""
    if report is None:
        with pytest.raises(Exception, match="line 4"):
            run(text)
        return

    found = run(text)

    assert (found.passed, len(found.failed), len(found.unsupported)) == (
        report.passed,
        len(report.failed),
        len(report.unsupported),
    )

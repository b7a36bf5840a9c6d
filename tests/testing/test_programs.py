"""Programs of other people: skipped when absent, unless somebody insists."""

import pytest

from tests.programs import module, program


def test_a_program_that_is_there_is_found():
    """The answer is a path."""
    assert program("sh").endswith("/sh")


def test_a_program_that_is_absent_skips_the_test(monkeypatch):
    """Without the program the test is skipped, with a reason."""
    monkeypatch.delenv("SIDECAR_REQUIRE", raising=False)

    with pytest.raises(pytest.skip.Exception, match="'no-such-program' is not installed"):
        program("no-such-program")


@pytest.mark.parametrize("required", ["no-such-program", "promtool,no-such-program", "promtool no-such-program"])
def test_a_program_that_is_required_fails_the_test(monkeypatch, required):
    """Where everything should be installed, an absent program is a failure."""
    monkeypatch.setenv("SIDECAR_REQUIRE", required)

    with pytest.raises(pytest.fail.Exception, match="SIDECAR_REQUIRE names 'no-such-program'"):
        program("no-such-program")


@pytest.mark.parametrize(
    ("required", "outcome"),
    [
        pytest.param("", pytest.skip.Exception, id="nobody insists"),
        pytest.param("sh,node", pytest.fail.Exception, id="somebody insists"),
    ],
)
def test_a_module_that_is_absent_is_as_a_program_that_is(monkeypatch, required, outcome):
    """Whoever insists on Node insists on its modules."""
    monkeypatch.setenv("SIDECAR_REQUIRE", required)

    with pytest.raises(outcome, match="'no-such-module' is not in tests/node"):
        module("no-such-module")

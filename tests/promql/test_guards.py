"""What is refused before and by the parser, and how."""

import subprocess
import sys

import pytest

from sidecar.promql import QueryError, Unsupported, compile_
from sidecar.promql.lexer import NESTING, TERMS


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 10_000 + "a" + ")" * 10_000, id="ten thousand brackets"),
        pytest.param("(" * 2_000 + "a" + ")" * 2_000, id="brackets within the length"),
        pytest.param("+".join("a" * 5_000), id="a chain of 5,000 terms"),
        pytest.param("+".join("a" * 3_000), id="a chain within the length"),
        pytest.param("-" * 5_000 + "a", id="5,000 signs"),
        pytest.param(" or ".join("a" * 1_000), id="a chain of words"),
        pytest.param("abs(" * 1_000 + "a" + ")" * 1_000, id="nested calls"),
        pytest.param("a" + "[5m:1m]" * 500, id="a chain of subqueries"),
        pytest.param("^".join("a" * 500), id="a chain to the right"),
        pytest.param('a{b="' + "x" * 100_000, id="an endless string"),
        pytest.param("a" * 100_000, id="an endless name"),
        pytest.param("`" + "x" * 5_000, id="an endless raw string"),
        pytest.param("#" * 100_000, id="an endless comment"),
        pytest.param("\x00\x01\x02\xff\xfe", id="binary"),
        pytest.param("a\udc80", id="half of a character"),
        pytest.param("\\", id="a backslash"),
        pytest.param("a" + "[" * 200, id="brackets that do not close"),
        pytest.param("}" * 200, id="brackets that do not open"),
        pytest.param("a{" + "b='c'," * 2_000 + "}", id="thousands of matchers"),
        pytest.param('a{b=~"' + "(" * 1_000 + ")" * 1_000 + '"}', id="a deep regular expression"),
        pytest.param('a{b=~"((a{999}){999}){999}"}', id="a huge regular expression"),
        pytest.param("1" * 5_000, id="a long number"),
        pytest.param("a[" + "9" * 400 + "d]", id="a long duration"),
        pytest.param("a @ " + "9" * 400, id="a far time"),
    ],
)
def test_hostile_input_is_refused(text):
    """Input that would kill or stall the parser is refused with an error that can be printed."""
    with pytest.raises(QueryError) as caught:
        compile_(text)

    assert str(caught.value).encode()
    assert len(str(caught.value)) < 3_000


SURVIVORS = """
import sys, threading
from sidecar.promql import compile_
from sidecar.promql.lexer import NESTING, TERMS
texts = [
    "+".join("a" * TERMS), "^".join("a" * TERMS), " or ".join("a" * TERMS), "-" * (TERMS - 1) + "a",
    "(" * (NESTING - 1) + "a" + ")" * (NESTING - 1), "(a+" * (TERMS // 2 - 1) + "a" + ")" * (TERMS // 2 - 1),
    "max_over_time(" * (TERMS // 2 - 1) + "a" + "[5m:1m])" * (TERMS // 2 - 1),
    "abs(" * (NESTING - 1) + "a" + ")" * (NESTING - 1),
    "+".join(["sum by (job) (rate(a{b=~'x.+'}[5m]))"] * (TERMS // 6)),
]
done = []
threading.stack_size(512 * 1024)
thread = threading.Thread(target=lambda: done.extend(map(compile_, texts)))
thread.start()
thread.join()
sys.exit(0 if len(done) == len(texts) else 1)
"""


def test_whatever_is_let_through_fits_a_small_stack():
    """The largest expressions that the guards let through compile on a thread with 512 KiB of stack."""
    found = subprocess.run([sys.executable, "-c", SURVIVORS], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "got no expression, expected one such as 'up == 0'", id="empty"),
        pytest.param("# up", "got no expression, expected one such as 'up == 0'", id="a comment"),
        pytest.param("foo ==", "at the end (1:7): got the end, expected an operand", id="no right side"),
        pytest.param("foo bar", "near \"bar\" (1:5): got 'bar', expected an operator", id="no operator"),
        pytest.param("up == 1\n  up", "near \"up\" (2:3): got 'up', expected an operator", id="on the second line"),
        pytest.param("é bar", "near \"é bar\" (1:1): unexpected character: 'é'", id="no letter of a name"),
        pytest.param("a + * b", "near \"* b\" (1:5): got '*', expected an operand", id="two operators"),
        pytest.param("a and or b", "near \"or b\" (1:7): got the operator 'or', expected an operand", id="two words"),
        pytest.param("(foo", "near \"(foo\" (1:1): got '(', expected its closing bracket", id="not closed"),
        pytest.param("foo)", "near \")\" (1:4): got ')', expected its opening bracket before it", id="not opened"),
        pytest.param("(foo]", "near \"]\" (1:5): got ']', expected its opening bracket before it", id="wrong bracket"),
        pytest.param("x = 1", "near \"= 1\" (1:3): got '=', expected '==' or another operator", id="one equals sign"),
        pytest.param("sum foo", "near \"foo\" (1:5): got 'foo', expected '(', 'by' or 'without'", id="no brackets"),
        pytest.param('a{b="c', 'near ""c" (1:5): got a string that does not end, expected another "', id="no quote"),
        pytest.param(
            "rate(foo)", "expected type range vector in call to function 'rate', got instant vector", id="no range"
        ),
        pytest.param(
            "vector(foo)", "expected type scalar in call to function 'vector', got instant vector", id="a vector of it"
        ),
        pytest.param("foo[5m] + 1", "must contain only scalar and instant vector types", id="a range as operand"),
        pytest.param("nope(foo)", "near \"nope(foo)\" (1:1): unknown function with name 'nope'", id="unknown function"),
        pytest.param("holt_winters(a[5m], 1, 1)", "calls it double_exponential_smoothing", id="renamed function"),
        pytest.param('a{b="\\d"}', "unknown escape \\d; write \\\\d for a backslash", id="an escape"),
        pytest.param('a{b="\\xff"}', "is not valid UTF-8", id="invalid UTF-8"),
        pytest.param('a{b="\\ud800"}', "which is no character", id="a surrogate"),
        pytest.param('a{b="\\777"}', "at most \\377", id="an octal escape"),
        pytest.param('a{b=~"("}', "illegal regex", id="a regular expression"),
        pytest.param('a{b="c" or d="e"}', "which Prometheus does not have", id="or between matchers"),
        pytest.param("1e999", "expected a number that a float holds", id="overflow"),
        pytest.param("foo[300y]", "expected one within 292 years", id="a long range"),
        pytest.param("foo offset 10000000y", "expected one within 292 years", id="a long offset"),
        pytest.param("foo @ 1e30", "timestamp out of bounds for @ modifier", id="a far time"),
        pytest.param('count_values("a\\xc5z", b)', 'invalid label name "a\\xc5z"', id="a label of bytes"),
        pytest.param('count_values("", b)', 'invalid label name ""', id="an empty label"),
        pytest.param('label_replace(a, "b", "c", "d", "(")', "expected RE2 syntax", id="label_replace's pattern"),
        pytest.param('label_join(a, "", "c", "d")', "invalid destination label name", id="label_join's label"),
    ],
)
def test_messages_say_what_and_where(text, message):
    """An error says what was found near where, and what is expected."""
    with pytest.raises(QueryError) as caught:
        compile_(text)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("info(foo)", "info()", id="an experimental function"),
        pytest.param("sum(mad_over_time(foo[5m]))", "mad_over_time()", id="an inner experimental function"),
        pytest.param("limitk(1, foo)", "limitk()", id="an experimental aggregation"),
        pytest.param("a + fill(0) b", "fill()", id="fill values"),
        pytest.param("foo[5m+1m]", "expressions as durations", id="a duration expression"),
        pytest.param("foo[(5m)]", "expressions as durations", id="a duration in brackets"),
        pytest.param("rate(foo[5m] smoothed)", "smoothed", id="smoothed"),
        pytest.param("rate(foo[5m] anchored)", "anchored", id="anchored"),
        pytest.param("foo </ 5", "</", id="trimming from above"),
        pytest.param("foo >/ 5", ">/", id="trimming from below"),
        pytest.param("histogram_count(foo)", "histogram_count()", id="a function of native histograms"),
        pytest.param("foo @ -100", "@ before 1970", id="a time before 1970"),
    ],
)
def test_unsupported_features_are_named(text, name):
    """Experimental features and native histograms are refused by name."""
    with pytest.raises(Unsupported) as caught:
        compile_(text)

    assert name in str(caught.value)
    assert "not supported here" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r"a{b=~`\d+\.\w`}", id="escapes in backticks"),
        pytest.param("a{b='it\\'s'}", id="single quotes"),
        pytest.param('a # "unbalanced (\n > 5', id="a comment"),
        pytest.param("a offset 0s", id="no offset"),
        pytest.param('a{b=~"#(x)"}', id="marks in strings"),
        pytest.param("a offset -5m", id="an offset into the future"),
        pytest.param("a[5m:] @ end()", id="the end of the query"),
        pytest.param("SUM(a) BY (b)", id="capitals"),
        pytest.param('{"a.b", "c d"="e"}', id="quoted names"),
        pytest.param("a" + "+a" * (TERMS - 1), id="as many terms as allowed"),
        pytest.param("(" * NESTING + "a" + ")" * NESTING, id="as deep as allowed"),
    ],
)
def test_what_prometheus_accepts_is_accepted(text):
    """The guards refuse nothing that people write."""
    compile_(text)

"""Promises for any expression."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model.labels import Labels
from sidecar.model.samples import STALE
from sidecar.promql import Limits, Query, QueryError, compile_
from sidecar.promql import ast as tree
from sidecar.promql.lexer import Token, tokens
from sidecar.promql.parse import parse
from sidecar.promql.printer import show
from tests.promql.expressions import EXPRESSIONS
from tests.promql.memory import Memory

LIMITS = Limits(samples=50_000, steps=500)


def _memory() -> Memory:
    memory = Memory()
    values = [0.0, 3.0, 1.0, math.nan, math.inf, -2.5, STALE, 7.0, 7.0, 1e308, 1e308]
    for job in ("a", "b"):
        for i, name in enumerate(("up", "x_total", "gauge")):
            memory.put(Labels(__name__=name, job=job), {t * 30_000: v + i for t, v in enumerate(values)})
        for n, le in enumerate(("0.5", "1", "+Inf", "nonsense")):
            memory.put(Labels(__name__="h_bucket", job=job, le=le), {t * 15_000: t * n for t in range(20)})
    return memory


MEMORY = _memory()


@contextmanager
def printable() -> Iterator[None]:
    """Only a QueryError may be raised inside, and one that says something."""
    message = "no error"
    try:
        yield
    except QueryError as exc:
        message = str(exc)
    assert message.encode()


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS, st.sampled_from([-60_000, 0, 1, 30_000, 150_000, 300_000, 10_000_000_000_000]))
def test_nothing_but_query_errors(text, at):
    """Whatever the expression, it answers or raises QueryError; and it says what it reads and judges."""
    with printable():
        query = compile_(text)
        query.instant(MEMORY, at, LIMITS)
        query.range(MEMORY, at, at + 120_000, 30_000, LIMITS)
    try:
        query = compile_(text)
    except QueryError:
        return
    assert query.reads is not None
    assert query.reach_ms >= 0
    for part in (*query.subject, *filter(None, [query.counts])):
        assert part.text
        assert part.equal_labels is not None
    if query.threshold is not None:
        assert query.condition


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_printed_expressions_read_back(text):
    """An expression that is printed and read again is the same expression, and answers the same."""
    try:
        query = compile_(text)
    except QueryError:
        return

    printed = show(parse(text))

    assert show(parse(printed)) == printed
    assert _answer(compile_(printed)) == _answer(query)


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_subjects_are_written_as_they_stand(text):
    """The text of a subject says the same expression as the subject."""
    try:
        subjects = compile_(text).subject
    except QueryError:
        return

    for subject in subjects:
        assert _answer(compile_(subject.text)) == _answer(subject)


def _answer(query: Query) -> str:
    try:
        answer = repr(query.instant(MEMORY, 150_000, LIMITS))
        return re.sub(r" \(\d+:\d+\)", "", answer)  # the places of annotations
    except QueryError as exc:
        return str(exc)


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS, st.integers(0, 60), st.text(max_size=3))
def test_damaged_expressions_are_refused_or_read(text, at, noise):
    """An expression with something random in it is read or refused, and the error can be printed."""
    with printable():
        compile_(text[:at] + noise + text[at:])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_refused_or_read(text):
    """Any text at all is read or refused."""
    with printable():
        compile_(text)


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_tokens_cover_the_text(text):
    """Tokens are pieces of the text, in order, with nothing but space between them."""
    try:
        found = tokens(text)
    except QueryError:
        return

    end = 0
    for token in [*found, Token("end", "", len(text), 0)]:
        assert text[end : token.start].strip() == ""
        assert text[token.start : token.end] == token.text
        end = token.end


def test_walk_finds_every_node():
    """Walking an expression meets its parts in the order of the text."""
    found = [node.name for node in tree.walk(parse("a + sum(b) / rate(c[5m])")) if isinstance(node, tree.Selector)]

    assert found == ["a", "b", "c"]

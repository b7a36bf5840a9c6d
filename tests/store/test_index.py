import pytest

from sidecar.model.labels import Labels
from sidecar.model.matchers import Matcher, MatchOp
from sidecar.store.index import Index
from sidecar.store.series import Series

EQ, NE, RE, NRE = MatchOp.EQ, MatchOp.NE, MatchOp.RE, MatchOp.NRE


def labels(text: str) -> Labels:
    """`up{a="1"}` from `up a=1`."""
    name, *rest = text.split()
    return Labels({"__name__": name, **dict(pair.split("=") for pair in rest)})


def index_of(*texts: str) -> Index:
    index = Index()
    for text in texts:
        index.add(Series(labels(text)))
    return index


def found(index: Index, *matchers: tuple[str, MatchOp, str]) -> list[str]:
    return [str(series.labels) for series in index.select([Matcher(*matcher) for matcher in matchers])]


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        pytest.param([("__name__", EQ, "up")], ["up", 'up{a="1"}', 'up{a="2"}'], id="by name"),
        pytest.param([("__name__", EQ, "up"), ("a", EQ, "1")], ['up{a="1"}'], id="by name and label"),
        pytest.param([("__name__", EQ, "up"), ("a", EQ, "")], ["up"], id="an absent label is empty"),
        pytest.param([("__name__", EQ, "up"), ("a", NE, "1")], ["up", 'up{a="2"}'], id="not equal takes absent"),
        pytest.param([("__name__", EQ, "up"), ("a", RE, "1|2")], ['up{a="1"}', 'up{a="2"}'], id="by expression"),
        pytest.param([("__name__", EQ, "up"), ("a", NRE, "1|")], ['up{a="2"}'], id="not by expression"),
        pytest.param([("__name__", RE, "u.*"), ("a", EQ, "1")], ['up{a="1"}'], id="name by expression"),
        pytest.param([("__name__", NE, "up")], ['down{a="1"}'], id="another name"),
        pytest.param([("a", EQ, "1")], ['up{a="1"}', 'down{a="1"}'], id="without a name"),
        pytest.param([("__name__", EQ, "up"), ("__name__", EQ, "down")], [], id="two names at once"),
        pytest.param([("__name__", EQ, "up"), ("__name__", RE, "d.*")], [], id="a name that contradicts"),
        pytest.param([("__name__", EQ, "nothing")], [], id="nothing of that name"),
        pytest.param([], ["up", 'up{a="1"}', 'up{a="2"}', 'down{a="1"}'], id="everything"),
    ],
)
def test_select(matchers, expected):
    """Series are found by all matchers at once, whether asked first or again."""
    index = index_of("up", "up a=1", "up a=2", "down a=1")

    assert found(index, *matchers) == expected
    assert found(index, *matchers) == expected


def test_a_new_series_joins_the_answers():
    """An answer that was given before has the new series too, and the old list stays as it was."""
    index = index_of("up a=1")
    question = [Matcher("__name__", EQ, "up"), Matcher("a", RE, ".+")]
    before = index.select(question)
    index.add(Series(labels("up a=2")))
    index.add(Series(labels("up b=2")))

    assert [series.labels["a"] for series in index.select(question)] == ["1", "2"]
    assert len(before) == 1


def test_a_forgotten_series_leaves_the_answers():
    """What is forgotten is found no more, and its name may come back."""
    index = index_of("up a=1", "up a=2", "down")
    question = ("__name__", EQ, "up"), ("a", RE, ".+")
    assert len(found(index, *question)) == 2
    index.forget([series for series in index.select([]) if series.labels["__name__"] == "up"])
    assert found(index, *question) == []
    index.add(Series(labels("up a=3")))

    assert found(index, *question) == ['up{a="3"}']
    assert len(index) == 2


def test_the_generation_grows_with_births_and_losses_alone():
    """The generation says when answers may differ."""
    index = index_of("up a=1")
    first = index.generation
    (series,) = index.select([])
    series.write(1000, 1.0)
    index.select([Matcher("a", RE, ".*")])
    index.forget([])
    assert index.generation == first
    index.add(Series(labels("up a=2")))
    second = index.generation
    index.forget([series])

    assert first < second < index.generation


def test_a_matcher_is_asked_once_about_each_series():
    """Rules ask every turn; only new series cost a match."""
    asked = []

    class Counted(Matcher):
        def matches(self, labels):
            asked.append(labels["a"])
            return super().matches(labels)

    index = index_of("up a=1", "up a=2")
    question = [Matcher("__name__", EQ, "up"), Counted("a", RE, ".+")]
    for _ in range(3):
        index.select(question)
    index.add(Series(labels("up a=3")))
    index.select(question)

    assert asked == ["1", "2", "3"]


def test_answers_are_bounded():
    """Questions of people do not fill the memory."""
    index = index_of("up a=1")
    for n in range(3000):
        index.select([Matcher("__name__", EQ, "up"), Matcher("a", NE, str(n))])

    assert len(index._answers) == 1024

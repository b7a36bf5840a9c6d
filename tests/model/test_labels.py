"""Label sets."""

import pytest

from sidecar.model.labels import EMPTY, Labels


@pytest.mark.parametrize(
    ("labels", "fingerprint"),
    [
        pytest.param({}, "cbf29ce484222325", id="nothing is the offset basis"),
        pytest.param(
            {"name": "garland, briggs", "fear": "love is not enough"},
            f"{5799056148416392346:016x}",
            id="Prometheus' own case",
        ),
    ],
)
def test_fingerprint(labels, fingerprint):
    """The fingerprint is FNV-1a 64 over names and values, each closed by 0xff."""
    assert Labels(labels).fingerprint() == fingerprint


def test_order_does_not_matter():
    """Two sets with the same labels are equal, whatever the order they were given in."""
    one, other = Labels(b="2", a="1"), Labels({"a": "1", "b": "2"})

    assert one == other
    assert hash(one) == hash(other)
    assert list(one) == ["a", "b"]
    assert one.fingerprint() == other.fingerprint()


def test_empty_value_is_absent():
    """A label with an empty value is no label."""
    assert Labels(a="", b="1") == Labels(b="1")
    assert Labels(b="1").with_(b="") == EMPTY


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        pytest.param(Labels(__name__="up"), "up", id="only a name"),
        pytest.param(Labels(), "{}", id="nothing"),
        pytest.param(Labels(a='x"\\\n'), '{a="x\\"\\\\\\n"}', id="quotes, backslashes and line breaks are escaped"),
        pytest.param(Labels(__name__="up", b="2", a="1"), 'up{a="1", b="2"}', id="name first, labels in order"),
    ],
)
def test_text(labels, text):
    """A label set reads as Prometheus writes it."""
    assert str(labels) == text


def test_subsets():
    """Sets are cut and extended without being changed."""
    labels = Labels(a="1", b="2")

    assert labels.without("a") == Labels(b="2")
    assert labels.only("a", "c") == Labels(a="1")
    assert labels.with_(c="3") == Labels(a="1", b="2", c="3")
    assert labels == Labels(a="1", b="2")

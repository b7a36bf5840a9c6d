"""Words from outside."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.templating import safe, times


class TestLine:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("p95 is 4.2 s", "p95 is 4.2 s", id="ordinary words"),
            pytest.param("Grüße aus 東京 😀 ‒ “ok”", "Grüße aus 東京 😀 ‒ “ok”", id="every language"),
            pytest.param("שלום عليكم", "שלום عليكم", id="words that run from right to left"),
            pytest.param(" \n one\r\n\n two \n", "one ⏎ two", id="line breaks are seen"),
            pytest.param("a\u2028b\u2029c\x85d\x0be\x0cf", "a ⏎ b ⏎ c ⏎ d ⏎ e ⏎ f", id="every kind of line break"),
            pytest.param("a\t \u00a0b", "a b", id="spaces are spaces"),
            pytest.param("a\x00b\x1b[0m\x7f\x9b", "a‹U+0000›b‹U+001B›[0m‹U+007F›‹U+009B›", id="controls are seen"),
            pytest.param("a\u202eb\u2066c\u200fd", "a‹U+202E›b‹U+2066›c‹U+200F›d", id="direction is seen"),
            pytest.param("a\u200bb\u200dc\ufeffd\u00ade\U000e0041f\u3164", "abcdef", id="the invisible goes"),
            pytest.param("x" + "\u0301" * 50, "x" + "\u0301" * 4, id="stacked accents are bounded"),
            pytest.param("a\ud800b\uffff", "a\ufffdb\ufffd", id="half a character"),
            pytest.param("", "", id="nothing"),
            pytest.param("x" * 301, "x" * 299 + "…", id="too long"),
            pytest.param("x" * 300, "x" * 300, id="just long enough"),
            pytest.param("\u200b" * 3000 + "x", "…", id="long and invisible"),
        ],
    )
    def test_a_line_shows_what_it_is_made_of(self, text, expected):
        """What a terminal or a mail would obey is made visible or goes; what people write stays."""
        assert safe.line(text) == expected

    @given(st.text(st.characters(codec=None)), st.integers(2, 50))
    def test_a_line_is_one_bounded_line(self, text, limit):
        """Whatever comes in, one line goes out, no longer than allowed, that can be encoded and shown again."""
        shown = safe.line(text, limit)

        assert len(shown) <= limit
        assert len(shown.splitlines()) <= 1
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        shown.encode()
        assert safe.line(shown, limit) == shown


class TestUrl:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("https://r.example/a?b=1&c=%20#d", "https://r.example/a?b=1&c=%20#d", id="an ordinary link"),
            pytest.param("http://[::1]:9797/x", "http://[::1]:9797/x", id="a numeric host"),
            pytest.param(
                "https://r.example/\"><'|`{}é", "https://r.example/%22%3E%3C%27%7C%60%7B%7D%C3%A9", id="quotes"
            ),
            pytest.param("javascript:alert(1)", "", id="a script"),
            pytest.param("data:text/html,x", "", id="data"),
            pytest.param("//r.example", "", id="no scheme"),
            pytest.param("https://", "", id="no host"),
            pytest.param("https://user:pw@r.example/", "", id="a user in front of the host"),
            pytest.param("https://r.example:x/", "", id="a port that is none"),
            pytest.param("https://[r/", "", id="a broken address"),
            pytest.param("https://r.example/a b", "", id="a space"),
            pytest.param("https://r.example/\r\nX: y", "", id="a line break"),
            pytest.param("https://аpple.example/", "", id="a host that looks like another"),
            pytest.param("https://r.example/" + "x" * 2000, "", id="endless"),
            pytest.param("", "", id="nothing"),
        ],
    )
    def test_a_link_leads_where_it_says(self, text, expected):
        """Only links to the web are links, and nothing in them ends them early."""
        assert safe.url(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(4.21378, "4.214", id="a fraction"),
        pytest.param(3.0, "3", id="a whole number"),
        pytest.param(0.00123456, "0.001235", id="a small one"),
        pytest.param(1234567.0, "1,234,567", id="thousands"),
        pytest.param(-0.0, "0", id="negative zero"),
        pytest.param(1e300, "1e+300", id="huge"),
        pytest.param(math.nan, "no data", id="NaN"),
        pytest.param(-math.inf, "-Inf", id="infinite"),
    ],
)
def test_numbers_are_written_for_people(value, expected):
    """A value has four digits that count."""
    assert safe.number(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(-3, "less than a second", id="never negative"),
        pytest.param(0.25, "less than a second", id="below a second"),
        pytest.param(29.896, "30s", id="whole seconds"),
        pytest.param(59.6, "1m", id="nearly a minute"),
        pytest.param(3599, "1h", id="nearly an hour"),
        pytest.param(5400, "1h30m", id="hours and minutes"),
        pytest.param(14_429, "4h", id="no seconds beside hours"),
        pytest.param(90_000, "1d1h", id="days"),
    ],
)
def test_spans_have_two_units(seconds, expected):
    """How long something took, to what matters."""
    assert times.span(seconds) == expected


def test_a_zone_that_nobody_knows_is_utc():
    """A missing time-zone database costs the local time, not the message."""
    assert times.instant(0.0, times.zone("No/Where")) == "1970-01-01 00:00:00 UTC"
    assert times.instant(1767625200.0, times.zone("Asia/Tokyo")) == "2026-01-05 15:00:00 UTC (2026-01-06 00:00:00 JST)"
    assert times.instant(1e30) == "1000000000000000019884624838656 s since 1970"
    assert times.rfc3339(1767614400.25) == "2026-01-05T12:00:00.250Z"
    assert times.rfc3339(1e30) == "9999-12-31T23:59:59Z"
    assert times.clock(1767614400.0, 1767700800.0) == "2026-01-05 12:00 UTC"

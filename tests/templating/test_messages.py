"""Notifications in words."""

import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.alerts import Alert, AlertState, EndReason, RuleKey
from sidecar.model.labels import Labels
from sidecar.model.notifications import Blame, Notification, NotifyKind, Trend
from sidecar.templating import facts
from sidecar.templating.messages import Context, Message, Tone, bare, compose
from sidecar.templating.page import COLOURS, page
from sidecar.templating.plain import plain
from tests.channels.stories import (
    DOWN,
    EVIL,
    NOON,
    SAID,
    SLOW,
    STORIES,
    ended,
    hostile,
    notification,
    sent_at,
    storm,
    told,
)


def composed(name: str, **more) -> Message:
    return compose(STORIES[name], Context(**{"now": sent_at(name)} | more))


def facts_of(message: Message, item: int = 0) -> dict[str, str]:
    return {fact.name: fact.text for fact in message.items[item].facts}


class TestHeadline:
    @pytest.mark.parametrize(
        ("story", "expected"),
        [
            pytest.param("opening", "FIRING: ClaudeDown (critical) – Claude does not answer", id="one alert fires"),
            pytest.param(
                "opening_group", "FIRING: 2 alerts (critical) – ClaudeDown, ClaudeSlow", id="a group, the worst first"
            ),
            pytest.param(
                "reminder", "STILL FIRING for 4h2m: ClaudeSlow (warning) – The first token takes long", id="a reminder"
            ),
            pytest.param("resolve", "RECOVERED after 10m: ClaudeSlow (warning) – model claude-opus-5", id="recovered"),
            pytest.param(
                "resolve_no_data",
                "CLOSED (no data): ClaudeSlow (warning) – model claude-opus-5",
                id="no data is no recovery",
            ),
            pytest.param(
                "resolve_replaced",
                "CLOSED (replaced by 0123456789abcdef): ClaudeDown (critical) – check messages",
                id="replaced",
            ),
            pytest.param(
                "resolve_mixed", "CLOSED: 2 alerts (critical) – ClaudeDown, ClaudeSlow", id="not all recovered"
            ),
            pytest.param(
                "closed", "FIRED AND RECOVERED after 11m: ClaudeDown (critical) – check messages", id="told late"
            ),
            pytest.param("opening_no_data", "FIRING: Quiet", id="neither severity nor summary"),
        ],
    )
    def test_the_headline_says_what_happened_to_what(self, story, expected):
        """The headline is the state, the alert, how bad it is and the summary, at its end what it was about."""
        assert composed(story).headline == expected

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            pytest.param(EndReason.RECOVERED, "recovered", id="recovered"),
            pytest.param(EndReason.NO_DATA, "closed: no data", id="no data"),
            pytest.param(EndReason.REMOVED, "closed: no longer watched", id="left the configuration"),
            pytest.param(EndReason.REPLACED, "closed: replaced by 00ff", id="labels changed"),
            pytest.param(None, "closed", id="nobody knows"),
        ],
    )
    def test_only_a_recovery_is_called_one(self, reason, expected):
        """The end of an alert is named by its reason, and `recovered` is said of nothing else."""
        assert facts.end_words(replace(DOWN, end_reason=reason, replaced_by="00ff")) == expected

    @pytest.mark.parametrize(
        ("story", "tone"),
        [
            pytest.param("opening", Tone.CRITICAL, id="critical fires"),
            pytest.param("reminder", Tone.WARNING, id="a warning goes on"),
            pytest.param("opening_no_data", Tone.INFO, id="no severity"),
            pytest.param("resolve", Tone.GOOD, id="recovered"),
            pytest.param("resolve_no_data", Tone.NEUTRAL, id="no data is not well"),
            pytest.param("resolve_mixed", Tone.NEUTRAL, id="one of two recovered"),
        ],
    )
    def test_the_tone_is_good_only_when_all_is_well(self, story, tone):
        """Green is for recoveries; what merely ended is grey."""
        assert composed(story).tone is tone


class TestFacts:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            pytest.param({}, "p95 4.214 > 3 (p95 of 412)", id="a quantile with its count"),
            pytest.param({"labels": Labels(), "quantile": 0.99}, "p99 4.214 > 3 (p99 of 412)", id="as its rule has it"),
            pytest.param({"labels": Labels(alertname="A")}, "4.214 > 3 (412 samples)", id="a value with its count"),
            pytest.param({"labels": Labels(quantile="x"), "samples": 1.0}, "4.214 > 3 (1 sample)", id="one sample"),
            pytest.param({"samples": None, "labels": Labels()}, "4.214 > 3", id="nobody counted"),
            pytest.param({"samples": None, "labels": Labels(), "condition": ""}, "4.214", id="no comparison"),
            pytest.param({"value": math.nan}, "no data (alerts on > 3)", id="no data"),
            pytest.param({"value": math.inf, "labels": Labels(), "samples": None}, "+Inf > 3", id="infinite"),
        ],
    )
    def test_the_value_stands_against_the_threshold(self, changes, expected):
        """The value, the rule's comparison, and how much stands behind it."""
        assert facts.value_words(replace(SLOW, **changes)) == expected

    def test_times_are_told_in_utc_and_in_the_teams_zone(self):
        """Failing since and firing since stand in UTC and the configured zone, with the time that has passed."""
        found = facts_of(composed("opening", timezone="Asia/Tokyo"))

        assert found["Failing since"] == "2026-01-05 11:58:45 UTC (20:58:45 JST)"
        assert found["Firing since"] == "2026-01-05 11:59:00 UTC (20:59:00 JST), for 1m5s"
        assert found["Flips"] == "ended 2 times since the opening before"

    def test_the_end_tells_how_long_how_bad_and_why(self):
        """An end has its reason, its duration and its peak."""
        found = facts_of(composed("resolve"))

        assert found["Why it ended"] == "recovered"
        assert found["Lasted"] == "10m (failing for 15m)"
        assert found["Peak"] == "6.5 (alerts on > 3)"
        assert found["Ended"] == "2026-01-05 12:08:20 UTC"

    def test_what_an_alert_said_is_marked_as_past_once_it_is_over(self):
        """The summary of an alert that ended is told as what it said while it fired, and nowhere else."""
        message = composed("resolve")

        assert facts_of(message)["While firing"] == "The first token takes long"
        assert plain(message).count("The first token takes long") == 1
        assert message.items[0].summary == ""

    @pytest.mark.parametrize(
        ("story", "expected"),
        [
            pytest.param("opening", SAID, id="it fires"),
            pytest.param("reminder_silence_ended", SAID, id="it goes on"),
            pytest.param("closed", SAID, id="nobody heard of it before"),
            pytest.param("resolve_replaced", None, id="it is over, and they heard of it"),
            pytest.param("reminder", None, id="nothing is known"),
        ],
    )
    def test_what_the_probe_said_is_told(self, story, expected):
        """The last probe's own words stand in every message that tells of a failure."""
        found = facts_of(composed(story))

        assert found.get("Last failed probe" if story == "closed" else "Last probe") == expected

    def test_an_alert_that_fires_at_once_has_one_beginning(self):
        """Two times within a second are told as one."""
        alert = replace(DOWN, active_at=NOON - 30.2, fired_at=NOON - 29.896)

        fires = facts_of(compose(notification(NotifyKind.OPENING, told(alert)), Context(NOON)))
        over = ended(alert, EndReason.RECOVERED, NOON - 29.5)
        ends = facts_of(compose(notification(NotifyKind.RESOLVE, told(over)), Context(NOON)))

        assert "Failing since" not in fires.keys() | ends.keys()
        assert fires["Firing since"] == "2026-01-05 11:59:30 UTC, for 30s"
        assert ends["Lasted"] == "less than a second"

    def test_what_was_over_before_anybody_heard_is_told_in_short(self):
        """CLOSED says when it fired, when it recovered, and that this is late."""
        message = composed("closed")

        assert facts_of(message)["In short"] == "fired 11:59 UTC, recovered 12:10 UTC, told late"
        assert message.lead == (
            "It was over before this could be delivered. Told late: decided at 12:10 UTC, delivered 10m after."
        )

    def test_a_silence_that_ended_is_the_reason_of_the_reminder(self):
        """A reminder after a silence says so."""
        assert composed("reminder_silence_ended").lead == "The silence ended, and this is still firing."

    def test_the_next_step_is_told_while_something_is_to_be_done(self):
        """What to do next stands in openings and not in recoveries."""
        resolve = compose(notification(NotifyKind.RESOLVE, told(ended(DOWN, EndReason.RECOVERED, NOON))), Context(NOON))

        assert composed("opening").items[0].next_step.startswith("Look at https://status.claude.com")
        assert resolve.items[0].next_step == ""

    @pytest.mark.parametrize(
        ("annotations", "expected"),
        [
            pytest.param({"next_step": "Do this"}, "Do this", id="the rule says"),
            pytest.param({}, "Buy credit", id="the probe says"),
        ],
    )
    def test_the_rules_own_next_step_comes_first(self, annotations, expected):
        """Where the rule says nothing, the failed probe's advice is told."""
        alert = replace(DOWN, annotations=Labels(annotations))

        message = compose(notification(NotifyKind.OPENING, told(alert, advice="Buy credit")), Context(NOON))

        assert message.items[0].next_step == expected

    def test_what_was_said_is_not_said_again(self):
        """Of alerts with the same words in one message the first has them, and each has its own facts."""
        alerts = [replace(DOWN, labels=DOWN.labels.with_(check=name)) for name in ("a", "b")]

        first, second = compose(notification(NotifyKind.OPENING, *map(told, alerts), told(SLOW)), Context(NOON)).items[
            :2
        ]

        assert first.next_step.startswith("Look at")
        assert first.heading == "FIRING: ClaudeDown (critical) – check a"
        assert second.heading == "FIRING: ClaudeDown (critical) – check b"
        assert (second.summary, second.description, second.next_step) == ("", "", "")
        assert first.facts == second.facts

    def test_annotations_without_a_place_are_shown_as_facts(self):
        """An annotation that nobody foresaw is not lost, except for our own marks."""
        alert = replace(DOWN, annotations=DOWN.annotations.with_(sidecar_cooldown="5m", runbook="the wiki: Claude"))

        found = facts_of(compose(notification(NotifyKind.OPENING, told(alert)), Context(NOON)))

        assert found["owner"] == "team gateway"
        assert found["Runbook"] == "the wiki: Claude"
        assert "sidecar_cooldown" not in found

    def test_links_go_to_our_own_page_and_to_the_runbook(self):
        """Without an external_url there is no link to ourselves."""
        page_ = f"https://s.example/alerts/{DOWN.fingerprint}"
        runbook = DOWN.annotations["runbook_url"]

        assert [link.url for link in composed("opening").items[0].links] == [runbook]
        linked = composed("opening", external_url="https://s.example/").items[0].links
        assert [link.url for link in linked] == [page_, runbook]


class TestBounds:
    def test_a_storm_is_counted(self):
        """Ten alerts are told in full, the worst first; the rest by name and number."""
        alerts = [
            replace(SLOW, labels=SLOW.labels.with_(alertname=f"Slow{i % 7}", model=f"m{i:03}")) for i in range(500)
        ]
        message = compose(notification(NotifyKind.OPENING, *map(told, alerts), told(DOWN)), Context(NOON))

        assert len(message.items) == 10
        assert message.items[0].name == "ClaudeDown"
        assert message.more.startswith("and 491 more: Slow")
        assert message.headline.startswith("FIRING: 501 alerts (critical) – ClaudeDown, Slow0 ×72, Slow1 ×72")

    def test_each_rule_of_a_storm_has_one_in_full(self):
        """What else is wrong is not hidden by the tenth alert of the same."""
        many = [replace(DOWN, labels=DOWN.labels.with_(check=f"c{i:02}")) for i in range(30)]
        message = compose(notification(NotifyKind.OPENING, *map(told, many), told(SLOW)), Context(NOON))

        assert [item.name for item in message.items] == ["ClaudeDown"] * 9 + ["ClaudeSlow"]
        assert message.more == "and 21 more: ClaudeDown ×21"
        assert message.headline == "FIRING: 31 alerts (critical) – ClaudeDown ×30, ClaudeSlow"

    @pytest.mark.parametrize("form", [pytest.param(plain, id="plain"), pytest.param(page, id="HTML")])
    def test_four_hundred_alerts_stay_readable(self, form):
        """A mail about a storm has ten alerts, and no more than a few screens."""
        text = form(compose(storm(400), Context(NOON, "https://s.example")))

        assert text.count("What to do next") == 1
        assert text.count(" – check gateway-") == 10
        assert len(text) < 40_000
        assert "and 390 more: " in text

    @pytest.mark.parametrize("form", [pytest.param(plain, id="plain"), pytest.param(page, id="HTML")])
    def test_a_megabyte_is_cut(self, form):
        """A label or annotation of any size makes a message of a bounded one."""
        assert len(form(compose(hostile("x<\n" * 400_000), Context(NOON)))) < 60_000

    def test_a_message_that_cannot_be_composed_is_told_all_the_same(self):
        """The bare message names the alerts and what went wrong."""
        message = bare(STORIES["opening_group"], "ValueError: bad\nluck")

        assert message.headline == "FIRING: ClaudeSlow, ClaudeDown"
        assert message.lead == "This message could not be written in full: ValueError: bad ⏎ luck"
        assert "FIRING" in plain(message)


class TestSafety:
    def test_no_word_begins_a_line_of_its_own(self):
        """Whatever the words, a line of the plain text begins with what we wrote."""
        text = plain(compose(hostile("a\nStill fine\r\nRECOVERED: all\u2028x\x0by\x85z"), Context(NOON)))

        assert not [
            line for line in text.splitlines() if line.lstrip().startswith(("Still fine", "RECOVERED", "x", "y", "z"))
        ]

    @pytest.mark.parametrize("form", [pytest.param(plain, id="plain"), pytest.param(page, id="HTML")])
    def test_what_turns_or_hides_text_is_visible_or_gone(self, form):
        """Control characters, direction overrides and invisible characters do not reach the reader's screen."""
        text = form(compose(hostile(), Context(NOON)))

        assert not set("\u202e\u2066\u200b\u2028\x00\x1b\r") & set(text)
        assert "‹U+202E›" in text
        assert "😀" in text

    def test_html_is_well_formed_and_fetches_nothing(self):
        """Hostile words stay words in HTML: no element, no attribute, no address of theirs."""
        text = page(compose(hostile(), Context(NOON, external_url="https://s.example")))

        tree = ET.fromstring(text.partition("\n")[2])

        assert {e.tag for e in tree.iter()} <= {
            *("html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "p", "strong", "span", "br"),
            *("table", "tr", "th", "td", "a", "code"),
        }
        assert not [
            e for e in tree.iter() for name in e.attrib if name.startswith("on") or name in ("src", "background")
        ]
        links = [e.attrib["href"] for e in tree.iter("a")]
        assert len(links) == 2
        assert links[0].startswith("https://s.example/alerts/")
        assert links[1].startswith("https://dash.example.com/%22%3E%3Cscript%3E")
        assert "url(" not in text

    @given(
        kind=st.sampled_from(NotifyKind),
        words=st.text(st.characters(codec=None), max_size=60),
        value=st.floats(),
        peak=st.none() | st.floats(),
        samples=st.none() | st.floats(),
        times_=st.tuples(*[st.none() | st.floats(-1e18, 1e18)] * 3),
        reason=st.none() | st.sampled_from(EndReason),
        trend=st.none()
        | st.builds(
            Trend,
            st.just(NOON),
            st.floats(1, 1e6),
            st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=30).map(tuple),
            st.booleans(),
        ),
    )
    def test_every_notification_can_be_told(  # noqa: PLR0917 -- hypothesis names them
        self, kind, words, value, peak, samples, times_, reason, trend
    ):
        """Whatever the words, values and times are, there is a message, as text that can be encoded and as XML."""
        alert = Alert(
            RuleKey("g", words),
            Labels({"alertname": words, "severity": words, "quantile": words, words: words}),
            AlertState.FIRING,
            times_[0] or 0.0,
            value,
            Labels(dict.fromkeys(("summary", "description", "next_step", "runbook_url", "x", words), words)),
            times_[1],
            times_[2],
            reason,
            peak=peak,
            samples=samples,
            condition=words,
            note=words,
            replaced_by=words,
        )
        said = told(alert, reason=words, evidence=words, advice=words, trend=trend, blame=Blame(words, words, words))
        message = compose(
            Notification("0" * 32, "c", kind, words, (said,), NOON),
            Context(NOON + 5, words, {words: words}, words),
        )

        plain(message).encode()
        ET.fromstring(page(message).partition("\n")[2])

    @pytest.mark.parametrize("tone", Tone)
    def test_white_letters_are_read_on_every_tone(self, tone):
        """A headline has the contrast that WCAG asks for small text, 4.5 to 1."""
        channels = [int(COLOURS[tone][i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        assert 1.05 / (luminance + 0.05) >= 4.5

    def test_evil_is_what_it_claims_to_be(self):
        """The hostile words of these tests hold what a terminal, a chat, a browser and a mail server obey."""
        assert all(part in EVIL for part in ("\u202e", "<!channel>", "@here", "</a><script>", "\r\nBcc:", "\x00"))

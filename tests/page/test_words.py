"""Words, times and graphics of the pages."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from sidecar.api.health import CheckView, health
from sidecar.model.alerts import Alert, AlertState, RuleKey
from sidecar.model.checks import OFF_HOURS, CheckState, CheckStatus, ProbeResult
from sidecar.model.labels import Labels
from sidecar.page import times, writing
from sidecar.page.frame import Frame, Section, digest, environment
from sidecar.page.graphics import bar, sparkline, strip
from sidecar.page.headline import Headline, headline
from sidecar.secrets import Secret
from sidecar.templating.times import zone as zoned
from tests.page.reading import words

NOON = 1767614400.0  # 2026-01-05 12:00:00 UTC
DOWN, UP, UNKNOWN = CheckStatus.DOWN, CheckStatus.UP, CheckStatus.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        pytest.param(-5, "0 s", id="never less than nothing"),
        pytest.param(0.9, "0 s", id="less than a second"),
        pytest.param(89.9, "89 s", id="seconds up to a minute and a half"),
        pytest.param(90, "1 min", id="then minutes"),
        pytest.param(5399, "89 min", id="up to an hour and a half"),
        pytest.param(5400, "1 h 30 min", id="then hours and minutes"),
        pytest.param(7200, "2 h", id="whole hours"),
        pytest.param(47 * 3600 + 60, "47 h 1 min", id="up to two days"),
        pytest.param(3 * 86400 + 3600, "3 d 1 h", id="then days and hours"),
        pytest.param(30 * 86400, "30 d", id="whole days"),
    ],
)
def test_how_long(seconds, words):
    """Two units at most, and none that means nothing."""
    assert times.span(seconds) == words


@pytest.mark.parametrize(
    ("at", "form", "words"),
    [
        pytest.param(NOON - 240, "ago", "4 min ago", id="past"),
        pytest.param(NOON + 240, "ago", "in 4 min", id="to come"),
        pytest.param(NOON - 0.5, "ago", "just now", id="this second"),
        pytest.param(NOON + 0.5, "ago", "now", id="the next second"),
        pytest.param(NOON - 240, "for", "4 min", id="a duration"),
    ],
)
def test_how_long_ago(at, form, words):
    """As people say it."""
    assert times.relative(at, NOON, form) == words


@pytest.mark.parametrize(
    ("at", "text"),
    [
        pytest.param(NOON - 3600, "11:00:00 UTC", id="today"),
        pytest.param(NOON - 86400, "4 Jan 12:00:00 UTC", id="another day"),
        pytest.param(NOON - 400 * 86400, "2024-12-01 12:00:00 UTC", id="another year"),
        pytest.param(1e300, "9999-12-31 23:59:59 UTC", id="no time at all"),
    ],
)
def test_what_time(at, text):
    """The date stands where it is needed."""
    assert times.clock(at, NOON) == text


def test_relative_words_can_be_renewed_and_left_out():
    """A rendering kept for a while tells the time that it is now, and equals itself whenever it is told."""
    template = environment().from_string("{{ at | when }} of <span class='ago'> {{ at | when('for') }}")
    early, late = (template.render(at=NOON, now=NOON + age) for age in (10, 500))

    assert times.refreshed(Markup(early), NOON + 500) == late != early
    assert digest(early) == digest(late)


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        pytest.param(writing.seconds, None, "–", id="no time"),
        pytest.param(writing.seconds, float("nan"), "–", id="no number"),
        pytest.param(writing.seconds, 0.0, "0 ms", id="no time at all"),
        pytest.param(writing.seconds, 0.0042, "4.2 ms", id="milliseconds"),
        pytest.param(writing.seconds, 0.231, "231 ms", id="many milliseconds"),
        pytest.param(writing.seconds, 1.844, "1.84 s", id="seconds"),
        pytest.param(writing.seconds, 130.4, "130 s", id="many seconds"),
        pytest.param(writing.percent, 1.0, "100 %", id="all"),
        pytest.param(writing.percent, 0.999999, "99.99 %", id="never all while something is missing"),
        pytest.param(writing.percent, None, "–", id="nothing seen"),
        pytest.param(writing.dollars, 0.0, "$0.00", id="nothing"),
        pytest.param(writing.dollars, 0.0042, "$0.0042", id="parts of cents"),
        pytest.param(writing.dollars, 12.3, "$12.30", id="dollars"),
        pytest.param(writing.dollars, 1.8e-05, "under $0.0001", id="a few probes"),
        pytest.param(writing.count, 1234567.0, "1,234,567", id="many"),
    ],
)
def test_numbers(write, value, text):
    """As people read them; what is not known is a dash and never a zero."""
    assert write(value) == text


def test_code_in_the_words_of_others_is_marked_and_nothing_else():
    """What stands between backticks is code; whatever else it says stays words, and a secret is none of them."""
    secret = Secret("hunter2-hunter2")

    told = writing.ticks("`kubectl <b>` ` & 'hunter2-hunter2'")

    assert told == "<code>kubectl &lt;b&gt;</code> ` &amp; &#39;***&#39;"
    assert secret.reveal() not in told


@pytest.mark.parametrize(
    ("text", "html"),
    [
        pytest.param(
            "see https://a.example/b?c=d&e, then",
            'see <a href="https://a.example/b?c=d&amp;e" rel="noreferrer">https://a.example/b?c=d&amp;e</a>, then',
            id="a link in a sentence",
        ),
        pytest.param(
            "(http://a.example).",
            '(<a href="http://a.example" rel="noreferrer">http://a.example</a>).',
            id="a link in parentheses",
        ),
        pytest.param("`https://a.example`", "<code>https://a.example</code>", id="code is no link"),
        pytest.param("javascript:alert(1)", "javascript:alert(1)", id="nothing that runs"),
        pytest.param(
            'https://a.example/"onclick="x',
            '<a href="https://a.example/" rel="noreferrer">https://a.example/</a>&#34;onclick=&#34;x',
            id="no way out of the address",
        ),
    ],
)
def test_links_in_the_words_of_others(text, html):
    """An address of the web can be followed, and nothing else."""
    assert writing.ticks(text) == html


def test_no_secret_stands_on_a_page():
    """What others wrote is shown without the values that are secret; our own marks stay whole."""
    secret = Secret("critical")

    html = Frame(NOON).html("alert.html", one=None, name="a critical thing", labels={"key": "critical"})

    assert "a *** thing" in html
    assert secret.reveal() not in html


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(sparkline([0.1, None, 0.3, 0.2, None], "<&\"'>"), id="a line with gaps"),
        pytest.param(sparkline([0.0, 0.0], "zeros"), id="nothing but zeros"),
        pytest.param(strip(["up", "down", "unknown", "nonsense"] * 30, "<&\"'>"), id="more than there is room for"),
        pytest.param(bar({"connect": 0.1, "tls": 0.0, "first_byte": 2.0}, "phases"), id="phases"),
    ],
)
def test_graphics_are_well_formed_and_have_a_name(drawn):
    """A graphic is XML, says in words what is to be seen, and has no style of its own."""
    root = ET.fromstring(drawn)

    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert "style" not in drawn
    assert "nan" not in drawn
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", " ".join(e.get("d", "") for e in root.iter()))]
    assert all(-120 <= number <= 120.5 for number in numbers)


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(sparkline([1.0], "x"), id="one value is no line"),
        pytest.param(sparkline([None, None, 1.0], "x"), id="nor is one among gaps"),
        pytest.param(strip([], "x"), id="no outcomes"),
        pytest.param(bar({}, "x"), id="no phases"),
        pytest.param(bar({"a": 0.0}, "x"), id="phases of no length"),
    ],
)
def test_nothing_is_drawn_of_nothing(drawn):
    """Without data there is no graphic."""
    assert drawn == ""


def test_a_failure_differs_from_a_success_by_its_shape():
    """Who sees no colours sees a whole tick, one cut in two, and a low one."""
    up, down, unknown = (ET.fromstring(strip([word], "x"))[0].get("d") for word in ("up", "down", "unknown"))

    assert len({re.sub(r"^M[\d.]+", "", text or "") for text in (up, down, unknown)}) == 3
    assert (down or "").count("z") == 2


def test_parts_stand_where_they_belong():
    """A section's parts are put in their places, and what looks like a place in the words of others is none."""
    shell = Markup(environment().from_string("<ul>{{ part('a') }}{{ evil }}</ul>").render(evil="<!--part a-->"))

    whole = Section("s", shell, {"a": Markup("<li>one</li>")}).whole()

    assert whole == "<ul><li>one</li>&lt;!--part a--&gt;</ul>"


def view(name: str, status: CheckStatus, *, critical: bool = False, since: float | None = NOON, **state) -> CheckView:
    last = ProbeResult(NOON, 0.1)
    return CheckView(name, "http", "", critical, replace(CheckState(status, since, last=last), **state))


def alert(name: str, severity: str, check: str = "", at: float = NOON) -> Alert:
    labels = Labels(alertname=name, severity=severity, check=check)
    return Alert(RuleKey("g", name), labels, AlertState.FIRING, at, 1.0, fired_at=at)


def said(checks: list[CheckView], alerts: list[Alert] | None = None) -> Headline:
    return headline(health(checks, NOON + 60), alerts or [])


@pytest.mark.parametrize(
    ("checks", "alerts", "tone", "words"),
    [
        pytest.param([view("a", UP)], [], "healthy", "Healthy: the only check is up", id="one is well"),
        pytest.param([view("a", UP), view("b", UP)], [], "healthy", "Healthy: all 2 checks are up", id="all are well"),
        pytest.param(
            [view("a", UP), view("b", UNKNOWN, reason=OFF_HOURS)],
            [],
            "healthy",
            "Healthy: 1 of 2 checks are up, and none is down",
            id="one is off",
        ),
        pytest.param(
            [view("a", DOWN, critical=True), view("b", UP)], [], "critical", "Critical: a is down", id="one is down"
        ),
        pytest.param(
            [view(name, DOWN, critical=True) for name in "abcde"],
            [],
            "critical",
            "Critical: 5 critical checks are down (a, b, c, and 2 more)",
            id="many are down",
        ),
        pytest.param([view("a", DOWN), view("b", UP)], [], "degraded", "Degraded: a is down", id="one that is not"),
        pytest.param(
            [view("a", DOWN)],
            [alert("X", "critical")],
            "critical",
            "Degraded: a is down",
            id="one whose alert is serious",
        ),
        pytest.param(
            [view("a", UP)],
            [alert("X", "error")],
            "critical",
            "1 alert fires, although the only check is up",
            id="error",
        ),
        pytest.param([], [], "unknown", "Unknown: nothing is watched: the configuration has no checks", id="nothing"),
        pytest.param(
            [view("a", UNKNOWN, last=None)], [], "unknown", "Unknown: no result yet of a", id="before the first"
        ),
        pytest.param([view("a", UNKNOWN)], [], "unknown", "Unknown: a has no verdict", id="no verdict"),
        pytest.param(
            [view("a", UP)],
            [alert("X", "critical")],
            "critical",
            "1 alert fires, although the only check is up",
            id="an alert that is serious while checks are well",
        ),
        pytest.param(
            [view("a", UP)],
            [alert("X", "warning"), alert("Y", "info")],
            "degraded",
            "2 alerts fire, although the only check is up",
            id="alerts that are not",
        ),
    ],
)
def test_the_headline(checks, alerts, tone, words):
    """One word and one sentence say how it goes, and the tone is that of the worst."""
    found = said(checks, alerts)

    assert (found.tone.value, found.text) == (tone, words)


def test_an_outage_began_when_its_alert_says():
    """A daemon that was restarted in the midst of an outage tells since when it really is."""
    found = said([view("a", DOWN, critical=True)], [alert("ADown", "critical", "a", NOON - 600)])

    assert found.at == NOON - 600
    assert found.beside == "1 alert fires"


def test_what_else_is_down_is_not_hidden():
    """The sentence is about the critical check; how many others are down stands beside it."""
    checks = [view("a", DOWN, critical=True), view("b", DOWN), view("c", DOWN), view("d", UP)]

    assert said(checks, [alert("X", "warning")]).beside == "1 alert fires; 2 other checks are down, too"
    assert said(checks[:2], []).beside == "1 other check is down, too"


@pytest.mark.parametrize(
    ("zone", "there"),
    [
        pytest.param("UTC", "", id="UTC"),
        pytest.param("", "", id="none"),
        pytest.param("Europe/Berlin", "13:00:00 CET", id="the same day"),
        pytest.param("Pacific/Auckland", "6 Jan 01:00:00 NZDT", id="the next day"),
    ],
)
def test_times_where_people_are(zone, there):
    """Beside UTC a time is said as clocks on the wall have it, as in messages."""
    context = {"now": NOON + 300, "zone": zoned(zone)}
    since, ago = str(times.when(context, NOON, "for")), str(times.when(context, NOON))

    assert words(since) == f"12:00:00 UTC{' , ' + there if there else ''} ( 5 min )"
    assert words(ago) == "12:00:00 UTC 5 min ago"
    assert (f'title="{there}"' in ago) is bool(there)


@pytest.mark.parametrize(
    ("phases", "took", "expected"),
    [
        pytest.param(
            {"connect": 0.5, "first_byte": 1.0, "first_token": 1.5, "transfer": 2.0},
            4.0,
            {"connect": 0.5, "first_byte": 1.0, "then first_token": 0.5, "transfer": 2.0},
            id="a stream, whose first token is counted from the request",
        ),
        pytest.param({"connect": 0.5}, 10.0, {"connect": 0.5, "the rest": 9.5}, id="no answer"),
        pytest.param({"connect": 0.5, "first_byte": 1.0}, 1.51, {"connect": 0.5, "first_byte": 1.0}, id="an answer"),
        pytest.param({}, 10.0, {}, id="nothing is known"),
    ],
)
def test_where_the_time_went(phases, took, expected):
    """The parts add up to what the probe took: none is counted twice, and waiting for what never came is one."""
    assert writing.spent(phases, took) == expected

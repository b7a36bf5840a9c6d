"""The page that people see first."""

import asyncio
import json
import math
import re
from unittest import mock

import pytest

from sidecar.model.matchers import Matcher, MatchOp
from sidecar.model.notifications import Blame
from sidecar.page import numbers, rows
from sidecar.page.frame import POLICY
from sidecar.services.culprits import Culprits
from sidecar.simulator import Simulator
from sidecar.simulator import application as claude
from tests.page.reading import said, section, words

STEPS = """
groups:
  - name: down
    rules:
      - alert: TargetDown
        expr: sidecar_check_up == 0
        severity: critical
        annotations:
          summary: "{{ $labels.check }} is down"
          next_step: "Look at `kubectl logs` first"
          runbook_url: https://runbooks.example/down
      - alert: AlwaysSoon
        expr: vector(1)
        for: 1h
        severity: warning
"""


async def outage(world, **settings):
    """A critical check that is down, of which the channel was told."""
    await world.start(world.settings(STEPS, **settings))
    await asyncio.sleep(30)
    world.status = 503
    await asyncio.sleep(90)


async def test_what_is_down_is_the_headline(world, looking):
    """What is down, since when and why are said in big words, in the title and by the icon."""
    await outage(world)

    page = await looking.get("/")

    assert page.status == 200
    headline = said(page.text, "headline")
    assert "Critical: gateway is down since 12:00:3" in headline
    assert "failures in a row: assertion: got 503, expected 2xx" in headline
    assert "1 alert fires." in headline
    assert 'id="headline" class="critical"' in page.text
    assert "<title>Critical: gateway is down" in page.text
    assert "static/critical.svg?v=" in page.text


async def test_a_row_is_as_new_as_its_check(world, looking):
    """What was shown a moment ago is not shown again when the check has changed since."""
    await world.start(world.settings(STEPS))
    await asyncio.sleep(2)
    before = said((await looking.get("/")).text, "checks")
    world.status = 503
    await asyncio.sleep(50)
    assert world.app is not None
    after = said((await looking.get("/")).text, "checks")

    assert world.app.clock.time() % 60 > 50  # the same minute
    assert "succeeded in" in before
    assert "failures in a row" in after


async def test_what_fires_says_what_to_do_and_who_knows(world, looking):
    """Next step, runbook, summary, evidence, who was told and what comes next stand with the alert."""
    await outage(world)

    page = await looking.get("/")

    firing = said(page.text, "firing")
    for sentence in (
        "TargetDown critical check gateway target http://gateway/health firing since 12:0",
        "Next step Look at kubectl logs first Runbook",
        "gateway is down",
        "assertion: got 503, expected 2xx",
        "told hook 12:0",
        "next for hook reminder 16:0",
    ):
        assert sentence in firing
    assert '<a href="https://runbooks.example/down" rel="noreferrer">' in page.text
    assert "AlwaysSoon" in said(page.text, "pending")
    assert "fires, if the condition still holds" in said(page.text, "pending")


async def test_what_was_decided_is_not_called_told_before_it_arrived(world, looking):
    """A message that waits is on its way, the channel that does not take it is named, and nobody was told yet."""
    world.hook_status = 500
    await outage(world)

    page = await looking.get("/")

    assert "told nobody yet on its way to hook" in said(page.text, "firing")
    assert "does not answer" in said(page.text, "channels")
    assert "Messages do not get through to hook" in said(page.text, "headline")


async def test_what_was_given_up_is_named(world, looking):
    """A channel that refuses for good is not well: how many were given up, which, and why."""
    world.hook_status = 404
    await outage(world)

    page = await looking.get("/")

    channels = said(page.text, "channels")
    assert "hook webhook ! look 0 0 – 1" in channels
    assert "hook opening of TargetDown : hook answered HTTP 404" in channels


async def test_what_ended_is_remembered_for_a_day(world, looking):
    """After the recovery the alert stands with those that ended: how, when, how long it fired, who was told."""
    await outage(world)
    world.status = 200
    await asyncio.sleep(200)

    page = await looking.get("/")

    assert "Healthy: the only check is up" in said(page.text, "headline")
    ended = said(page.text, "ended")
    assert "TargetDown check gateway" in ended
    assert "recovered 12:0" in ended
    assert ended.endswith("hook nothing")
    assert "88 s" in ended


async def test_an_end_that_is_still_owed_is_said(world, looking):
    """Who was told of an alert and cannot be told of its end yet is named with it."""
    await outage(world)
    world.hook_status, world.status = 500, 200
    await asyncio.sleep(60)

    page = await looking.get("/")

    assert "hook on its way to hook" in said(page.text, "ended")


async def test_what_people_said_of_alerts(world, looking):
    """A silence and an acknowledgement stand with the alert that they are about, and on their own."""
    await outage(world)
    (alert,) = [one for one in world.app.book.alerts() if one.firing]
    await world.app.quieter.acknowledge(alert.fingerprint, "ann <a>", "on it")
    now = world.app.clock.time()
    down = (Matcher("alertname", MatchOp.EQ, "TargetDown"),)
    await world.app.quieter.silence(down, now, now + 3600, "ben", "moving house")
    await world.app.quieter.silence(down, now + 600, now + 3600, "cat", "later")

    page = await looking.get("/")

    assert "acknowledged by ann <a> 12:0" in said(page.text, "firing")
    assert "silenced by ben until 13:0" in said(page.text, "firing")
    assert "cat" not in said(page.text, "firing")
    assert "silence to come" in said(page.text, "quiet")
    assert "1 alert fires. It is acknowledged or silenced." in said(page.text, "headline")
    quiet = said(page.text, "quiet")
    assert 'alertname="TargetDown" by ben, until 13:0' in quiet
    assert "covers 1 firing alert" in quiet


async def test_nothing_to_watch_is_said_and_not_called_well(world, looking):
    """Without a check there is no health, and nothing is drawn."""
    await world.start(world.settings() | {"checks": [], "channels": [], "rules": []})

    page = await looking.get("/")

    assert "Unknown: nothing is watched: the configuration has no checks" in said(page.text, "headline")
    assert "The configuration has no checks" in said(page.text, "checks")
    assert "nobody is told" in said(page.text, "channels")


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        pytest.param({"rules": []}, "The configuration has no rules: whatever happens, nobody is told.", id="no rules"),
        pytest.param({"channels": []}, "The configuration has no channels: nobody is told.", id="no channels"),
    ],
)
async def test_that_nobody_will_be_told_is_said_before_it_matters(world, looking, without, sentence):
    """While all is well, what would keep people from hearing that it is not stands beside it."""
    await world.start(world.settings(STEPS) | without)
    await asyncio.sleep(30)

    headline = said((await looking.get("/")).text, "headline")

    assert "Healthy: the only check is up" in headline
    assert sentence in headline


async def test_whose_fault_it_is_is_said_as_in_messages(world, looking):
    """In the headline, in the alert and on its page, in the words in which people were told."""
    blame = Blame("gateway", "the gateway, or the way to it", "reset; direct reached the API itself")
    await outage(world, timezone="Asia/Tokyo")
    with mock.patch.object(Culprits, "of", return_value=blame):
        page = await looking.get("/")
        (alert,) = [one for one in world.app.book.alerts() if one.firing]
        about = await looking.get(f"/alerts/{alert.fingerprint}")

    for text in (said(page.text, "headline"), said(page.text, "firing"), said(about.text, "alert")):
        assert f"Whose fault {blame}" in text
        assert re.search(r"since 12:00:3\d UTC , 21:00:3\d JST \(", text)
    assert "it is said for Asia/Tokyo" in page.text


async def test_it_says_who_it_is(world, looking):
    """Pod, labels, version, what runs and what is left out are on the page."""
    await outage(world, pod="gw-7", external_labels={"cluster": "eu-1"})

    page = await looking.get("/")

    assert "pod gw-7 cluster eu-1" in words(page.text)
    itself = said(page.text, "itself")
    assert "pod gw-7" in itself
    assert "✓ as the files say" in itself
    assert "life-0.db" in itself
    assert "samples refused" not in page.text  # nothing was


async def test_every_page_is_bound_to_load_nothing_of_others(world, looking):
    """A strict policy, no referrer and no cache; not one style or script of its own stands in the document."""
    await outage(world)
    (alert,) = [one for one in world.app.book.alerts() if one.firing]

    for path in ("/", "/configuration", "/checks/gateway", f"/alerts/{alert.fingerprint}", "/checks/nothing"):
        page = await looking.get(path)
        assert page.headers["Content-Security-Policy"] == POLICY
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "<style" not in page.text
        assert " style=" not in page.text
        assert "<script>" not in page.text
        assert page.text.count("<script ") == (1 if page.status == 200 else 0)
        assert "://" not in page.text.partition("</head>")[0]


HOSTILE = "<script>alert(1)</script>'\"\u202e<!--part x-->{{ 7 }}" + "x" * 10_000


async def test_hostile_words_are_shown_and_do_nothing(world, looking):
    """Labels and annotations of others stay words: no element, no attribute, no link that runs, no template."""
    rules = {
        "groups": [
            {
                "name": "g",
                "rules": [
                    {
                        "alert": "Bad",
                        "expr": "vector(1)",
                        "labels": {"who": HOSTILE[:200]},
                        "severity": 'critical" onclick="x',
                        "annotations": {
                            "summary": HOSTILE,
                            "next_step": f"`{HOSTILE[:80]}`",
                            "runbook_url": "javascript:alert(1)",
                        },
                    }
                ],
            }
        ]
    }
    text = json.dumps(rules).replace("{{ 7 }}", "{{ `{{ 7 }}` }}")
    await world.start(world.settings(text, external_labels={"cluster": "<i>eu"}))
    await asyncio.sleep(90)
    (alert,) = [one for one in world.app.book.alerts() if one.firing]

    for path in ("/", f"/alerts/{alert.fingerprint}"):
        page = await looking.get(path)
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "<i>" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        assert 'href="javascript' not in page.text
        assert 'onclick="x"' not in page.text


async def test_many_checks_are_shown_in_short_behind_the_first(world, looking, monkeypatch):
    """What is down comes first and is drawn; the many that are up have one line each, and all are there."""
    monkeypatch.setattr(rows, "DRAWN", 3)
    checks = [{"type": "http", "name": f"up-{n}", "url": "http://gateway/", "every": "1h"} for n in range(5)]
    checks.append({"type": "http", "name": "zz-down", "url": "http://nobody/", "confirm": "1s"})
    await world.start(world.settings(checks=checks))
    await asyncio.sleep(30)

    page = await looking.get("/")

    shown = section(page.text, "checks")
    assert "1 down, 5 up" in words(shown)
    assert "Degraded: zz-down is down" in said(page.text, "headline")
    assert re.findall('data-name="(.*?)"', shown) == [
        "zz-down",
        *(f"up-{n}" for n in range(5)),
    ]
    assert shown.count("<details") == 3


async def test_an_outage_that_was_there_at_the_start(world, looking):
    """Messages of the first seconds are counted, critical checks are called so, and no job that may wait is lost."""
    world.status = 503
    checks = [
        {"type": "http", "name": name, "url": "http://gateway/health", "critical": name != "extra"}
        for name in ("a", "b", "extra")
    ]
    await world.start(world.settings(STEPS, checks=[*checks, {"type": "heartbeat", "name": "job", "period": "1h"}]))
    await asyncio.sleep(50)

    page = await looking.get("/")

    assert len(world.heard) == 3
    assert re.findall("check (a|b|extra) target", said(page.text, "firing"))[2] == "extra"  # as the headline has it
    assert "2 critical checks are down (a, b) , the first since" in said(page.text, "headline")
    assert "<title>Critical: 2 critical checks are down (a, b) ·" in page.text
    assert "value" not in said(page.text, "firing")
    assert re.search(r"hook webhook .*well 3 0 – 0", said(page.text, "channels"))
    assert "Refused or dropped" not in page.text


async def test_how_claude_does(world, looking, tmp_path, monkeypatch):
    """Each model's rows stand together; the last hour is told beside the last minutes only when it is longer."""
    world.wire.serve("claude", claude(Simulator()))
    (tmp_path / "key").write_text("sk-ant-simulator")
    checks = [
        {
            "type": "claude.stream",
            "name": model,
            "base_url": "http://claude",
            "api_key": {"file": str(tmp_path / "key")},
            "model": model,
            "every": "20s",
        }
        for model in ("claude-sonnet-4-5", "claude-haiku-4-5")
    ]
    await world.start(world.settings(checks=checks))
    await asyncio.sleep(60)
    early = await looking.get("/")
    await asyncio.sleep(300)
    monkeypatch.setattr(numbers, "MINUTES", -math.inf)  # the process began on the real clock, long after now
    late = await looking.get("/")

    assert re.findall("(haiku|sonnet)-4-5 probes (answer|first token)", said(early.text, "claude")) == [
        ("haiku", "answer"),
        ("haiku", "first token"),
        ("sonnet", "answer"),
        ("sonnet", "first token"),
    ]
    assert said(early.text, "claude").startswith("Claude since ")
    assert said(late.text, "claude").startswith("Claude the last 5 minutes, and in small since ")
    assert re.search("Samples claude-haiku-4-5 probes answer( [0-9]+ ms| [0-9.]+ s){3} 3 ", said(early.text, "claude"))
    assert re.search("answer( [0-9]+ ms| [0-9.]+ s){6} 15 18 ", said(late.text, "claude"))
    assert re.search("1h 100 % 24h – 7d – 30d – [0-9]+ min seen in all", said(late.text, "checks"))

"""Alerts and their stories over the API."""

import asyncio
import json

from aiohttp import web

RULES = """
groups:
  - name: down
    rules:
      - alert: TargetDown
        expr: sidecar_check_up == 0
        for: 30s
        severity: critical
        runbook: https://runbooks.example/down
        annotations: {summary: "{{ $labels.check }} is down", next_step: "look at the gateway"}
      - alert: Failing
        expr: increase(probe_failures_total[1m]) > 100
"""


async def outage(world, seconds):
    """A daemon whose gateway has been failing for *seconds*."""
    await world.start(world.settings(RULES))
    await asyncio.sleep(60.3)
    world.status = 503
    await asyncio.sleep(seconds)


async def test_alerts_as_prometheus_has_them(world, api):
    """A firing alert has Prometheus' fields, and beside them what each channel was told and what comes next."""
    await outage(world, 120)

    found = await api.get("/api/v1/alerts")

    [alert] = found.data["alerts"]
    assert alert["state"] == "firing"
    assert alert["labels"]["alertname"] == "TargetDown"
    assert alert["annotations"]["summary"] == "gateway is down"
    assert alert["value"] == "0"
    assert alert["activeAt"].endswith("Z")
    assert len(alert["fingerprint"]) == 16
    assert alert["next_step"] == "look at the gateway"
    assert alert["runbook"] == "https://runbooks.example/down"
    assert "503" in alert["evidence"]
    assert alert["verdict"] == ""
    assert alert["text"].startswith("firing for ")
    [channel] = alert["channels"]
    assert (channel["channel"], channel["open"], channel["reason"]) == ("hook", True, "told")
    assert [step["what"] for step in alert["next"]] == ["reminder"]
    assert alert["next"][0]["at"] == channel["due"]


async def test_an_alert_says_whose_it_is_to_mend(world, api):
    """The API says what messages say: whose fault it is where the checks know it together, and else nothing."""

    async def refused(_: web.Request) -> web.Response:
        error = {"type": "authentication_error", "message": "invalid x-api-key"}
        return web.json_response({"type": "error", "error": error}, status=401)

    claude = web.Application()
    claude.router.add_get("/v1/models", refused)
    world.wire.serve("api.anthropic.com", claude)
    world.wire.serve("claude", claude)
    ask = {"type": "claude.models", "api_key": "sk-planted-in-the-test"}
    checks = [
        ask | {"name": "key", "base_url": "http://api.anthropic.com"},
        ask | {"name": "through", "base_url": "http://claude", "every": "1h"},
        {"type": "http", "name": "away", "url": "http://nobody.example/"},
    ]
    rules = "groups: [{name: g, rules: [{alert: Down, expr: sidecar_check_up == 0}]}]"
    await world.start(world.settings(rules, checks=checks))
    await asyncio.sleep(60.3)

    alerts = {alert["labels"]["check"]: alert for alert in (await api.get("/api/v1/alerts")).data["alerts"]}

    assert (alerts["key"]["verdict"], alerts["key"]["blame"]) == ("our_key", "your key (auth, says the API itself)")
    assert "key" in alerts["key"]["next_step"]
    assert alerts["through"]["blame"] == "your key (auth; key hears the same from the API itself)"
    assert (alerts["away"]["verdict"], alerts["away"]["blame"]) == ("", "")
    told = {alert["labels"]["check"]: alert["blame"] for heard in world.heard for alert in heard.body["alerts"]}
    assert {check: (said and said["fault"]) or "" for check, said in told.items()} == {
        check: alert["verdict"] for check, alert in alerts.items()
    }
    assert "sk-planted" not in json.dumps(alerts)


async def test_a_pending_alert_says_when_it_fires(world, api):
    """While `for` runs, the alert is pending, and what comes next is the time at which it fires."""
    await outage(world, 25)

    [alert] = (await api.get("/api/v1/alerts")).data["alerts"]

    assert alert["state"] == "pending"
    assert alert["channels"] == []
    assert [step["what"] for step in alert["next"]] == ["fires, if the condition still holds"]
    assert alert["next"][0]["at"] > alert["activeAt"]


async def test_ended_alerts_are_there_when_asked_for(world, api):
    """What ended is no active alert; `ended=true` adds those of the last minutes."""
    await outage(world, 120)
    world.status = 200
    await asyncio.sleep(30)

    active = (await api.get("/api/v1/alerts")).data["alerts"]
    [alert] = (await api.get("/api/v1/alerts", {"ended": "true"})).data["alerts"]

    assert active == []
    assert (alert["state"], alert["end_reason"]) == ("ended", "recovered")
    assert alert["text"].startswith("recovered ")
    assert (alert["evidence"], alert["verdict"]) == ("", ""), "what the check finds since then is of another story"


async def test_the_story_of_an_alert(world, api):
    """The timeline tells when the condition turned, when it fired, who was told when, and how the message fared."""
    await outage(world, 120)
    [alert] = (await api.get("/api/v1/alerts")).data["alerts"]
    world.status = 200
    await asyncio.sleep(30)

    story = (await api.get(f"/api/v1/alerts/{alert['fingerprint']}/timeline")).data

    told = [line["text"] for line in story["timeline"]]
    assert told[:3] == [
        "the condition turned true; pending",
        "firing",
        "a message for hook: it fires (for the first time)",
    ]
    assert told[3].startswith("delivered to hook")
    assert "recovered" in told
    assert "a message for hook: it ended (recovered)" in told
    assert [line["at"] for line in story["timeline"]] == sorted(line["at"] for line in story["timeline"])
    assert story["alert"]["state"] == "ended"


async def test_the_story_outlives_the_alert(world, api):
    """An alert that the daemon has let go of still has its story."""
    await outage(world, 120)
    [alert] = (await api.get("/api/v1/alerts")).data["alerts"]
    world.status = 200
    await asyncio.sleep(1800)

    story = (await api.get(f"/api/v1/alerts/{alert['fingerprint']}/timeline")).data

    assert story["alert"] is None
    assert story["labels"]["alertname"] == "TargetDown"
    [known] = (await api.get("/api/v1/history", {"name": "TargetDown"})).data
    assert (known["fingerprint"], known["labels"]) == (story["fingerprint"], story["labels"])
    assert (await api.get("/api/v1/history", {"name": "Other"})).data == []
    assert story["next"] == []
    assert "firing" in [line["text"] for line in story["timeline"]]


async def test_a_cooldown_is_told_with_its_end(world, api):
    """An alert that fires again within its cooldown says why nobody is told, and when somebody will be."""
    await outage(world, 60)
    world.status = 200
    await asyncio.sleep(30)
    world.status = 503
    await asyncio.sleep(60)

    [alert] = (await api.get("/api/v1/alerts")).data["alerts"]
    story = (await api.get(f"/api/v1/alerts/{alert['fingerprint']}/timeline")).data

    assert [step["what"] for step in alert["next"]] == ["told again, when the cooldown has passed"]
    assert alert["next"][0]["at"] is not None
    assert "hook: not told, because its cooldown has not passed" in [line["text"] for line in story["timeline"]]


async def test_an_unknown_alert(world, api):
    """A fingerprint that nobody knows is 404, one that is none is 400."""
    await world.start()

    unknown = await api.get("/api/v1/alerts/0123456789abcdef/timeline")
    wrong = await api.get("/api/v1/alerts/TargetDown/timeline")

    assert unknown.error[:2] == (404, "not_found")
    assert "/api/v1/history" in unknown.error[2]
    assert wrong.error[:2] == (400, "bad_data")
    assert "fingerprint" in wrong.error[2]


async def test_rules_as_prometheus_has_them(world, api):
    """Each group has its rules with state, health and alerts; what is asked for by filters alone is answered."""
    await outage(world, 120)

    everything = (await api.get("/api/v1/rules")).data["groups"]
    [group] = everything
    down, failing = group["rules"]

    assert group["name"] == "down"
    assert group["file"].endswith("rules.yml")
    assert group["lastEvaluation"] > "2000"
    assert (down["name"], down["type"], down["state"], down["health"]) == ("TargetDown", "alerting", "firing", "ok")
    assert down["duration"] == 30
    assert down["subject"] == ["sidecar_check_up"]
    assert down["condition"] == "== 0"
    assert [alert["state"] for alert in down["alerts"]] == ["firing"]
    assert (failing["state"], failing["alerts"]) == ("inactive", [])
    for parameters, names in (
        ([("rule_name[]", "Failing")], ["Failing"]),
        ([("match[]", '{severity="critical"}')], ["TargetDown"]),
        ([("type", "record")], []),
        ([("rule_group[]", "other")], []),
        ([("file[]", group["file"])], ["TargetDown", "Failing"]),
    ):
        groups = (await api.get("/api/v1/rules", parameters)).data["groups"]
        assert [rule["name"] for group in groups for rule in group["rules"]] == names, parameters
    bare = (await api.get("/api/v1/rules", {"exclude_alerts": "true"})).data["groups"][0]["rules"][0]
    assert bare["alerts"] == []


async def test_a_rule_that_fails(world, api):
    """A rule whose evaluation failed has the health `err`, and says why."""
    rules = """
groups:
  - name: g
    rules:
      - {record: clash, expr: 'probe_success * on () probe_success'}
      - {record: fine, expr: sum(probe_duration_seconds)}
"""
    await world.start(
        world.settings(
            rules,
            checks=[{"type": "http", "name": n, "url": "http://gateway/"} for n in ("one", "two")],
        )
    )
    await asyncio.sleep(60.3)

    [group] = (await api.get("/api/v1/rules")).data["groups"]
    failed, fine = group["rules"]

    assert (failed["type"], failed["health"]) == ("recording", "err")
    assert "many-to-many matching not allowed" in failed["lastError"]
    assert fine["health"] == "ok"


async def test_messages_that_wait_and_that_are_dead(world, api):
    """What a channel does not take is listed with its attempts; what it will never take is a dead letter."""
    world.hook_status = 503
    await outage(world, 120)

    waiting = (await api.get("/api/v1/notifications")).data
    world.hook_status = 400
    await asyncio.sleep(600)
    dead = (await api.get("/api/v1/notifications", {"channel": "hook"})).data

    [row] = waiting["waiting"]
    assert (row["channel"], row["kind"]) == ("hook", "opening")
    assert row["attempts"] >= 1
    assert row["alerts"][0]["labels"]["alertname"] == "TargetDown"
    assert dead["dead"][0]["reason"]
    assert (await api.get("/api/v1/notifications", {"channel": "other"})).data == {"waiting": [], "dead": []}


async def test_no_secret_is_answered(world, api):
    """A secret that a peer repeats in its answer is taken out of whatever is answered here."""
    settings = world.settings(RULES)
    settings["checks"][0]["headers"] = {"Authorization": "Bearer sk-planted-in-the-config"}
    await world.start(settings)
    world.status = 503
    await asyncio.sleep(120)

    answers = [
        await api.get(path)
        for path in ("/api/v1/checks", "/api/v1/checks/gateway", "/api/v1/alerts", "/api/v1/rules", "/api/v1/summary")
    ]

    assert "sk-planted-in-the-config" not in json.dumps([answer.body for answer in answers])

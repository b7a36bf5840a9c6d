"""`sidecar demo`: its parts, its words, and once the whole."""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from email.message import EmailMessage

import aiohttp
import aiosmtplib
import psutil
import pytest
from click.testing import CliRunner
from rich.console import Console

from sidecar.channels import slack as slack_channel
from sidecar.cli.demo import configuration, demo, reading
from sidecar.cli.demo.daemon import DaemonError, run_daemon
from sidecar.cli.demo.gateway import Gateway, Users
from sidecar.cli.demo.ledger import Ledger
from sidecar.cli.demo.mailserver import Mail, serve_mail
from sidecar.cli.demo.narrator import Narrator
from sidecar.cli.demo.reading import Seen
from sidecar.cli.demo.receivers import receivers
from sidecar.cli.demo.scenarios import SCENARIOS, Act, Scenario
from sidecar.cli.demo.story import Story
from sidecar.cli.tables import Column
from sidecar.config import parse
from sidecar.simulator import KEY, Fault, Latency, Simulator, application, serve
from sidecar.yamlfile import load

FIRING = {
    "status": "firing",
    "alerts": [{"labels": {"alertname": "ClaudeDown", "severity": "critical", "check": "claude"}, "fingerprint": "f1"}],
}
RESOLVED = {"status": "resolved", "alerts": [FIRING["alerts"][0] | {"endText": "recovered"}]}  # type: ignore[operator] # a dict


def piped() -> tuple[Narrator, io.StringIO]:
    out = io.StringIO()
    return Narrator(Console(file=out, highlight=False, width=110)), out


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_every_story_begins_well_and_goes_forward(scenario):
    """A scenario opens in peace, its acts follow each other, and trouble that is over leaves time to tell so."""
    times = [act.at for act in scenario.acts]

    assert times == sorted(set(times))
    assert times[0] == 0
    assert not scenario.acts[0].is_trouble
    assert scenario.end > times[-1]
    assert scenario.pages <= any(act.is_trouble for act in scenario.acts)
    assert scenario.closes is not scenario.acts[-1].is_trouble


def test_the_configuration_is_printed_as_one_may_keep_it():
    """--print-config prints YAML with the checks, the three channels and the shipped packs, and no key."""
    result = CliRunner().invoke(demo, ["--print-config"])

    document = load(result.output, "demo")
    assert result.exit_code == 0
    assert isinstance(document.value, dict)
    assert {channel["type"] for channel in document.value["channels"]} == {"slack", "email", "webhook"}
    assert {rule["pack"] for rule in document.value["rules"]} == {"availability", "errors", "latency", "sidecar"}
    assert KEY not in result.output


def test_the_help_lists_the_stories():
    """Whoever asks for help learns what can happen."""
    result = CliRunner().invoke(demo, ["--help"])

    assert all(name in result.output for name in SCENARIOS)


def test_a_wrong_duration_is_explained():
    """--for names what it was given and what it takes."""
    result = CliRunner().invoke(demo, ["--for", "soon"])

    assert result.exit_code == 2
    assert "'soon'" in result.output
    assert "30s" in result.output


@pytest.mark.realtime
async def test_mail_arrives_as_it_was_sent():
    """The mail server takes envelope and bytes, dots at the beginning of lines included, from a real client."""
    got: list[Mail] = []
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Grüße", "a@demo.example", "b@demo.example"
    message.set_content("first\n.\n..dots\nlast\n")

    async with serve_mail(got.append) as port:
        for _ in range(2):
            await aiosmtplib.send(message, hostname="127.0.0.1", port=port, start_tls=False)

    assert len(got) == 2
    assert (got[0].sender, got[0].recipients) == ("a@demo.example", ("b@demo.example",))
    seen = reading.mail(got[0])
    assert (seen.headline, seen.to) == ("Grüße", "b@demo.example")
    assert seen.body == ("first", ".", "..dots", "last")


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("said", "answers"),
    [
        pytest.param(b"NOOP\r\nQUIT\r\n", [b"220", b"250", b"221"], id="nothing to say"),
        pytest.param(b"DATA\r\nQUIT\r\n", [b"220", b"503", b"221"], id="for nobody"),
        pytest.param(b"\xff\xfe\x00\r\nQUIT\r\n", [b"220", b"502", b"221"], id="binary"),
        pytest.param(b"x" * 100_000 + b"\r\n", [b"220"], id="an endless line"),
        pytest.param(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhalf", [b"220", b"250", b"250", b"354"], id="half"),
    ],
)
async def test_whatever_is_said_to_the_mail_server_harms_nothing(said, answers):
    """Odd clients get an answer or the end of the connection."""
    got: list[Mail] = []

    async with serve_mail(got.append) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        writer.write_eof()
        answered = await reader.read()
        writer.close()

    assert [line[:3] for line in answered.splitlines()] == answers
    assert got == []


@pytest.mark.realtime
async def test_receivers_read_what_arrives():
    """Slack and webhook are read as a person or a program would; what is no JSON is refused."""
    heard: list[Seen] = []

    async with receivers(heard.append) as addresses, aiohttp.ClientSession() as session:
        async with session.post(addresses.slack, json={"text": "FIRING: X"}) as response:
            assert (response.status, await response.text()) == (200, "ok")
        async with session.post(addresses.webhook, json=FIRING) as response:
            assert response.status == 204
        for body in (b"{", b"[]"):
            async with session.post(addresses.webhook, data=body) as response:
                assert response.status == 400

    assert [(seen.channel, seen.headline, seen.opens) for seen in heard] == [
        ("slack", "FIRING: X", True),
        ("webhook", "FIRING: ClaudeDown", True),
    ]


def test_slack_is_read_as_slack_shows_it():
    """Marks become words, links keep their address, entities are resolved, commands of a terminal are gone."""
    seen = reading.slack(
        {
            "text": "FIRING: A &amp; B",
            "attachments": [
                {
                    "blocks": [
                        {"type": "header", "text": {"type": "plain_text", "text": "Down"}},
                        {"type": "section", "text": {"text": "*What to do next:* look &gt; act\x1b[31m"}},
                        {"type": "section", "fields": [{"text": "*Since*\n12:00"}, {"text": "*Value*\n1"}]},
                        {"type": "section", "text": {"text": "<https://x.example/a|Runbook>"}},
                        {"type": "context", "elements": [{"text": "a"}, {"text": "b"}]},
                        {"type": "divider"},
                        {"type": "actions", "elements": [{"text": {"text": "Silence"}}]},
                        {"type": "image"},
                    ]
                }
            ],
        }
    )

    assert seen.headline == "FIRING: A & B"
    assert seen.body == (
        "Down",
        "What to do next: look > act [31m",
        "Since: 12:00",
        "Value: 1",
        "Runbook (https://x.example/a)",
        "a · b",
        "-" * 20,
        "[Silence]",
    )


def test_the_real_channel_can_be_read():
    """What our own Slack channel writes comes out in full words."""
    from sidecar.model.notifications import NotifyKind
    from sidecar.templating.messages import Context, compose
    from tests.channels.stories import DOWN, NOON, notification, told

    message = compose(notification(NotifyKind.OPENING, told(DOWN)), Context(NOON))
    seen = reading.slack(slack_channel.payload(message))

    assert seen.opens
    assert "ClaudeDown" in seen.headline
    assert any(line.startswith("What to do next: Look at https://status.claude.com") for line in seen.body)


@pytest.mark.realtime
async def test_users_meet_what_the_api_does(caplog):
    """The gateway passes streams and errors on; the users say which it was; a gateway that is down fails by itself."""
    simulator = Simulator(latency=Latency(0.0, 0.01, 10_000.0, 0.0))
    async with serve(application(simulator)) as claude:
        gateway = Gateway(claude)
        async with serve(gateway.application()) as url, aiohttp.ClientSession() as session:
            users = Users(url, KEY, configuration.MODEL, count=0)
            async with session.get(f"{url}/health") as response:
                assert response.status == 200
            found = [await users._ask(session, "?")]
            for fault in ("overloaded", "truncate", "reset", "reset,after=1"):
                simulator.faults = (Fault.parse(fault),)
                found.append(await users._ask(session, "?"))
            gateway.down = True
            found.append(await users._ask(session, "?"))
            async with session.get(f"{url}/health") as response:
                assert response.status == 503

    assert found == [None, "529 overloaded_error", "half an answer", "502 api_error", "connection lost", "503"]
    assert not caplog.records


def test_the_ledger_puts_an_incident_together():
    """Told once after so many seconds of trouble, closed with its reason; other channels do not count twice."""
    ledger = Ledger()
    ledger.trouble(10.0)
    for at, payload in ((13.0, FIRING), (14.0, FIRING), (20.0, RESOLVED)):
        ledger.hear(reading.webhook(payload), at)
    ledger.hear(Seen("slack", "#x", "FIRING: ClaudeDown", ()), 13.5)

    (incident,) = ledger.incidents
    assert (incident.name, incident.severity, incident.check) == ("ClaudeDown", "critical", "claude")
    assert (incident.told_at, incident.after, incident.closed_at) == (13.0, 3.0, 20.0)
    assert incident.end == "recovered"
    assert ledger.still_open == 0
    assert ledger.counts == {"webhook": (2, 1), "slack": (1, 0)}


async def test_the_ledger_waits_for_what_is_open():
    """`closed` returns when the last alert is closed, and at once when there is none."""
    ledger = Ledger()
    await ledger.closed()
    ledger.hear(reading.webhook(FIRING), 1.0)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await ledger.closed()
    ledger.hear(reading.webhook(RESOLVED), 2.0)
    await ledger.closed()


def test_a_pipe_gets_plain_lines():
    """Without a terminal there are no colours and no lines that are cut."""
    narrator, out = piped()
    narrator.heading("Begins")
    narrator.begin()
    narrator.event("sidecar", "check claude: up → down " + "x" * 200, good=False)
    narrator.message(Seen("slack", "#oncall", "FIRING: [bold]X[/bold]", ("one", "two [red]")), whole=True)
    narrator.table((Column("a"), Column("b")), [("1", "[2]")])
    narrator.addresses([("metrics", "http://127.0.0.1:1/metrics")])

    text = out.getvalue()
    assert "\x1b" not in text
    assert "x" * 200 in text
    assert "as Slack shows it" in text
    assert "[bold]X[/bold]" in text
    assert "[2]" in text
    assert json.dumps("two [red]").strip('"') in text


def test_what_happens_stays_within_the_terminal():
    """On a terminal a long event goes on below its own words, and a table leaves out what matters least."""
    out = io.StringIO()
    narrator = Narrator(Console(file=out, highlight=False, width=60, force_terminal=True, no_color=True))
    narrator.begin()
    narrator.event("slack", "→ #oncall: FIRING: ClaudeDown (critical) – The check claude gets no answer")
    columns = (Column("alert"), Column("severity", keep=10), Column("because", keep=40))
    narrator.table(columns, [("ClaudeDown" * 2, "critical" * 4, "recovered")])

    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("   0.0 s  slack    → #oncall: FIRING: ")
    assert lines[1].startswith(" " * 19 + "– The check")
    assert lines[2:] == ["  alert                 because", "  ClaudeDownClaudeDown  recovered"]


def test_messages_are_shown_whole_when_they_are_new():
    """Each channel's first opening, Slack's first end, and on Slack whatever opens new trouble."""
    ledger = Ledger()
    shown = []
    for at, channel, headline in (
        (1.0, "slack", "FIRING: A"),
        (1.1, "email", "FIRING: A"),
        (1.2, "slack", "FIRING: B"),
        (2.0, "slack", "RECOVERED: A"),
        (2.1, "email", "RECOVERED: A"),
        (2.2, "slack", "RECOVERED: B"),
    ):
        ledger.trouble(0.5)
        seen = Seen(channel, "x", headline, ())
        shown.append(ledger.is_new(seen))
        ledger.hear(seen, at)
    ledger.trouble(None)
    ledger.trouble(5.0)

    assert shown == [True, True, False, True, False, False]
    assert ledger.is_new(Seen("slack", "x", "FIRING: C", ()))
    assert not ledger.is_new(Seen("email", "x", "FIRING: C", ()))


def test_the_configuration_is_one_that_the_daemon_takes(monkeypatch):
    """What is printed is read without a mistake, with the overrides in force."""
    monkeypatch.setenv("DEMO_KEY", KEY)

    read = parse(configuration.text(configuration.EXAMPLE), "demo")

    assert [check.name for check in read.checks] == ["claude", "api", "gateway"]
    assert len(read.channels) == 3


@pytest.mark.realtime
async def test_a_story_is_told_from_beginning_to_end(tmp_path):
    """A real daemon, a real outage: each channel hears once that it broke and once that it is over, and all ends."""
    narrator, out = piped()
    acts = (
        Act(0.0, "Well", "All is well."),
        Act(1.0, "Broken", "It breaks.", (Fault.parse("overloaded"),)),
        Act(6.0, "Mended", "It works again."),
    )
    story = Story(Scenario("short", "a short one", acts, end=6.0), narrator, tmp_path)

    assert await story.tell(None), out.getvalue()

    assert story.ledger.counts == {"slack": (1, 1), "email": (1, 1), "webhook": (1, 1)}
    (incident,) = story.ledger.incidents
    assert (incident.name, incident.check, incident.end) == ("ClaudeDown", "claude", "recovered")
    text = out.getvalue()
    assert "check claude: up → down – overloaded" in text
    assert "as a mail program shows it" in text
    assert "What happened" in text
    assert (tmp_path / "sidecar.db").exists()


@pytest.mark.realtime
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything(tmp_path, name):
    """An interrupt ends the demo at once, with exit code 0 and no traceback, and leaves no daemon and no folder."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-u", "-m", "sidecar", "demo", "--scenario", "calm"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "All is well" in line:
                break
        (folder,) = tmp_path.glob("sidecar-demo-*")
        children = psutil.Process(process.pid).children()
        process.send_signal(name)
        rest = process.stdout.read()
        assert process.wait(20) == 0

    assert "nothing is left running" in rest
    assert "Traceback" not in rest
    assert len(children) == 1
    assert not children[0].is_running()
    assert not folder.exists()


@pytest.mark.realtime
async def test_a_daemon_that_does_not_start_says_why(tmp_path):
    """The end of its log is part of the error."""
    file = tmp_path / "sidecar.yml"
    file.write_text("checks: [{type: nonsense}]")

    async with aiohttp.ClientSession() as session:
        with pytest.raises(DaemonError, match="nonsense"):
            async with run_daemon(file, "http://127.0.0.1:1", {}) as daemon:
                await daemon.ready(session)

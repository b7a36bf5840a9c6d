"""`sidecar notify`."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from sidecar import config
from sidecar.cli import cli
from sidecar.cli.notify import sample
from sidecar.model.notifications import NotifyKind
from sidecar.rules.evaluation import Surroundings
from sidecar.rules.files import Source, load_rules
from sidecar.templating.messages import Context, compose
from sidecar.templating.plain import plain

PATH = "/services/T0/B0/canary-6f1d0c-canary"


class Hook(ThreadingHTTPServer):
    """A receiver of webhooks that answers with one status."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[dict[str, object]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.send_header("Content-Length", "2")
                if hook.status == 429:
                    self.send_header("Retry-After", "7")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class' word
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"


@pytest.fixture
def hook(monkeypatch):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(hook, tmp_path):
    """Run `sidecar notify test` with a configuration of two channels."""
    file = tmp_path / "sidecar.yml"

    def run(*args: str) -> Result:
        channels = f"""
channels:
  - {{type: webhook, name: hook, url: "{hook.url}"}}
  - {{type: slack, name: team, webhook_url: "{hook.url}", severities: [critical]}}
"""
        file.write_text(channels)
        return CliRunner().invoke(cli, ["notify", "test", *args, str(file)], standalone_mode=False)

    return run


def code(result: Result) -> int:
    """What the shell would see of a command that ended by itself."""
    return int(getattr(result.exception, "exit_code", 0)) if result.exception else int(result.return_value or 0)


def test_a_real_message_that_says_that_it_is_a_test(run, hook):
    """The other end gets one message, marked as a test, and what it said is printed."""
    result = run("hook")

    (heard,) = hook.heard
    assert code(result) == 0
    assert heard["alerts"][0]["annotations"]["summary"] == "This is a test; nothing is wrong"
    assert heard["status"] == "firing"
    assert result.output.startswith("delivered hook (webhook): test, ")
    assert result.output.rstrip().endswith(f"id {heard['id']}: HTTP 200: ok")


def test_its_end_can_be_sent_as_well(run, hook):
    """--resolve closes what the test opened, under the same fingerprint and another id."""
    result = run("hook", "--resolve")

    first, second = hook.heard
    assert code(result) == 0
    assert [first["status"], second["status"]] == ["firing", "resolved"]
    assert first["groupKey"] == second["groupKey"]
    assert first["id"] != second["id"]


def test_a_severity_that_the_channel_takes(run, hook):
    """A channel that takes critical alerts alone gets a critical test."""
    assert code(run("team")) == 0
    assert hook.heard[0]["text"] == "FIRING: SidecarTest (critical) – This is a test; nothing is wrong"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(404, ["HTTP 404, nobody listens there", "mend the channel's settings"], id="a wrong address"),
        pytest.param(429, ["HTTP 429", "wait 7s, as the other end asks"], id="too many"),
        pytest.param(503, ["HTTP 503", "the daemon would try again"], id="down"),
    ],
)
def test_a_failure_says_what_to_do(status, words, run, hook):
    """What was not delivered ends in exit code 1, the reason and the next step, and shows no secret."""
    hook.status = status

    result = run("hook", "--resolve")

    assert code(result) == 1
    assert all(word in result.output for word in words)
    assert "canary" not in result.output
    assert len(hook.heard) == 1


def test_nobody_there(run, hook):
    """A refused connection is told as what it is."""
    address = hook.server_address
    hook.shutdown()
    hook.server_close()
    with socket.socket() as held:  # bound and not listening: nobody else on this machine can take the port
        held.bind(address)

        result = run("team")

    assert code(result) == 1
    assert "FAILED team (slack): test not delivered: no connection to http://127.0.0.1:" in result.output
    assert "canary" not in result.output


def test_a_test_for_machines(run, hook):
    """--json says of each message whether it was delivered, and what to do if it was not."""
    told = run("hook", "--resolve", "--json")
    hook.status = 404
    refused = run("hook", "--resolve", "--json")

    sent = json.loads(told.stdout)
    assert (code(told), sent["channel"], sent["type"]) == (0, "hook", "webhook")
    assert [(message["kind"], message["delivered"]) for message in sent["messages"]] == [
        ("opening", True),
        ("resolve", True),
    ]
    (message,) = json.loads(refused.stdout)["messages"]
    assert code(refused) == 1
    assert "HTTP 404" in message["error"]
    assert message["next_step"].startswith("mend the channel's settings")
    assert refused.stderr == ""


def test_a_channel_that_nobody_knows(run):
    """A wrong name is wrong use, and the right ones are named."""
    result = run("pager")

    assert code(result) == 2
    assert str(result.exception).endswith("; known: hook, team")


PREVIEW = """
external_labels: {cluster: eu1}
checks:
  - {type: claude.messages, name: claude, api_key: sk-ant-planted-canary}
  - {type: http, name: gateway, url: "http://gw:4000/health", critical: true}
channels:
  - {type: slack, name: team, webhook_url: "https://hooks.slack.example/canary"}
  - {type: email, name: ops, host: mail, from: a@b.example, to: [c@d.example], severities: [critical]}
  - {type: webhook, name: hook, url: "https://hook.example/canary", send_resolved: false, signing_secret: canary-1}
  - {type: log, name: log, severities: [info]}
rules:
  - pack: availability
  - {pack: errors, override: {ClaudeOverloaded: {channels: [ops, log], repeat: 0s}}}
  - pack: traffic
"""


@pytest.fixture
def preview(sidecar, tmp_path):
    """Run `sidecar notify preview` with a configuration of four channels."""
    file = tmp_path / "sidecar.yml"
    file.write_text(PREVIEW)

    def preview(alertname: str, *options: str):
        said = sidecar("notify", "preview", alertname, file, *options)
        assert "canary" not in said.out + said.err
        return said

    return preview


def told(said) -> dict[str, str]:
    """By channel: `told`, or why not."""
    (shown,) = json.loads(said.out)
    return {row["name"]: row["why_not"] or "told" for row in shown["channels"]}


SEVERITY, NAMED = "the channel does not take the severity", "the rule does not name the channel"


@pytest.mark.parametrize(
    ("alertname", "kind", "expected", "status"),
    [
        pytest.param(
            "ClaudeDown",
            "opening",
            {"team": "told", "ops": "told", "hook": "told", "log": SEVERITY},
            0,
            id="by severity",
        ),
        pytest.param(
            "ClaudeDown",
            "resolve",
            {"team": "told", "ops": "told", "hook": "the channel does not take resolves", "log": SEVERITY},
            0,
            id="without resolves",
        ),
        pytest.param(
            "ClaudeOverloaded",
            "opening",
            {"team": NAMED, "ops": SEVERITY, "hook": NAMED, "log": SEVERITY},
            1,
            id="nobody",
        ),
    ],
)
def test_preview_says_who_would_hear(alertname, kind, expected, status, preview):
    """Rules' channels, severities and resolves decide as they do in the daemon; exit code 1 is for nobody."""
    said = preview(alertname, "--kind", kind, "--json")

    assert (told(said), said.code) == (expected, status)


def test_preview_of_a_reminder_that_is_never_sent(preview):
    """A rule that is not repeated has no reminders, and a channel that is not asked for is not shown."""
    said = preview("ClaudeOverloaded", "--kind", "reminder", "--channel", "ops", "--label", "x=y", "--json")

    assert (told(said), said.code) == ({"ops": SEVERITY}, 1)


def test_preview_shows_the_words(preview):
    """Texts are made by the rule's templates, of a check that the rule selects and of values beyond the threshold."""
    said = preview("GatewayDown", "--channel", "ops", "--channel", "team")

    assert said.code == 0
    assert "Subject: FIRING: GatewayDown (critical) – The gateway does not answer the check gateway" in said.out
    assert "The http probes of http://gw:4000/health fail (timeout)" in said.out
    assert "*What to do next:* Look at the gateway's logs" in said.out
    assert "cluster=eu1" in said.out


@pytest.mark.parametrize(
    ("words", "reason", "advice"),
    [
        pytest.param([], "(timeout)", "whether the check's model is affected", id="made up"),
        pytest.param(
            ["--label", "error_type=overloaded"], "(overloaded)", "no capacity for this model", id="as wished"
        ),
    ],
)
def test_preview_gives_the_advice_for_its_reason(words, reason, advice, preview):
    """What it says to do next is for the reason that it shows, and not for another."""
    shown = " ".join(preview("ClaudeDown", "--channel", "ops", *words).out.split())

    assert reason in shown
    assert advice in shown


def test_preview_stays_within_the_terminal(preview, monkeypatch):
    """Long lines of a message go on below; what is JSON stays in one piece."""
    monkeypatch.setenv("COLUMNS", "60")

    shown = preview("ClaudeDown").out

    words, _, payload = shown.partition("hook (webhook)")
    assert max(map(len, words.splitlines())) <= 60
    assert json.loads(payload.partition("\n")[2].partition("\n\n")[0])["status"] == "firing"


def test_preview_sends_what_would_be_sent(preview):
    """With --json there is what each channel sends, as it is sent."""
    (shown,) = json.loads(preview("ClaudeErrorRateHigh", "--value", "0.42", "--label", "model=opus", "--json").out)

    slack, mail, hook = (row["sent"] for row in shown["channels"] if row["told"])
    assert slack["text"] == "FIRING: ClaudeErrorRateHigh (critical) – 42% of the users' requests to opus fail"
    assert mail["subject"] == slack["text"]
    assert hook["alerts"][0]["labels"] == {
        "alertname": "ClaudeErrorRateHigh",
        "cluster": "eu1",
        "model": "opus",
        "severity": "critical",
        "source": "traffic",
        "target": "https://example/",
    }
    assert hook["alerts"][0]["valueText"] == "0.42 > 0.1 (40 samples)"
    assert hook["status"] == "firing"


@pytest.mark.parametrize("name", sorted(config.packs()))
def test_everything_that_is_shipped_can_be_shown(name):
    """Every alert of every pack has words without an error, in every kind of message."""
    found = load_rules([Source(((name, config.packs()[name].read_text("utf-8")),))])

    for rule in found.alerting:
        for kind in NotifyKind:
            alert = sample.alert(rule, sample.sample(rule, [], {}), kind, 1e9, Surroundings())
            text = plain(compose(sample.notification(alert, "team", kind, 1e9), Context(1e9)))
            assert "<error" not in str(alert.annotations) + text
            assert not any(wrong in str(alert.annotations) for wrong in ("<no value>", "%!"))


@pytest.mark.parametrize("kind", [kind.value for kind in NotifyKind])
def test_every_kind_of_message_can_be_shown(kind, preview):
    """Openings, reminders, ends, and what was over before it could be told."""
    assert preview("ClaudeDown", "--kind", kind).code == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param(["Nothing"], "no alerting rule 'Nothing' in ", id="no such alert"),
        pytest.param(["ClaudeDown", "--channel", "x"], "known: hook, log, ops, team", id="no channel"),
        pytest.param(["ClaudeDown", "--label", "x"], "got 'x', expected NAME=VALUE, such as check=gateway", id="label"),
    ],
)
def test_preview_of_what_is_not_there(words, problem, preview):
    """Wrong use says what is known."""
    said = preview(*words)

    assert said.code == 2
    assert problem in " ".join(said.err.split())

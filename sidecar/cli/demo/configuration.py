"""What the demo's daemon is told to do, as a person would write it."""

from dataclasses import dataclass
from string import Template
from typing import Final

from sidecar.cli.demo.receivers import Addresses

MODEL: Final = "claude-haiku-5-5"


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is."""

    claude: str
    gateway: str
    receivers: Addresses
    listen: str


EXAMPLE: Final = Places(
    "http://127.0.0.1:8399",
    "http://127.0.0.1:4000",
    Addresses("http://127.0.0.1:8400/services/T000/B000/demo", "http://127.0.0.1:8400/alerts", 8425),
    "127.0.0.1:9797",
)
"""Addresses to show when nothing runs."""

_TEXT: Final = Template("""\
http: {listen: "$listen"}
database: sidecar.db                # what was decided survives a kill
tick: 1s                            # 15s in real life: how often everything alive gets a sample

checks:                             # every: 5m in real life for what costs money, 15s for the rest
  - {name: claude, type: claude.stream, base_url: "$claude", api_key: {env: DEMO_KEY}, model: $model,
     max_tokens: 24, every: 2s, confirm: 500ms, timeout: 4s, stall_after: 1500ms, critical: true}
  - {name: through-gateway, type: claude.stream, base_url: "$gateway", api_key: {env: DEMO_KEY}, model: $model,
     max_tokens: 24, every: 2s, confirm: 500ms, timeout: 4s, stall_after: 1500ms}
  - {name: key, type: claude.models, base_url: "$claude", api_key: {env: DEMO_KEY}, every: 5s, confirm: 500ms}
  - {name: gateway, type: http, url: "$gateway/health", every: 2s, confirm: 500ms, timeout: 2s}

channels:
  - {name: oncall, type: slack, webhook_url: "$slack"}
  - {name: mailbox, type: email, host: 127.0.0.1, port: $mail_port, security: none,
     from: sidecar@demo.example, to: [oncall@demo.example], severities: [critical]}
  - {name: program, type: webhook, url: "$webhook"}

rules:
$rules
""")

_RULES: Final = """\
  - pack: availability              # the shipped rules; the demo only lets them speak again sooner
    override:
      ClaudeDown: {cooldown: 5s, channels: [oncall, mailbox, program]}   # 5m in real life
  - pack: errors
  - pack: latency
  - pack: sidecar"""

REAL_LIFE: Final = (
    "Probes that cost money run every 5 minutes and are confirmed 2 seconds later, free ones every 15 seconds; two "
    "failures in a row make a check down. An alert that comes back within its cooldown (5 minutes) stays quiet until "
    "that is over; one that stays is repeated every 4 hours. Here only the clock is faster: the daemon, the rules and "
    "the messages are the real ones."
)

NEXT: Final = (
    ("another story", "sidecar demo --scenario spend-cap"),
    ("this configuration", "sidecar demo --print-config > sidecar.yml"),
)


def text(places: Places) -> str:
    """The configuration file."""
    return _TEXT.substitute(
        listen=places.listen,
        claude=places.claude,
        gateway=places.gateway,
        slack=places.receivers.slack,
        webhook=places.receivers.webhook,
        mail_port=places.receivers.mail_port,
        model=MODEL,
        rules=_RULES,
    )

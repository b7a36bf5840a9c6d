"""What the demo's daemon is told to do, as a person would write it."""

import os
import shutil
import sys
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
database: sidecar.db        # what was decided survives a kill
tick: 1s                    # 15s in real life: how often everything that lives gets a sample

checks:
  - name: claude            # a real question through the gateway, as your users ask it
    type: claude.stream
    base_url: $gateway
    api_key: {env: DEMO_KEY}
    model: $model
    every: 2s               # 5m in real life, because it costs money
    confirm: 500ms          # 2s in real life: a failure is asked again before it counts
    timeout: 4s
    stall_after: 1500ms     # 20s in real life
    critical: true
  - name: api               # free, and past the gateway: is Claude there, is the key good?
    type: claude.models
    base_url: $claude
    api_key: {env: DEMO_KEY}
    every: 2s
    confirm: 500ms
  - name: gateway
    type: http
    url: $gateway/health
    every: 2s
    confirm: 500ms
    critical: true

channels:
  - {name: oncall, type: slack, webhook_url: "$slack"}
  - {name: program, type: webhook, url: "$webhook"}
  - name: mailbox
    type: email
    host: 127.0.0.1
    port: $mail_port
    security: none
    from: sidecar@demo.example
    to: [oncall@demo.example]
    severities: [critical]

rules:                      # the shipped packs; nothing is forked, only what is different here is written down
  - pack: availability
    override:
      ClaudeDown: {cooldown: 5s}                # 5m in real life: how soon it may page again
  - pack: errors
  - pack: latency
  - pack: sidecar
""")

REAL_LIFE: Final = (
    "The daemon, the rules and the messages were the real ones; only the clock was faster. By default a probe that "
    "costs money runs every 5 minutes, one that is free every 15 seconds, and a failure is asked again after 2 "
    "seconds: an overload is told at most 5 minutes after it began, at about 0.30 dollars a month for one small stream "
    "on Haiku 5.5; `every: 1m` finds it sooner. An alert that comes back within its cooldown (5 minutes) stays quiet "
    "until that is over; one that stays is repeated every 4 hours; what is opened is always closed."
)

_NEXT: Final = (
    ("another story", "sidecar demo --scenario spend-cap    (--help lists them all)"),
    ("keep it up to look around", "sidecar demo --for 10m"),
    ("this configuration, to change", "sidecar demo --print-config > sidecar.yml"),
    ("is it right?", "sidecar config check sidecar.yml"),
    ("probe once", "sidecar check sidecar.yml"),
    ("the daemon", "sidecar run sidecar.yml"),
    ("a Claude API to break", "sidecar simulator --fault stall@10s-40s"),
)


def next_steps() -> list[tuple[str, str]]:
    """What to try next: words and commands, as this shell can call them."""
    return [(what, said.replace("sidecar ", f"{command()} ", 1)) for what, said in _NEXT]


def command() -> str:
    """How this shell calls us."""
    return "sidecar" if shutil.which("sidecar") else os.path.relpath(sys.argv[0])


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
    )

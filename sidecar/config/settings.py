"""What the configuration's top level may hold."""

from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sidecar.model.durations import Duration
from sidecar.network import Network
from sidecar.rules.model import Override
from sidecar.secrets import Secret
from sidecar.services import addresses
from sidecar.services.connectivity import ConnectivitySettings
from sidecar.services.events import EventSettings
from sidecar.telemetry.logfile import LogFileSettings
from sidecar.telemetry.otlp.settings import OtlpSettings

PREFIX: Final = "SIDECAR_"
"""Of the environment's variables."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"got {name!r}, expected a time zone such as 'Europe/Berlin' or 'UTC'") from exc
    return name


def _address(text: str) -> str:
    if text:
        addresses.parse(text)
    return text


def _web_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if text and (not usable or parts.username or parts.password or parts.query or parts.fragment):
        raise ValueError(
            "expected an address for messages to link to, such as https://sidecar.example, and no password"
        )
    return text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSettings(_Part):
    """Where the daemon listens."""

    listen: Annotated[str, Field(min_length=1), AfterValidator(_address)] = Field(
        "127.0.0.1:9797", description="Address of everything; a host:port, or a path for a Unix socket."
    )
    token: Secret | None = Field(
        None,
        description="Bearer token; needed when `listen` is not loopback.",
        examples=[{"file": "/run/secrets/sidecar-token"}],
    )
    public: Annotated[str, AfterValidator(_address)] = Field(
        "",
        description="Address of /metrics and /health alone, which may be bound wide; off when empty.",
        examples=["0.0.0.0:9798"],
    )

    @model_validator(mode="after")
    def _is_guarded(self) -> "HttpSettings":
        addresses.guarded(self.listen, token=self.token is not None)
        return self


class LogSettings(_Part):
    """What the daemon says of itself, on standard error."""

    level: str = Field("info", description="debug, info, warning or error.", pattern="^(debug|info|warning|error)$")
    format: str = Field(
        "auto", description="json, console, or auto: console on a terminal.", pattern="^(auto|json|console)$"
    )
    file: LogFileSettings | None = Field(
        None, description="A file that gets every line, too.", examples=[{"path": "/var/log/sidecar.jsonl"}]
    )


class RulesEntry(_Part):
    """Rules to evaluate: a shipped pack by name or a file by path, with what is different here."""

    pack: str = Field(
        "", description="Name of a shipped pack; `sidecar rules --help` names all.", examples=["availability"]
    )
    file: str = Field(
        "", description="Path or glob of a rule file, from the configuration's folder.", examples=["rules/*.yml"]
    )
    override: dict[str, Override] = Field(
        default_factory=dict,
        description="Per rule: what is different here.",
        examples=[{"ClaudeDown": {"channels": ["oncall"]}}],
    )


class ReloadSettings(_Part):
    """When changed files are taken up; a signal (SIGHUP) or `POST /-/reload` always does."""

    watch: bool = Field(True, description="Whether files are looked at for changes, and reloaded.")
    every: Duration = Field(5.0, description="Time from one look to the next.", ge=0.1)


class Settings(BaseSettings):
    """The file's top level. Flags win over SIDECAR_… variables, these over the file, the file over the defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    database: str = Field(
        "",
        description="Path of the SQLite file; state lives in memory alone when empty.",
        examples=["/var/lib/sidecar/sidecar.db"],
    )
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Zone in which messages show times, beside UTC, and of the calendars of checks."
    )
    external_url: Annotated[str, AfterValidator(_web_url)] = Field(
        "", description="Where people reach this daemon; messages link there.", examples=["https://sidecar.example"]
    )
    external_labels: dict[str, str] = Field(
        default_factory=dict, description="Labels on whatever leaves: cluster, region.", examples=[{"cluster": "eu-1"}]
    )
    http: HttpSettings = Field(default_factory=HttpSettings, description="Listeners.")
    log: LogSettings = Field(default_factory=LogSettings, description="Logs.")
    otlp: OtlpSettings = Field(default_factory=OtlpSettings, description="Telemetry to an OpenTelemetry collector.")
    pod: str = Field(
        "",
        description="Name of this pod, on series that only it sees; the host's name when empty.",
        examples=["${POD_NAME}"],
    )
    tick: Duration = Field(15.0, description="How often every live series gets a sample.", ge=0.1)
    checks: list[dict[str, Any]] = Field(
        default_factory=list,
        description="What is probed.",
        repr=False,
        examples=[[{"name": "gateway", "type": "http", "url": "http://127.0.0.1:4000/health"}]],
    )
    channels: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Where people are told.",
        repr=False,
        examples=[[{"name": "log", "type": "log"}]],
    )
    rules: list[RulesEntry] = Field(
        default_factory=list, description="What is worth telling.", examples=[[{"pack": "availability"}]]
    )
    include: list[str] | str = Field(
        default_factory=list,
        description="Folders or files with more of the same keys; a value is given once in all.",
        examples=[["conf.d"]],
    )
    network: Network = Field(
        default_factory=Network, description="How connections are made; checks and channels may have it differently."
    )
    connectivity: ConnectivitySettings = Field(
        default_factory=ConnectivitySettings, description="Whether we are cut off ourselves."
    )
    events: EventSettings = Field(default_factory=EventSettings, description="What gateways tell of their traffic.")
    reload: ReloadSettings = Field(default_factory=ReloadSettings, description="Taking up changed files.")

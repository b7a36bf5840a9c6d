"""The configuration: what is in the file, the environment and the flags, checked all at once."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from sidecar import plugins
from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.model.durations import Duration
from sidecar.model.errors import ConfigError, Mistake
from sidecar.rules.files import Override, Source, load_rules
from sidecar.rules.files import RuleSet as RuleSet  # noqa: PLC0414 -- re-exported for the composition root
from sidecar.secrets import Secret
from sidecar.yamlfile import Document, load, mistakes_of

M = TypeVar("M", bound=BaseModel)

RESERVED_LABELS = frozenset(
    {"check", "type", "target", "critical", "pod", "instance", "job", "le", "quantile", "window", "phase", "source"}
)
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"got {name!r}, expected a time zone such as 'Europe/Berlin' or 'UTC'") from exc
    return name


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSettings(_Part):
    """Where the daemon listens."""

    listen: str = Field("127.0.0.1:9797", description="Address of everything; a host:port, or a path for a Unix socket.")
    token: Secret | None = Field(None, description="Bearer token; needed when `listen` is not loopback.")
    public: str = Field("", description="Address of /metrics and /health alone, which may be bound wide; off when empty.")


class LogSettings(_Part):
    """What the daemon says of itself, on standard error."""

    level: str = Field("info", description="debug, info, warning or error.", pattern="^(debug|info|warning|error)$")
    format: str = Field("auto", description="json, console, or auto: console on a terminal.", pattern="^(auto|json|console)$")


class RulesEntry(_Part):
    """Rules to evaluate: a shipped pack by name or a file by path, with what is different here."""

    pack: str = Field("", description="Name of a shipped pack: availability, errors, latency, sidecar.")
    file: str = Field("", description="Path or glob of a rule file, from the configuration's folder.")
    override: dict[str, Override] = Field(default_factory=dict, description="Per rule: what is different here.")


class Settings(BaseSettings):
    """The file's top level. Flags win over SIDECAR_… variables, these over the file, the file over the defaults."""

    model_config = SettingsConfigDict(
        env_prefix="SIDECAR_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database: str = Field("", description="Path of the SQLite file; state lives in memory alone when empty.")
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Zone in which messages show times, beside UTC."
    )
    external_url: str = Field("", description="Where people reach this daemon; messages link there.")
    external_labels: dict[str, str] = Field(default_factory=dict, description="Labels on whatever leaves: cluster, region.")
    http: HttpSettings = Field(default_factory=HttpSettings, description="Listeners.")
    log: LogSettings = Field(default_factory=LogSettings, description="Logs.")
    tick: Duration = Field(15.0, description="How often every live series gets a sample.", ge=0.1)
    checks: list[dict[str, Any]] = Field(default_factory=list, description="What is probed.")
    channels: list[dict[str, Any]] = Field(default_factory=list, description="Where people are told.")
    rules: list[RulesEntry] = Field(default_factory=list, description="What is worth telling.")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the daemon needs to know, checked and built."""

    settings: Settings
    checks: tuple[Check, ...]
    channels: tuple[Channel, ...]
    rules: RuleSet
    file: str = ""  # where it was read from; empty when it was not a file


def read(path: Path, flags: Mapping[str, Any] | None = None) -> Config:
    """The configuration in the file at *path*; raises ConfigError with every mistake in it."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(Mistake(str(path), 0, "", f"is not UTF-8 text: {exc}; expected a YAML file")) from exc
    except OSError as exc:
        problem = f"cannot be read: {exc.strerror}; expected a YAML file, see `sidecar config schema`"
        raise ConfigError(Mistake(str(path), 0, "", problem)) from exc
    return parse(text, str(path), flags, folder=path.parent)


def parse(text: str, file: str, flags: Mapping[str, Any] | None = None, *, folder: Path = Path()) -> Config:
    """The configuration in *text*; *file* names it in mistakes, *folder* is where its relative paths begin."""
    document = load(text, file)
    if document.value is None:
        raise ConfigError(Mistake(file, 0, "", "is empty; expected at least `checks:`, see `sidecar demo --print-config`"))
    if not isinstance(document.value, dict):
        raise ConfigError(Mistake(file, 1, "", f"got a {_yaml_kind(document.value)}, expected keys such as `checks:`"))
    mistakes: list[Mistake] = []
    values = _expand(document.value, "", document, mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    try:
        settings = _settings(values, flags or {})
    except ValidationError as exc:
        mistakes += mistakes_of(exc, document)
        settings = None
    raw = settings.model_dump() if settings else values
    checks = tuple(_plugins("checks", "sidecar.checks", Check, raw, document, mistakes))
    channels = tuple(_plugins("channels", "sidecar.channels", Channel, raw, document, mistakes))
    _check_labels(checks, settings, document, mistakes)
    rules = _rules(values, document, folder, {channel.name for channel in channels}, mistakes)
    if mistakes or settings is None:
        raise ConfigError(*mistakes)
    return Config(settings, checks, channels, rules, file)


def _settings(values: Mapping[str, Any], flags: Mapping[str, Any]) -> Settings:
    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the signature is pydantic's
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=dict(values))

    return FromFile(**flags)


def _plugins(
    key: str, package: str, base: type[M], values: Mapping[str, Any], document: Document, mistakes: list[Mistake]
) -> Iterator[M]:
    """Each item of the list *key* as the class that its `type` names."""
    items = values.get(key) or []
    seen: dict[str, int] = {}
    for index, item in enumerate(items if isinstance(items, list) else []):
        path = f"{key}[{index}]"
        if not isinstance(item, dict):
            continue  # the top level has said so already
        known = ", ".join(plugins.names(package))
        if not isinstance(item.get("type"), str):
            mistakes.append(_mistake(document, path, f"has no `type`, expected one of: {known}"))
            continue
        try:
            built = plugins.find(package, item["type"], base).model_validate(item)
        except plugins.PluginError as exc:
            mistakes.append(_mistake(document, f"{path}.type", str(exc)))
            continue
        except ValidationError as exc:
            mistakes += mistakes_of(exc, document, prefix=path)
            continue
        name = str(item.get("name"))
        if name in seen:
            line = document.line(f"{key}[{seen[name]}]")
            mistakes.append(_mistake(document, f"{path}.name", f"{name!r} is also the name at line {line}; names are unique"))
        seen.setdefault(name, index)
        yield built


def _check_labels(
    checks: Sequence[Check], settings: Settings | None, document: Document, mistakes: list[Mistake]
) -> None:
    """Labels that are ours to set, or that Prometheus would not take."""
    for index, item in enumerate(checks):
        for name in item.labels:
            if problem := _label_problem(name):
                mistakes.append(_mistake(document, f"checks[{index}].labels.{name}", problem))
    for name in settings.external_labels if settings else ():
        if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
            mistakes.append(_mistake(document, f"external_labels.{name}", "expected a label name such as 'cluster'"))


def _label_problem(name: str) -> str:
    if name in RESERVED_LABELS or name.startswith("__"):
        return f"the label {name!r} is set by the daemon itself; choose another name"
    return "" if _LABEL_NAME.fullmatch(name) else f"got {name!r}, expected letters, digits and underscores"


def _expand(value: Any, path: str, document: Document, mistakes: list[Mistake]) -> Any:
    """`${NAME}` and `${NAME:-default}` in strings become the variable's value; `$$` is a dollar sign."""
    if isinstance(value, dict):
        return {k: _expand(v, f"{path}.{k}" if path else str(k), document, mistakes) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, f"{path}[{i}]", document, mistakes) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(found: re.Match[str]) -> str:
        name, default = found.groups()
        if name is None:
            return "$"
        text = os.environ.get(name, default)
        if text is None:
            mistakes.append(
                _mistake(document, path, f"the environment has no {name}; set it, or write ${{{name}:-default}}")
            )
        return text or ""

    return _VARIABLE.sub(variable, value)


def _mistake(document: Document, path: str, message: str) -> Mistake:
    return Mistake(document.file, document.line(path), path, message)


def _yaml_kind(value: Any) -> str:
    return {list: "list", str: "text", int: "number", float: "number", bool: "boolean"}.get(type(value), "value")

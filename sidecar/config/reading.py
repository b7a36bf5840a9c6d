"""The configuration: what is in the files, the environment and the flags, checked all at once."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsError

from sidecar import plugins
from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.checks._dependencies import dependencies
from sidecar.config import including
from sidecar.config.files import Disk, Files, packs
from sidecar.config.settings import PREFIX, RulesEntry, Settings
from sidecar.config.variables import VARIABLE
from sidecar.model.errors import ConfigError, Mistake
from sidecar.network import Network
from sidecar.rules.compiled import RuleSet
from sidecar.rules.files import Source, load_rules
from sidecar.yamlfile import Document, join, load, mistakes_of

M = TypeVar("M", bound=BaseModel)
N = TypeVar("N", Check, Channel)

RESERVED_LABELS: Final = frozenset(
    {"check", "type", "target", "critical", "pod", "instance", "job", "le", "quantile", "window", "phase", "source"}
)
_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the daemon needs to know, checked and built."""

    settings: Settings
    checks: tuple[Check, ...]
    channels: tuple[Channel, ...]
    rules: RuleSet
    file: str = ""  # where it was read from; empty when it was not a file


def read(path: Path, flags: Mapping[str, Any] | None = None, files: Files | None = None) -> Config:
    """The configuration in the file at *path*; raises ConfigError with every mistake in it.

    *files* is where it, and whatever it names, is read from; the disk without it.
    """
    files = files or Disk()
    try:
        text = files.read(path)
    except OSError as exc:
        problem = f"cannot be read: {exc.strerror}; expected a YAML file, see `sidecar demo --print-config`"
        raise ConfigError(Mistake(str(path), 0, "", problem)) from exc
    return parse(text, str(path), flags, folder=path.parent, files=files)


def parse(
    text: str | bytes,
    file: str,
    flags: Mapping[str, Any] | None = None,
    *,
    folder: Path = Path(),
    files: Files | None = None,
) -> Config:
    """The configuration in *text*; *file* names it in mistakes, *folder* is where its relative paths begin."""
    files = files or Disk()
    document = load(text, file)
    if not document.value:
        raise ConfigError(Mistake(file, 0, "", "is empty; expected at least `checks:`, see the README"))
    if not isinstance(document.value, dict):
        kind = "list" if isinstance(document.value, list) else "single value"
        raise ConfigError(Mistake(file, 1, "", f"got a {kind}, expected keys such as `checks:`"))
    return _Reader(including.whole(document, folder, files), folder, flags or {}, files).config()


class _Reader:
    """One reading of one document; collects every mistake before it gives up."""

    def __init__(self, document: Document, folder: Path, flags: Mapping[str, Any], files: Files) -> None:
        self._document = document
        self._folder = folder
        self._flags = flags
        self._files = files
        self._mistakes: list[Mistake] = []

    def config(self) -> Config:
        values = self._expand(self._document.value, "")
        told = {mistake.key: mistake for mistake in self._mistakes}  # whatever else is wrong there follows from it
        settings = None
        try:
            settings = _settings(values, self._flags)
        except ValidationError as exc:
            self._mistakes += mistakes_of(exc, self._document, model=Settings, elsewhere=self._elsewhere)
        except SettingsError as exc:
            self._mistakes.append(_no_json(exc))
        lists = {"checks", "channels", "rules"}
        raw = values | (settings.model_dump(include=lists, exclude_unset=True) if settings else {})
        checks = dict(self._plugins("checks", "sidecar.checks", Check, raw))
        channels = dict(self._plugins("channels", "sidecar.channels", Channel, raw))
        self._check_labels(checks, settings)
        self._check_dependencies(checks, raw.get("checks"))
        rules = self._rules(raw.get("rules"), _names(raw.get("channels")))
        if self._mistakes or settings is None:
            others = [mistake for mistake in self._mistakes if mistake.key not in told]
            raise ConfigError(*told.values(), *others)
        network = settings.network
        return Config(
            settings,
            tuple(_connected(check, network) for check in checks.values()),
            tuple(_connected(channel, network) for channel in channels.values()),
            rules,
            self._document.file,
        )

    def _wrong(self, path: str, message: str) -> None:
        place = self._elsewhere(path)
        self._mistakes.append(Mistake(place, 0, path, message) if place else self._document.mistake(path, message))

    def _place(self, path: str, seen_from: str) -> str:
        """Where *path* stands, for a message about *seen_from*."""
        line, file = self._document.line(path), self._document.file_of(path)
        there = f"at line {line}" if line else f"of {path}"
        return there if file == self._document.file_of(seen_from) else f"{there} of {file}"

    def _elsewhere(self, path: str) -> str:
        """The flag or variable that gives the value at *path*; empty when it is the file."""
        steps = [step.rstrip("]") for step in re.split(r"[.\[]", path)]
        given: Any = self._flags
        for step in steps:
            given = given.get(step) if isinstance(given, Mapping) else None
        if given is not None:
            return f"--{'-'.join(steps).removeprefix('http-')}"
        variables = {name.upper(): name for name in os.environ}
        names = (PREFIX + "__".join(steps[:n]).upper() for n in range(len(steps), 0, -1))
        found = next((variables[name] for name in names if name in variables), "")
        return f"the variable {found}" if found else ""

    def _expand(self, value: Any, path: str) -> Any:
        """`${NAME}` and `${NAME:-default}` in strings become the variable's value; `$${` is `${`."""
        if isinstance(value, dict):
            return {k: self._expand(v, join(path, k)) for k, v in value.items()}
        if isinstance(value, list):
            return [self._expand(v, join(path, i)) for i, v in enumerate(value)]
        if not isinstance(value, str):
            return value
        if "\0" in value:
            self._wrong(path, "holds a NUL character, expected text without one")
        return VARIABLE.sub(partial(self._variable, path), value)

    def _variable(self, path: str, found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if found["odd"]:
            self._wrong(
                path, "holds `${` without a name, expected ${NAME} or ${NAME:-default}; `$${` stands for itself"
            )
            return found[0]
        name, default = found["name"], found["default"]
        if name not in os.environ and default is None:
            self._wrong(path, f"the environment has no {name}; set it, or write ${{{name}:-default}}")
        value = os.environ.get(name) or default or ""
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            self._wrong(path, f"the variable {name} is not UTF-8 text")
            return ""
        return value

    def _plugins(self, key: str, package: str, base: type[M], values: Mapping[str, Any]) -> Iterator[tuple[str, M]]:
        """Each item of the list *key*: where it stands, and the class that its `type` names."""
        items = values.get(key)
        seen: dict[str, str] = {}
        for index, item in enumerate(items if isinstance(items, list) else ()):
            path = join(key, index)
            if not isinstance(item, dict):
                continue  # the top level has said so already
            if not isinstance(item.get("type"), str):
                self._wrong(path, f"has no `type`, expected one of: {', '.join(plugins.names(package))}")
                continue
            name = item.get("name")
            if isinstance(name, str) and name in seen:
                where = self._place(seen[name], path)
                self._wrong(join(path, "name"), f"{name!r} is also the name {where}; expected another")
            if isinstance(name, str):
                seen.setdefault(name, path)
            try:
                found = plugins.find(package, item["type"], base)
            except plugins.PluginError as exc:
                self._wrong(join(path, "type"), str(exc))
                continue
            try:
                yield path, found.model_validate(item)
            except ValidationError as exc:
                self._mistakes += mistakes_of(exc, self._document, path, found, self._elsewhere)

    def _check_dependencies(self, checks: Mapping[str, Check], items: Any) -> None:
        """What a check depends on is there and is not itself."""
        for path, message in dependencies(checks, _names(items)):
            self._wrong(path, message)

    def _check_labels(self, checks: Mapping[str, Check], settings: Settings | None) -> None:
        """Labels that are ours to set, or that Prometheus would not take."""
        places = [(join(join(at, "labels"), name), name) for at, check in checks.items() for name in check.labels]
        for path, name in places:
            if name in RESERVED_LABELS or name.startswith("__"):
                self._wrong(path, f"the label {name!r} is set by the daemon itself; expected another name")
        places += [(join("external_labels", name), name) for name in (settings.external_labels if settings else ())]
        for path, name in places:
            if not _LABEL_NAME.fullmatch(name):
                self._wrong(path, f"got {name!r}, expected letters, digits and underscores")

    def _rules(self, entries: Any, channels: Collection[str]) -> RuleSet:
        """The rules of every pack and file that `rules:` names."""
        sources = []
        for index, raw in enumerate(entries if isinstance(entries, list) else ()):
            path = join("rules", index)
            try:
                entry = RulesEntry.model_validate(raw)
            except ValidationError:
                continue  # the top level has said so already
            try:
                files = tuple(self._rule_files(entry, path))
            except (OSError, ValueError) as exc:
                self._wrong(join(path, "pack" if entry.pack else "file"), str(exc))
                continue
            sources.append(Source(files, entry.override, self._document, join(path, "override")))
        try:
            return load_rules(sources, channels=channels)
        except ConfigError as exc:
            self._mistakes += exc.mistakes
            return RuleSet()

    def _rule_files(self, entry: RulesEntry, path: str) -> Iterator[tuple[str, str]]:
        """Name and text of each file behind *entry*, which stands at *path*."""
        if bool(entry.pack) == bool(entry.file):
            raise ValueError("expected either `pack` or `file`")
        if entry.pack:
            known = packs()
            if entry.pack not in known:
                raise ValueError(f"got {entry.pack!r}, expected one of the packs: {', '.join(sorted(known))}")
            yield f"pack {entry.pack}", known[entry.pack].read_text("utf-8")
            return
        # Only what was written is a pattern; the folder's own name may hold brackets.
        pattern, folder = Path(entry.file), self._folder_of(path).absolute()
        place, inside = (
            (Path(pattern.anchor), pattern.relative_to(pattern.anchor)) if pattern.anchor else (folder, pattern)
        )
        found = self._files.glob(place, str(inside)) if inside.parts else []
        if not found:
            raise ValueError(f"got {entry.file!r}, which names no file in {folder}")
        for file in found:
            yield str(file), self._text(file)

    def _folder_of(self, path: str) -> Path:
        """Where relative paths in the file of *path* begin."""
        file = self._document.file_of(path)
        return self._folder if file == self._document.file else Path(file).parent

    def _text(self, path: Path) -> str:
        try:
            return self._files.read(path).decode("utf-8")
        except UnicodeDecodeError as exc:
            problem = f"is not UTF-8 text: {exc.reason} at byte {exc.start}; expected a rule file"
            raise ValueError(f"{path} {problem}") from None
        except OSError as exc:
            raise ValueError(f"{path} cannot be read: {exc.strerror}; expected a rule file") from exc


def _names(items: Any) -> list[str]:
    """The names in a list, also of what has mistakes of its own: it is there."""
    found = [item.get("name") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return [name for name in found if isinstance(name, str)]


def _connected(item: N, network: Network) -> N:
    """*item*, which connects as *network* says wherever it does not say itself."""
    if not network.model_fields_set:
        return item
    return item.model_copy(update={"network": (item.network or Network()).over(network)})


def _settings(values: Mapping[str, Any], flags: Mapping[str, Any]) -> Settings:
    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- the signature is pydantic's
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=dict(values))

    return FromFile(**flags)


def _no_json(error: SettingsError) -> Mistake:
    """A variable of a whole group or list. Its text is not shown: it may hold secrets."""
    key = next(iter(re.findall(r'field "(\w+)"', str(error))), "")
    single = f"; a single value goes into a variable such as {PREFIX}HTTP__LISTEN"
    return Mistake(f"the variable {PREFIX}{key.upper()}", 0, key, f"is not JSON, expected a list or an object{single}")

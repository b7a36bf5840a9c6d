"""YAML text to a document."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NoReturn

import yaml

from sidecar.model.credentials import is_telling
from sidecar.model.errors import ConfigError, Mistake
from sidecar.yamlfile.document import Document, join

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 40
MAX_NODES: Final = 100_000
"""How many values a file may hold after its aliases are expanded."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,39})")
_OTHER_BASE: Final = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_WORDS: Final[Mapping[str, Any]] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
    | dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
)
_TAG: Final = "tag:yaml.org,2002:"


@dataclass(slots=True)
class _Node:
    value: Any  # scalar; for a list its nodes, for a mapping its nodes by key
    line: int
    text: str | None = None
    size: int = 1  # values in it, aliases expanded
    key: str | None = None  # of the mapping being built: the key that waits for its value
    keys: dict[str, int] = field(default_factory=dict)  # the lines of a mapping's keys
    merge: "list[_Node]" = field(default_factory=list)
    anchor: str | None = None


class _Stop(Exception):  # noqa: N818 -- ends the reading of a file, never leaves this module
    """A mistake behind which nothing can be read."""


def load(text: str | bytes, file: str) -> Document:
    """The one document in *text*; *file* names it in mistakes. Raises ConfigError with every mistake found."""
    reader = _Reader(file)
    try:
        root = reader.read(_checked(text, file))
    except _Stop:
        root = _Node(None, 1)
    if reader.mistakes:
        raise ConfigError(*reader.mistakes)
    lines: dict[str, int] = {}
    texts: dict[str, str] = {}
    value = _plain(root, "", root.line, lines, texts)
    return Document(value, file, MappingProxyType(lines), MappingProxyType(texts))


def _checked(text: str | bytes, file: str) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ConfigError(Mistake(file, 0, "", f"has {size:,} bytes, expected at most {MAX_BYTES:,}"))
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            line = exc.object.count(b"\n", 0, exc.start) + 1
            problem = f"byte 0x{exc.object[exc.start]:02x} is not UTF-8, expected a YAML file in UTF-8"
            raise ConfigError(Mistake(file, line, "", problem)) from exc
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        problem = f"got the control character {found[0]!r}, expected text; is this a binary file?"
        raise ConfigError(Mistake(file, line, "", problem))
    return text


def _what_is_wrong(exc: yaml.MarkedYAMLError, text: str, line: int) -> str:
    """The parser's words, and what they mean where they help nobody."""
    problem = str(exc.problem)
    if "\t" in "".join(text.splitlines()[line - 1 : line]) and "cannot start any token" in problem:
        return "found a tab, expected spaces: YAML is not indented with tabs"
    if "mapping values are not allowed" in problem:
        return f"{problem}; expected one `key: value` a line, `- ` before each list entry, quotes around text with `: `"
    if "could not find expected ':'" in problem and exc.context_mark is not None:
        return f"{problem}; is it missing at line {exc.context_mark.line + 1}?"
    return f"{problem} ({exc.context})" if exc.context else problem


class _Reader:
    """Builds nodes from parser events with a stack of its own, so that depth is ours to bound."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self.anchors: dict[str, _Node] = {}
        self.stack: list[_Node] = []
        self.paths: list[str] = []
        self.root: _Node | None = None
        self.nodes = 0

    def read(self, text: str) -> _Node:
        documents = 0
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._stop(event, "a second document begins here; expected one, without further `---`")
                else:
                    self._take(event)
        except yaml.MarkedYAMLError as exc:
            mark = exc.problem_mark or exc.context_mark
            line = mark.line + 1 if mark is not None else 0
            self.mistakes.append(Mistake(self.file, line, "", f"is not YAML: {_what_is_wrong(exc, text, line)}"))
        except yaml.YAMLError as exc:
            self.mistakes.append(Mistake(self.file, 0, "", f"is not YAML: {exc}"))
        return self.root or _Node(None, 1)

    def _take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.SequenceStartEvent():
                self._open(event, [], "seq")
            case yaml.MappingStartEvent():
                self._open(event, {}, "map")
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close(event)

    def _scalar(self, event: Any) -> None:
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._key(event, parent)
            return
        value = self._resolve(event)
        text = None if isinstance(value, str) else event.value
        self._put(_Node(value, event.start_mark.line + 1, text, anchor=event.anchor), event)

    def _key(self, event: Any, parent: _Node) -> None:
        key = event.value
        if event.anchor:
            self.anchors[event.anchor] = _Node(key, event.start_mark.line + 1)
        if key in parent.value and key != "<<":
            first, line = parent.keys[key], event.start_mark.line + 1
            path = join(self._path(), key)
            self.mistakes.append(Mistake(self.file, line, path, f"is given twice, at line {first} and at line {line}"))
        parent.key = key
        parent.keys.setdefault(key, event.start_mark.line + 1)

    def _resolve(self, event: Any) -> Any:
        tag, text = event.tag, event.value
        if tag is None or tag == "!":
            return _core(text) if event.implicit[0] and tag is None else text
        kind = tag.removeprefix(_TAG)
        value: Any = text if kind == "str" else _core(text)
        expected: dict[str, tuple[type, ...]] = {
            "str": (str,),
            "int": (int,),
            "float": (int, float),
            "bool": (bool,),
            "null": (type(None),),
        }
        if tag == kind or kind not in expected:
            found = self._shown(_shown_tag(tag))
            self._stop(event, f"got the tag {found}, expected none or one of !!str !!int !!float !!bool !!null")
        if not isinstance(value, expected[kind]):
            self._stop(event, f"got {self._shown(repr(text[:60]))} for the tag !!{kind}")
        return float(value) if isinstance(value, int) and kind == "float" else value

    def _alias(self, event: Any) -> None:
        node = self.anchors.get(event.anchor)
        if node is None:
            name = self._shown(event.anchor)
            self._stop(event, f"*{name} names nothing that is complete above; expected &{name} before it")
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._stop(event, f"got the alias *{event.anchor} as a key, expected text")
        self._put(node, event)

    def _open(self, event: Any, value: Any, kind: str) -> None:
        parent = self.stack[-1] if self.stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            self._stop(event, "got a list or a mapping as a key, expected text")
        if event.tag not in (None, "!", _TAG + kind):
            self._stop(event, f"got the tag {_shown_tag(event.tag)}, expected none")
        if len(self.stack) >= MAX_DEPTH:
            self._stop(event, f"is nested deeper than {MAX_DEPTH} levels")
        self.paths.append(self._here())
        self.stack.append(_Node(value, event.start_mark.line + 1, anchor=event.anchor))

    def _close(self, event: Any) -> None:
        node = self.stack.pop()
        self.paths.pop()
        for merged in node.merge:
            for key, value in merged.value.items():
                node.value.setdefault(key, value)
        self._put(node, event)

    def _put(self, node: _Node, event: Any) -> None:
        """*node* is complete: give it to what is around it."""
        if node.anchor:
            self.anchors[node.anchor] = node
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        parent.size += node.size
        if parent.size > MAX_NODES:
            self._stop(event, f"expands to more than {MAX_NODES:,} values; expected fewer aliases")
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif parent.key == "<<":
            parent.key = None
            self._merge(parent, node, event)
        else:
            parent.value.setdefault(parent.key, node)
            parent.key = None

    def _merge(self, parent: _Node, node: _Node, event: Any) -> None:
        sources = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(source, _Node) and isinstance(source.value, dict) for source in sources):
            self._stop(event, "got `<<` with something else, expected a mapping or a list of mappings")
        parent.merge.extend(sources)

    def _path(self) -> str:
        return self.paths[-1] if self.paths else ""

    def _here(self) -> str:
        """The path of what is read now."""
        if not self.stack:
            return ""
        parent = self.stack[-1]
        step = len(parent.value) if isinstance(parent.value, list) else parent.key
        return self._path() if step is None else join(self._path(), step)

    def _shown(self, text: str) -> str:
        """*text*, unless it may be part of a password that begins with a mark of YAML and has no quotes around it."""
        return "***" if any(map(is_telling, self._here().split("."))) else text

    def _stop(self, event: Any, message: str) -> NoReturn:
        self.mistakes.append(Mistake(self.file, event.start_mark.line + 1, self._here(), message))
        raise _Stop


def _core(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2; a number with leading zeros stays text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "", 1)) if _INFINITE.fullmatch(text) else text


def _plain(node: _Node, path: str, line: int, lines: dict[str, int], texts: dict[str, str]) -> Any:
    """The value of *node*; notes the line of everything in it, for a mapping's values that of their keys."""
    lines[path] = line
    if isinstance(node.value, dict):
        return {
            key: _plain(child, join(path, key), node.keys.get(key, child.line), lines, texts)
            for key, child in node.value.items()
        }
    if isinstance(node.value, list):
        return [_plain(child, join(path, i), child.line, lines, texts) for i, child in enumerate(node.value)]
    if node.text is not None:
        texts[path] = node.text
    return node.value


def _shown_tag(tag: str) -> str:
    return tag.replace(_TAG, "!!")[:40]

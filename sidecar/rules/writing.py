"""Rules as YAML that people read, and that every reader of YAML takes for the same."""

import re
from typing import Any, Final

import yaml

# What a reader of YAML 1.1 or 1.2 might take for a number, a date or a boolean.
_AMBIGUOUS: Final = re.compile(
    r"[-+]?0[xob][0-9a-f_]*|[-+.]?[0-9][0-9_.:e+\- tz]*|[-+]?\.(?:inf|nan)"
    r"|y|n|yes|no|on|off|true|false|null|~|=|<<",
    re.IGNORECASE,
)


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 -- PyYAML's signature
        """Lists stand deeper than their key, as they do in most rule files."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text.strip("\n") or text.endswith("\n") else "'" if _AMBIGUOUS.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """*value* as YAML, keys in their order."""
    written: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return written

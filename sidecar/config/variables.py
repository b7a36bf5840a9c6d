"""`${NAME}` and `${NAME:-default}` in the values of a configuration; `$${` is `${`."""

import os
import re
from typing import Final

# A single `$$` is left alone: passwords and regular expressions hold some.
VARIABLE: Final = re.compile(
    r"\$\$(?=\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<odd>\$\{)"
)


def expanded(text: str) -> str:
    """*text* with the environment's values; empty when the environment has not what it asks for."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        if found[0] == "$$":
            return "$"
        known = os.environ.get(found["name"] or "") or found["default"]
        missing = missing or known is None
        return known or ""

    result = VARIABLE.sub(value, text)
    return "" if missing else result

"""Foreign packages that take long to import, left to the tests that use them: every worker collects every test."""

import importlib
import types
from typing import Any


class _Later(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # pytest and inspect look for marks of theirs on everything
        return getattr(importlib.import_module(self.__name__), name)


def lazily(name: str) -> Any:
    """The module *name*, imported when something in it is first asked for."""
    return _Later(name)

"""A type's class by its name: `type: claude.stream` is the module `checks/claude/stream.py`."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import TypeVar

from sidecar.model.errors import SidecarError

T = TypeVar("T")


class PluginError(SidecarError):
    """A type that does not exist, or whose driver is not installed."""


def names(package: str) -> list[str]:
    """Every type of *package*, our own and third parties', without importing any of them."""
    return sorted({*_own(package), *(point.name for point in entry_points(group=package))})


def find(package: str, type_: str, base: type[T]) -> type[T]:
    """The one subclass of *base* that the module of *type_* defines.

    Third parties add types through the entry-point group that is named like *package*.
    """
    if type_ in _own(package):
        module_name = f"{package}.{type_}"
    else:
        points = entry_points(group=package, name=type_)
        if not points:
            raise PluginError(f"got type {type_!r}, expected one of: {', '.join(names(package))}")
        module_name = next(iter(points)).module
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        raise PluginError(
            f"type {type_!r} needs the package {exc.name!r}, which is not installed; "
            f"pip install 'claude-sidecar[{type_.split('.', maxsplit=1)[0]}]'"
        ) from exc
    found = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member.__module__ == module.__name__ and not inspect.isabstract(member)
    ]
    if len(found) != 1:
        raise PluginError(f"{module_name} defines {len(found)} classes derived from {base.__name__}, expected one")
    return found[0]


def _own(package: str) -> Iterator[str]:
    # The prefix must be whole: a subpackage is imported by its name, and left out in silence when that fails.
    prefix = f"{package}."
    for info in pkgutil.walk_packages(importlib.import_module(package).__path__, prefix):
        if not info.ispkg and not info.name.rpartition(".")[2].startswith("_"):
            yield info.name.removeprefix(prefix)

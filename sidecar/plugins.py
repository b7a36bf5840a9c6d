"""A type's class by its name: `type: claude.stream` is the module `checks/claude/stream.py`."""

import importlib
import inspect
import pkgutil
from functools import cache
from importlib.metadata import entry_points, metadata
from types import ModuleType
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

    Third parties add types through the entry-point group that is named like *package*; an entry point names the
    module, or the class in it.
    """
    if type_ in _own(package):
        return _only(_module(f"{package}.{type_}", type_), base)
    points = tuple(entry_points(group=package, name=type_))
    if not points:
        raise PluginError(f"got type {type_!r}, expected one of: {', '.join(names(package))}")
    owners = [point.dist.name if point.dist else point.value for point in points]
    if len(points) > 1:
        raise PluginError(f"type {type_!r} comes from {' and '.join(owners)}, expected one; uninstall the others")
    module = _module(points[0].module, type_, f"it comes from the package {owners[0]!r}, see its documentation")
    if not points[0].attr:
        return _only(module, base)
    found = getattr(module, points[0].attr, None)
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise PluginError(f"{points[0].value} of the package {owners[0]!r} is no class derived from {base.__name__}")
    return found


def _module(name: str, type_: str, advice: str = "") -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        missing, advice = (exc.name or "").partition(".")[0], advice or _advice(type_)
        raise PluginError(f"type {type_!r} needs the package {missing!r}, which is not installed; {advice}") from exc
    except Exception as exc:  # the boundary of a plug-in, which may be anybody's
        advice = advice or _advice(type_)
        raise PluginError(f"type {type_!r} cannot be loaded: {type(exc).__name__}: {exc}; {advice}") from exc


def _advice(type_: str) -> str:
    """What brings that of *type_* which is missing: an extra of its own, or else what should be there already."""
    extras = metadata("claude-sidecar").get_all("Provides-Extra") or ()
    wanted = f"claude-sidecar[{type_}]" if type_ in extras else "--force-reinstall claude-sidecar"
    return f"pip install {wanted!r}" if "[" in wanted else f"pip install {wanted}"


def _only(module: ModuleType, base: type[T]) -> type[T]:
    found = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member.__module__ == module.__name__ and not inspect.isabstract(member)
    ]
    if len(found) != 1:
        raise PluginError(f"{module.__name__} defines {len(found)} classes derived from {base.__name__}, expected one")
    return found[0]


@cache  # a configuration of a thousand checks asks a thousand times
def _own(package: str) -> frozenset[str]:
    # The prefix must be whole: a subpackage is imported by its name, and left out in silence when that fails.
    prefix = f"{package}."
    return frozenset(
        info.name.removeprefix(prefix)
        for info in pkgutil.walk_packages(importlib.import_module(package).__path__, prefix)
        if not info.ispkg and not info.name.rpartition(".")[2].startswith("_")
    )

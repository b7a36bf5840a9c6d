"""What a query returns."""

from dataclasses import dataclass
from enum import StrEnum

from sidecar.model.labels import Labels


class Kind(StrEnum):
    """The type of an expression, in the words of Prometheus' HTTP API."""

    VECTOR = "vector"
    SCALAR = "scalar"
    MATRIX = "matrix"
    STRING = "string"


@dataclass(frozen=True, slots=True)
class Vector:
    """One value for each of some label sets, all different; ordered only if the query ordered them."""

    elements: tuple[tuple[Labels, float], ...]
    annotations: tuple[str, ...] = ()  # "PromQL warning: …" and "PromQL info: …", each once


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number."""

    value: float
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class String:
    """One text."""

    value: str
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A label set and its points, times in ms since the epoch, ascending."""

    labels: Labels
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Series with different label sets; of a range query in the order of their labels."""

    series: tuple[Series, ...]
    annotations: tuple[str, ...] = ()


Value = Vector | Scalar | Matrix | String

"""The answers of Prometheus' HTTP API to an instant query, read with suspicion.

The form is that of https://prometheus.io/docs/prometheus/latest/querying/api/; Thanos, Mimir and VictoriaMetrics answer
alike.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sidecar.checks import CheckFailed
from sidecar.checks._http import quoted
from sidecar.claude.errors import ErrorType

_LONGEST_WARNING: Final = 300

# By the API's errorType: a query that cannot be read is ours to mend, the rest is not.
_BY_ERROR: Final = {"bad_data": ErrorType.BAD_REQUEST, "not_found": ErrorType.NOT_FOUND}
_BY_STATUS: Final = {
    401: ErrorType.AUTH,
    403: ErrorType.PERMISSION,
    404: ErrorType.NOT_FOUND,
    429: ErrorType.THROTTLED,
}


@dataclass(frozen=True, slots=True)
class Element:
    """One series of an answer at one moment; a scalar is one without labels."""

    labels: Mapping[str, str]
    value: float

    def __str__(self) -> str:
        name = self.labels.get("__name__", "")
        pairs = ", ".join(f"{key}={json.dumps(text)}" for key, text in sorted(self.labels.items()) if key != "__name__")
        return f"{name}{{{pairs}}}" if pairs else name or "the value"


@dataclass(frozen=True, slots=True)
class Yield:
    """What a query came to."""

    elements: tuple[Element, ...]  # in the order of their labels: that of the server changes from query to query
    warnings: str  # quoted; empty for none


def read(content: bytes) -> Yield:
    """What an answer of 200 says; raises CheckFailed for one that says nothing of use."""
    document = _document(content)
    if document is None:
        said = quoted(content[:1000].decode("utf-8", "replace"))
        raise CheckFailed(ErrorType.NOT_JSON, f"got no answer of Prometheus' API, is `url` right? It says: {said}")
    if document.get("status") != "success":
        raise refusal(200, content)
    data = document.get("data")
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    match kind, result:
        case "scalar", [_, _]:
            elements = [Element({}, _number(result))]
        case "vector", [*several]:
            elements = [_element(one) for one in several]
        case (("matrix" | "string"), _):
            advice = " (take the range such as [5m] out, or put a function around it)" if kind == "matrix" else ""
            raise CheckFailed(
                ErrorType.BAD_REQUEST, f"the query yields a {kind}, expected a vector or a scalar{advice}"
            )
        case _:
            found = quoted(str(kind), 40)
            raise _unusual(f"a result of the type {found}")
    return Yield(tuple(sorted(elements, key=lambda one: sorted(one.labels.items()))), _warnings(document))


def refusal(status: int, content: bytes) -> CheckFailed:
    """An answer that is an error, as a failed probe: by the API's own words, or what else stands there."""
    document = _document(content) or {}
    kind, error = document.get("errorType"), document.get("error")
    by_status = _BY_STATUS.get(status)
    if document.get("status") != "error":
        said = quoted(content[:1000].decode("utf-8", "replace"))
        error_type = by_status or (ErrorType.SERVER_ERROR if status >= 500 else ErrorType.NOT_JSON)
        return CheckFailed(error_type, f"got {status}, expected 200" + (f": {said}" if said else ""))
    error_type = by_status or _BY_ERROR.get(str(kind), ErrorType.SERVER_ERROR)
    return CheckFailed(error_type, f"the server answers {quoted(str(kind), 40)}: {quoted(str(error), 400)}")


def _document(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _element(one: Any) -> Element:
    match one:
        case {"metric": dict(labels), "value": [_, _] as pair}:
            if not all(isinstance(text, str) for text in labels.values()):
                raise _unusual("labels that are no texts")
            return Element(labels, _number(pair))
        case {"histogram": _}:
            raise CheckFailed(
                ErrorType.BAD_REQUEST,
                "the query yields native histograms, expected numbers; put histogram_quantile() or such around it",
            )
    raise _unusual("a series without labels and value")


def _number(pair: list[Any]) -> float:
    """The value of a pair of time and value, which the API writes as a text; NaN, +Inf and -Inf are such."""
    said = pair[1]
    if isinstance(said, str | int | float) and not isinstance(said, bool) and "_" not in str(said):
        with suppress(ValueError, OverflowError):
            return float(said)
    raise _unusual("a value that is no number")


def _unusual(found: str) -> CheckFailed:
    return CheckFailed(ErrorType.NOT_JSON, f"got {found}, expected a vector or a scalar as Prometheus' API has it")


def _warnings(document: Mapping[str, Any]) -> str:
    """What the server adds: results that are partial, functions that were misused."""
    several = [document.get("warnings"), document.get("infos")]
    texts = [str(one) for given in several if isinstance(given, list) for one in given]
    return quoted("; ".join(texts), _LONGEST_WARNING) if texts else ""

"""PromQL over recent samples: compiled once, evaluated often. Prometheus 3.x semantics, float samples only.

`compile_(text)` gives a `Query`; a `Query` answers `instant`, `vector` (what rules need) and `range`, and says what
it reads, judges and counts.
"""

from sidecar.promql.errors import LimitExceeded, QueryError, Unsupported
from sidecar.promql.plan import LOOKBACK_MS, Limits
from sidecar.promql.querier import Querier
from sidecar.promql.query import LIMITS, STEP_MS, Query, compile_, selector
from sidecar.promql.value import Kind, Matrix, Scalar, Series, String, Value, Vector

__all__ = [
    "LIMITS",
    "LOOKBACK_MS",
    "STEP_MS",
    "Kind",
    "LimitExceeded",
    "Limits",
    "Matrix",
    "Querier",
    "Query",
    "QueryError",
    "Scalar",
    "Series",
    "String",
    "Unsupported",
    "Value",
    "Vector",
    "compile_",
    "selector",
]

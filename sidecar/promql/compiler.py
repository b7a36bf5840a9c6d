"""From a tree to closures, compiled once and run often."""

from collections.abc import Callable, Iterator
from typing import Final

from sidecar.promql import aggregation, ast, binary, floats, functions, histograms, relabel, selectors, windows
from sidecar.promql.errors import QueryError
from sidecar.promql.plan import Context, Element, MatrixFn, Plan, ScalarFn, VectorFn
from sidecar.promql.value import Kind

_PI: Final = 3.141592653589793
_COUNTERS: Final = ("_total", "_sum", "_count", "_bucket")


class Compiler:
    """Compiles one query; `plan.Builder`."""

    def __init__(self, step_ms: int) -> None:
        self.plan = Plan()
        self.step_ms = step_ms

    def vector(self, expr: ast.Expr) -> VectorFn:
        """*expr* as an instant vector; a scalar is one element without labels."""
        match expr:
            case ast.Selector():
                return selectors.instant(self.plan, expr)
            case ast.Aggregate():
                return aggregation.build(self, expr)
            case ast.Binary() if ast.kind(expr) is Kind.VECTOR:
                return binary.build(self, expr)
            case ast.Negation() if ast.kind(expr) is Kind.VECTOR:
                inner = self.vector(expr.expr)
                return lambda context, t: [(metric.dropped, -value) for metric, value in inner(context, t)]
            case ast.Call() if ast.kind(expr) is Kind.VECTOR:
                return self._call(expr)
        scalar, empty = self.scalar(expr), self.plan.empty
        return lambda context, t: [(empty, scalar(context, t))]

    def scalar(self, expr: ast.Expr) -> ScalarFn:
        match expr:
            case ast.Number(value=number):
                return lambda _context, _t: number
            case ast.Negation():
                inner = self.scalar(expr.expr)
                return lambda context, t: -inner(context, t)
            case ast.Binary() if ast.kind(expr) is Kind.SCALAR:
                return binary.scalars(self, expr)
            case ast.Call(name="time"):
                return lambda _, t: t / 1000
            case ast.Call(name="pi"):
                return lambda _context, _t: _PI
            case ast.Call(name="scalar"):
                return _only(self.vector(expr.args[0]))
        raise QueryError(f"got an expression of type {ast.kind(expr)}, expected a scalar")

    def matrix(self, expr: ast.Expr) -> MatrixFn:
        match expr:
            case ast.Range():
                return selectors.window(self.plan, expr)
            case ast.Subquery():
                return selectors.subquery(self, expr)
        raise QueryError(f"got an expression of type {ast.kind(expr)}, expected a range vector")

    def _call(self, call: ast.Call) -> VectorFn:
        match call.name:
            case "label_replace":
                return relabel.replace(self, call)
            case "label_join":
                return relabel.join(self, call)
            case "histogram_quantile":
                return histograms.quantile(self, call)
            case "histogram_fraction":
                return histograms.fraction(self, call)
            case "quantile_over_time":
                return self._quantile_over_time(call)
            case "predict_linear":
                return self._predict_linear(call)
            case "absent_over_time":
                return self._absent_over_time(call)
            case "rate" | "increase":
                return self._growth(call)
            case name if name in windows.KERNELS:
                return self._over_time(call)
        return functions.build(self, call)

    def _over_time(self, call: ast.Call) -> VectorFn:
        matrix, kernel = self.matrix(call.args[0]), windows.KERNELS[call.name]
        keep_name = call.name in windows.KEEP_NAME

        def run(context: Context, t: int) -> list[Element]:
            start, end, found = matrix(context, t)
            elements = []
            for metric, times, low, values in found:
                value = kernel(times, low, values, start, end)
                if value is not None:
                    elements.append((metric if keep_name else metric.dropped, value))
            return elements

        return run

    def _growth(self, call: ast.Call) -> VectorFn:
        """`rate` or `increase`, with a word about metrics that do not look like counters."""
        inner, known = self._over_time(call), self.plan.cache()
        place = call.places[0] if call.places else ""

        def suspicious(elements: list[Element]) -> Iterator[str]:
            for metric, _ in elements:
                name = known.get(metric)
                if name is None:
                    name = metric.labels.name
                    known[metric] = name = "" if name.endswith(_COUNTERS) else name
                if name:
                    yield name

        def run(context: Context, t: int) -> list[Element]:
            elements = inner(context, t)
            for name in set(suspicious(elements)):
                context.inform(
                    f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"',
                    place,
                )
            return elements

        return run

    def _quantile_over_time(self, call: ast.Call) -> VectorFn:
        q_of, matrix = self.scalar(call.args[0]), self.matrix(call.args[1])
        place = call.places[0] if call.places else ""

        def run(context: Context, t: int) -> list[Element]:
            q = q_of(context, t)
            elements = [(metric.dropped, floats.quantile(q, values)) for metric, _, _, values in matrix(context, t)[2]]
            if elements and not 0 <= q <= 1:
                context.warn(f"quantile value should be between 0 and 1, got {floats.show(q)}", place)
            return elements

        return run

    def _predict_linear(self, call: ast.Call) -> VectorFn:
        matrix, ahead_of = self.matrix(call.args[0]), self.scalar(call.args[1])

        def run(context: Context, t: int) -> list[Element]:
            ahead = ahead_of(context, t)
            elements = []
            for metric, times, low, values in matrix(context, t)[2]:
                if len(values) > 1:
                    slope, now = windows.regression(times, low, values, t)
                    elements.append((metric.dropped, slope * ahead + now))
            return elements

        return run

    def _absent_over_time(self, call: ast.Call) -> VectorFn:
        matrix, labels = self.matrix(call.args[0]), functions.absent_labels(call.args[0])

        def run(context: Context, t: int) -> list[Element]:
            present = any(True for _ in matrix(context, t)[2])
            return [] if present else [(self.plan.metric(labels), 1.0)]

        return run


def _only(inner: VectorFn) -> Callable[[Context, int], float]:
    """The value of a vector with one element, else NaN."""

    def run(context: Context, t: int) -> float:
        elements = inner(context, t)
        return elements[0][1] if len(elements) == 1 else floats.NAN

    return run

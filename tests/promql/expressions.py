"""Random expressions, valid more often than not."""

from hypothesis import strategies as st

_NAMES = st.sampled_from(["up", "x_total", "h_bucket", "gauge", "nothing"])
_LABELS = st.sampled_from(["job", "le", "i"])
_DURATIONS = st.sampled_from(["1ms", "15s", "1m", "5m", "1h", "1d"])
_NUMBERS = st.sampled_from(["0", "1", "-1", "0.5", "NaN", "Inf", "-Inf", "1e300", "2", "5m"])
_MATCHERS = st.sampled_from(["", "{}", '{job="a"}', '{job=~"a|b"}', '{job!~".*"}', '{i!=""}', '{le="+Inf",job!="c"}'])
_AT = st.sampled_from(["", "", "", " offset 1m", " offset -5m", " @ 100", " @ start()", " @ end() offset 1d"])
_SIMPLE = st.sampled_from(
    ["abs", "sgn", "sqrt", "ln", "exp", "floor", "round", "atanh", "cosh", "year", "minute", "day_of_year", "sort",
     "timestamp", "absent", "vector", "scalar", "acosh", "rad", "days_in_month", "log2"]
)  # fmt: skip
_RANGED = st.sampled_from(
    ["rate", "increase", "delta", "irate", "idelta", "deriv", "resets", "changes", "sum_over_time", "avg_over_time",
     "min_over_time", "max_over_time", "count_over_time", "last_over_time", "stddev_over_time", "present_over_time",
     "absent_over_time", "first_over_time"]
)  # fmt: skip
_FOLDS = st.sampled_from(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"])
_GROUPINGS = st.sampled_from(["", " by (job)", " without (le)", " by ()", " by (__name__)", " without (i, job)"])
_OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<=", "> bool", "== bool",
     "and", "or", "unless"]
)  # fmt: skip
_MATCHING = st.sampled_from(
    ["", "", "", " on (job)", " ignoring (le)", " on (i) group_left", " on () group_right (le)"]
)

_selectors = st.builds("{}{}{}".format, _NAMES, _MATCHERS, _AT)
_ranges = st.builds("{}{}[{}]{}".format, _NAMES, _MATCHERS, _DURATIONS, _AT)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    subqueries = st.builds(
        "({})[{}:{}]{}".format, inner, st.sampled_from(["1m", "5m", "30m"]), st.sampled_from(["", "1m", "7s"]), _AT
    )
    windows = st.one_of(_ranges, subqueries)
    return st.one_of(
        st.builds("{}({})".format, _SIMPLE, inner),
        st.builds("{}({})".format, _RANGED, windows),
        st.builds("({}) {}{} ({})".format, inner, _OPERATORS, _MATCHING, inner),
        st.builds("{} {} {}".format, inner, _OPERATORS, _NUMBERS),
        st.builds("{} {} {}".format, _NUMBERS, _OPERATORS, inner),
        st.builds("{}{} ({})".format, _FOLDS, _GROUPINGS, inner),
        st.builds(
            "{}{} ({}, {})".format, st.sampled_from(["topk", "bottomk", "quantile"]), _GROUPINGS, _NUMBERS, inner
        ),
        st.builds('count_values{} ("{}", {})'.format, _GROUPINGS, _LABELS, inner),
        st.builds("-({})".format, inner),
        st.builds("clamp({}, {}, {})".format, inner, _NUMBERS, _NUMBERS),
        st.builds("histogram_quantile({}, {})".format, _NUMBERS, inner),
        st.builds("histogram_fraction({}, {}, {})".format, _NUMBERS, _NUMBERS, inner),
        st.builds("quantile_over_time({}, {})".format, _NUMBERS, windows),
        st.builds("predict_linear({}, {})".format, windows, _NUMBERS),
        st.builds('label_replace({}, "{}", "$1", "{}", "(.*)")'.format, inner, _LABELS, _LABELS),
        st.builds('label_join({}, "{}", "-", "{}")'.format, inner, _LABELS, _LABELS),
    )


EXPRESSIONS = st.recursive(st.one_of(_selectors, _NUMBERS, _ranges), _larger, max_leaves=6)

"""What can be wrong with a query."""

from sidecar.model.errors import SidecarError


class QueryError(SidecarError):
    """A PromQL expression that cannot be read, or an evaluation that failed.

    Where Prometheus has a sentence for the same failure, the message begins with it, so that it can be looked up.
    """


class Unsupported(QueryError):  # noqa: N818 -- a word for what the expression is, beside QueryError
    """Valid PromQL that this engine refuses: experimental features and native histograms."""


class LimitExceeded(QueryError):  # noqa: N818 -- the name that the tree of errors gives it
    """An evaluation that would read or return more than its limits allow."""

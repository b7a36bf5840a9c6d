"""The current value of every live series and its recent samples, in memory."""

from sidecar.store.claims import Claim
from sidecar.store.limits import Limits, Reason
from sidecar.store.series import Series
from sidecar.store.store import Store

__all__ = ["Claim", "Limits", "Reason", "Series", "Store"]

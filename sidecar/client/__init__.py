"""Tells a sidecar what a gateway does: for programs in Python, with nothing but the standard library.

    from sidecar.client import Client

    sidecar = Client(labels={"service": "gateway"})
    sidecar.request(model="claude-sonnet-4-5", status=200, duration=2.4, usage=message.usage)
    sidecar.increment("cache_hits_total", cache="prompts")
    with sidecar.timer("tool_seconds", tool="search"):
        ...

No call waits for the network, and none raises: what cannot be sent is dropped and counted, see `Client.stats`.
"""

from sidecar.client._client import Client, Timer
from sidecar.client._stats import Stats

__all__ = ["Client", "Stats", "Timer"]

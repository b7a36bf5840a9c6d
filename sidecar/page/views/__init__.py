"""The pages, one module each.

A view is a function `async look(daemon, key) -> Callable[[], Page]`. It reads what it needs on the event loop, without
holding it for long; what it returns is called on a thread and makes the page of what was read. *key* is the last
segment of the page's address, if it has one. `MissingError` says that there is nothing of that name.
"""

from sidecar.model.errors import SidecarError


class MissingError(SidecarError):
    """There is no such page; the text says what there is."""

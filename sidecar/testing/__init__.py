"""Virtual time and a wire in memory, for tests and for `sidecar simulate`; needs the extra `simulate`."""

from sidecar.testing.loop import START, VirtualTimeError, VirtualTimeLoop
from sidecar.testing.wire import Wire

__all__ = ["START", "VirtualTimeError", "VirtualTimeLoop", "Wire"]

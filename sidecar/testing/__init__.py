"""Virtual time and a wire in memory, for tests and for `sidecar simulate`; needs the extra `simulate`."""

from sidecar.testing.loop import START, VirtualTimeError, VirtualTimeLoop

__all__ = ["START", "VirtualTimeError", "VirtualTimeLoop"]

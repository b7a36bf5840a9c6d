"""The composition root: the one package that knows every part."""

from sidecar.app.daemon import App
from sidecar.app.reloading import Origin
from sidecar.app.running import build, load, run

__all__ = ["App", "Origin", "build", "load", "run"]

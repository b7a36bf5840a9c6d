"""A Claude API that misbehaves on request."""

from sidecar.simulator.api import application
from sidecar.simulator.catalogue import CATALOGUE, Model
from sidecar.simulator.faults import Fault, FaultError, FaultKind, Timeline
from sidecar.simulator.limits import Limits
from sidecar.simulator.serving import serve
from sidecar.simulator.state import KEY, Exchange, Latency, Simulator

__all__ = [
    "CATALOGUE",
    "KEY",
    "Exchange",
    "Fault",
    "FaultError",
    "FaultKind",
    "Latency",
    "Limits",
    "Model",
    "Simulator",
    "Timeline",
    "application",
    "serve",
]

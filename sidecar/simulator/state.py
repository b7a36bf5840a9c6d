"""The simulator's state: its faults, its limits, its cache and what it was asked."""

import asyncio
import random
import string
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sidecar.simulator.catalogue import CATALOGUE, Model
from sidecar.simulator.faults import Fault, Timeline
from sidecar.simulator.limits import Bucket, Limits, Pool
from sidecar.simulator.tokens import PromptCache

KEY: Final = "sk-ant-simulator"
"""The key that is taken unless others are named."""

MAX_BODY: Final = 32 * 1024 * 1024
_BASE62: Final = string.digits + string.ascii_letters


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a healthy answer takes, in seconds; `jitter` is the share by which the first token varies."""

    overhead: float = 0.03
    first_token: float = 0.35
    tokens_per_second: float = 90.0
    jitter: float = 0.2
    ping_every: float = 15.0  # silence in a stream after which a ping is sent


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what it was answered with, as a test or a person asks for it afterwards."""

    at: float  # seconds since the start
    method: str
    path: str
    status: int  # 0 when the connection was dropped or never answered
    model: str | None
    version: str | None
    key_header: str | None  # which header carried the key
    attempt: int  # x-stainless-retry-count
    request_id: str
    faults: tuple[str, ...]


class Simulator:
    """One simulated API; `application` serves it.

    Time is the event loop's, so that it runs in virtual time; the wall clock is only shown in headers and messages.
    """

    def __init__(
        self,
        *,
        faults: Iterable[Fault] = (),
        models: Iterable[Model] = CATALOGUE,
        keys: Iterable[str] | None = (KEY,),
        limits: Limits | None = None,
        latency: Latency | None = None,
        seed: int = 0,
        max_body: int = MAX_BODY,
        control: bool = False,
        clock: Callable[[], float] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """*keys* None takes any key; *control* lets `PUT /simulator/faults` change the faults."""
        self.models = tuple(models)
        self.by_name = {name: model for model in self.models for name in (model.id, *model.aliases)}
        self.keys = None if keys is None else frozenset(keys)
        self.limits = limits or Limits()
        self.latency = latency or Latency()
        self.max_body = max_body
        self.control = control
        self.wall = wall
        self.random = random.Random(seed)  # noqa: S311 -- chance that can be repeated is what it is for
        self.cache = PromptCache()
        self.exchanges: deque[Exchange] = deque(maxlen=10_000)
        self.listeners: list[Callable[[Exchange], None]] = []  # told of every request when it has been answered
        self.organization_id = "5b1d3f0e-0000-4000-8000-51301a700001"
        self.workspace_id = "wrkspc_01Simulator"
        self._pools: dict[str, Pool] = {}
        self._counting = Bucket(self.limits.count_requests)
        self._clock = clock
        self._started: float | None = None
        self._timeline = Timeline(tuple(faults))
        self._since = 0.0

    def start(self) -> None:
        """Begin the time that faults are counted in; the application does it when it starts."""
        if self._started is None:
            self._clock = self._clock or asyncio.get_running_loop().time
            self._started = self._clock()

    def now(self) -> float:
        """Seconds since the start, 0.0 before it."""
        if self._clock is None or self._started is None:
            return 0.0
        return self._clock() - self._started

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong; assigning puts up a new timeline, whose times count from that moment."""
        return self._timeline.faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._timeline = Timeline(tuple(faults))
        self._since = self.now()

    def active(self) -> tuple[Fault, ...]:
        """The faults that are on now."""
        return self._timeline.at(self.now() - self._since)

    def striking(self, method: str, path: str, model: str | None) -> tuple[Fault, ...]:
        """The faults that strike one request, the dice having been thrown."""
        names = {model}
        if known := self.by_name.get(model or ""):
            names |= {known.id, *known.aliases}
        return tuple(
            fault
            for fault in self.active()
            if any(fault.strikes(method, path, name) for name in names)
            and (fault.probability >= 1 or self.random.random() < fault.probability)
        )

    def answered(self, exchange: Exchange) -> None:
        """Remember *exchange* and tell whoever listens."""
        self.exchanges.append(exchange)
        for listener in self.listeners:
            listener(exchange)

    def pool(self, model: Model) -> Pool:
        """The limits that *model* shares with its class."""
        return self._pools.setdefault(model.pool, Pool(self.limits))

    @property
    def counting(self) -> Bucket:
        """The limit of count_tokens."""
        return self._counting

    def accepts(self, key: str) -> bool:
        """Whether *key* is valid."""
        return bool(key) if self.keys is None else key in self.keys

    def new_id(self, prefix: str) -> str:
        """An id as the API makes them, the same in every run with the same seed."""
        return f"{prefix}_01{''.join(self.random.choices(_BASE62, k=22))}"

    def first_token(self) -> float:
        """Seconds that this answer's first token takes."""
        jitter = self.latency.jitter
        return self.latency.first_token * self.random.uniform(1 - jitter, 1 + jitter)

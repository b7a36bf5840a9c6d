"""What goes wrong, when, and for which model."""

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.dataclasses import dataclass

from sidecar.model import durations
from sidecar.model.errors import SidecarError


class FaultError(SidecarError, ValueError):
    """A fault that cannot be understood."""


class FaultKind(StrEnum):
    """Everything that can go wrong, by the name that the command line takes."""

    OVERLOADED = "overloaded"
    THROTTLED = "throttled"
    RAMP_LIMIT = "ramp_limit"
    SPEND_CAP = "spend_cap"
    SELF_LIMIT = "self_limit"
    CREDIT = "credit"
    BILLING = "billing"
    ON_HOLD = "on_hold"
    AUTH = "auth"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    GATEWAY_TIMEOUT = "gateway_timeout"
    SLOW = "slow"
    STALL = "stall"
    PING_ONLY = "ping_only"
    TRUNCATE = "truncate"
    STREAM_ERROR = "stream_error"
    RESET = "reset"
    HANG = "hang"
    NOT_JSON = "not_json"
    BUFFERED = "buffered"
    REFUSAL = "refusal"


MEANINGS: Final = {
    FaultKind.OVERLOADED: "529: no capacity for the model",
    FaultKind.THROTTLED: "429 with retry-after: a rate limit",
    FaultKind.RAMP_LIMIT: "429 with retry-after: usage grows too fast",
    FaultKind.SPEND_CAP: "429 without retry-after: the month's spend is used up",
    FaultKind.SELF_LIMIT: "400: a spend limit that the customer has set",
    FaultKind.CREDIT: "400: the prepaid credit is used up",
    FaultKind.BILLING: "402: payment details",
    FaultKind.ON_HOLD: "400: the organization is disabled",
    FaultKind.AUTH: "401: the key is not valid",
    FaultKind.PERMISSION: "403: the key may not do this",
    FaultKind.NOT_FOUND: "404: no such model",
    FaultKind.TOO_LARGE: "413: refused by what stands in front of the API",
    FaultKind.SERVER_ERROR: "500",
    FaultKind.BAD_GATEWAY: "502 with a page of HTML, from something in front",
    FaultKind.UNAVAILABLE: "503",
    FaultKind.GATEWAY_TIMEOUT: "504",
    FaultKind.SLOW: "everything takes `factor` times as long",
    FaultKind.STALL: "the stream stops sending, not a byte more",
    FaultKind.PING_ONLY: "the stream sends pings and nothing else",
    FaultKind.TRUNCATE: "the stream ends before message_stop",
    FaultKind.STREAM_ERROR: "an error event in a stream that began with 200",
    FaultKind.RESET: "the connection is dropped; with `after`, in mid-stream",
    FaultKind.HANG: "accepted and never answered",
    FaultKind.NOT_JSON: "200 with a page of HTML, as a captive portal sends it",
    FaultKind.BUFFERED: "the whole stream in one burst at its end",
    FaultKind.REFUSAL: "200 with the stop reason refusal",
}

_K = FaultKind
_EVERYWHERE = frozenset({_K.SLOW, _K.RESET, _K.HANG, _K.NOT_JSON, _K.BAD_GATEWAY})
_BEHIND_THE_KEY = frozenset({_K.AUTH, _K.PERMISSION, _K.ON_HOLD, _K.SERVER_ERROR, _K.UNAVAILABLE})
_POSTS = frozenset({_K.TOO_LARGE})
_PATTERN: Final = re.compile(
    r"(?P<kind>[a-z_]+)(?:@(?P<start>\w+)(?:-(?P<end>\w+))?)?(?::(?P<model>[^,]+))?(?P<rest>(?:,[^,]+)*)"
)


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Fault:
    """One fault: from *start* to *end* in seconds, for requests whose model matches the glob *model*, if one is given.

    Which requests a kind strikes follows from what it is: an overload strikes messages, a revoked key everything that
    needs a key, a dropped connection everything. The glob *path* says otherwise.
    """

    kind: FaultKind
    start: float = Field(default=0.0, ge=0)
    end: float = math.inf
    model: str | None = None
    probability: float = Field(default=1.0, ge=0, le=1)
    path: str | None = None
    after: int | None = Field(default=None, ge=0)  # deltas of a stream that still arrive before it breaks
    every: float = Field(default=5.0, gt=0)  # seconds between pings: ping_only
    factor: float = Field(default=10.0, gt=0)  # slow
    retry_after: int | None = Field(default=None, ge=0)  # seconds: throttled ramp_limit overloaded
    error_type: str = "overloaded_error"  # stream_error
    error_code: str | None = None  # spend_cap unavailable
    limit: str = "input-tokens"  # which rate limit is used up: throttled
    message: str | None = None  # instead of the usual words

    @field_validator("start", "end", "every", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return durations.parse(value) if isinstance(value, str) else value

    def strikes(self, method: str, path: str, model: str | None) -> bool:
        """Whether a request is one that this fault is for, leaving time and chance aside."""
        if self.model is not None and (model is None or not fnmatchcase(model, self.model)):
            return False
        if self.path is not None:
            return fnmatchcase(path, self.path)
        if self.kind in _EVERYWHERE:
            return True
        if self.kind in _BEHIND_THE_KEY:
            return path != "/api/hello"
        if self.kind is FaultKind.NOT_FOUND:
            return model is not None
        if self.kind in _POSTS:
            return method == "POST"
        return path == "/v1/messages"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The fault that *text* describes: `overloaded@10s-40s:claude-haiku-*,probability=0.5`."""
        found = _PATTERN.fullmatch(text.strip())
        if found is None:
            raise FaultError(f"got {text!r}, expected KIND[@START[-END]][:MODEL][,NAME=VALUE…]")
        kind, start, end, model, rest = found.group("kind", "start", "end", "model", "rest")
        fields: dict[str, Any] = {"kind": kind, "start": start, "end": end, "model": model}
        for pair in rest.split(",")[1:]:
            name, equals, value = pair.partition("=")
            if not equals:
                raise FaultError(f"got {pair!r} in {text!r}, expected NAME=VALUE such as 'probability=0.5'")
            fields[name.strip()] = value.strip()
        return cls.of({name: value for name, value in fields.items() if value is not None})

    @classmethod
    def of(cls, value: Any) -> Self:
        """The fault that *value* describes, a text as `parse` takes it or a mapping of the fields."""
        if isinstance(value, str):
            return cls.parse(value)
        try:
            fault: Self = TypeAdapter(cls).validate_python(value)
        except ValidationError as exc:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'fault'}: {_words(e['msg'])}" for e in exc.errors())
            shown = value if not isinstance(value, dict) else ",".join(f"{name}={each}" for name, each in value.items())
            raise FaultError(f"got the fault {shown!r}: {problems}") from exc
        return fault

    def __str__(self) -> str:
        """As `parse` reads it."""
        text = f"{self.kind}@{durations.show(self.start)}"
        text += "" if math.isinf(self.end) else f"-{durations.show(self.end)}"
        text += f":{self.model}" if self.model else ""
        for field in dataclasses.fields(self)[4:]:
            value = getattr(self, field.name)
            if value != _DEFAULTS[field.name]:
                text += f",{field.name}={durations.show(value) if field.name == 'every' else value}"
        return text


def _words(said: str) -> str:
    """The library's words as ours."""
    return said.removeprefix("Value error, ").replace("Input should be", "expected")


_DEFAULTS: Final[dict[str, Any]] = dataclasses.asdict(Fault(FaultKind.SLOW))


@dataclass(frozen=True, slots=True)
class Timeline:
    """Faults in the order in which they are looked at; the times are seconds since the timeline was put up."""

    faults: tuple[Fault, ...] = ()

    def at(self, seconds: float) -> tuple[Fault, ...]:
        """The faults that are on; a fault is on at its start and off at its end."""
        return tuple(fault for fault in self.faults if fault.start <= seconds < fault.end)

    def changes(self) -> Sequence[float]:
        """When something begins or ends, in order."""
        return sorted({t for fault in self.faults for t in (fault.start, fault.end) if not math.isinf(t)})

    @classmethod
    def of(cls, values: Iterable[Any]) -> Self:
        """The timeline of *values*, each as `Fault.of` takes it."""
        return cls(tuple(Fault.of(value) for value in values))

"""What the last probes of a check came to."""

import math
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from sidecar.model.checks import ProbeResult, Verdict

MOST: Final = 60
"""Outcomes that are kept of each check."""

_ROW: Final = struct.Struct("<dfB")  # time, seconds, verdict: a thousand checks must not cost megabytes
_VERDICTS: Final = tuple(Verdict)


class Outcome(NamedTuple):
    """One probe in short."""

    at: float  # its end, seconds since the epoch
    seconds: float  # how long it took
    verdict: Verdict


class Outcomes:
    """The last MOST outcomes, the oldest first."""

    __slots__ = ("_rows",)

    def __init__(self, rows: bytes = b"") -> None:
        """Outcomes as `to_bytes` gave them; raises ValueError for what it never gives."""
        if len(rows) % _ROW.size:
            raise ValueError(f"got {len(rows)} bytes, expected a multiple of {_ROW.size}")
        self._rows = bytearray(rows[-MOST * _ROW.size :])
        for at, seconds, verdict in _ROW.iter_unpack(self._rows):
            if not (math.isfinite(at) and 0.0 <= seconds < math.inf and verdict < len(_VERDICTS)):
                raise ValueError(f"got {seconds} s at {at} with the verdict {verdict}, expected a probe")

    def __iter__(self) -> Iterator[Outcome]:
        return (Outcome(at, seconds, _VERDICTS[verdict]) for at, seconds, verdict in _ROW.iter_unpack(self._rows))

    def __len__(self) -> int:
        return len(self._rows) // _ROW.size

    def to_bytes(self) -> bytes:
        """All of them, for a file."""
        return bytes(self._rows)

    def add(self, result: ProbeResult) -> None:
        """One more probe; the oldest goes."""
        self._rows += _ROW.pack(result.at, max(0.0, result.duration), _VERDICTS.index(result.verdict))
        del self._rows[: -MOST * _ROW.size]

    def shift(self, seconds: float) -> None:
        """The clock was set by so many seconds, and what was seen moves along."""
        rows = b"".join(_ROW.pack(at + seconds, took, verdict) for at, took, verdict in _ROW.iter_unpack(self._rows))
        self._rows = bytearray(rows)

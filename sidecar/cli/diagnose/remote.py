"""What is elsewhere: names, connections, TLS, keys, and what time it is there."""

import asyncio
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Any, Final

from aiohttp import hdrs

from sidecar.checks import Check
from sidecar.checks.claude._call import ClaudeCheck
from sidecar.cli.diagnose.findings import Finding, fail, note, ok
from sidecar.cli.diagnose.places import Place, Way
from sidecar.clock import Clock
from sidecar.outbound import Outbound, OutboundError
from sidecar.secrets import redact
from sidecar.services import probing

PATIENCE: Final = 10.0
"""Seconds for one examination."""
SKEW: Final = 5.0
"""Seconds by which our clock may be off; signatures, tokens and the times in messages bear no more."""
_SOON: Final = 14 * 86400.0
"""Seconds before a certificate's end from which on it is worth a note."""
_STEPS: Final = {
    "dns": "see whether the name is right, and what /etc/resolv.conf names; `nslookup` asks the same",
    "connect": "see whether it is up, and whether a network policy, a firewall or a missing proxy stands between",
    "tls": "see whose certificate it is; an inspecting proxy or an own authority must be trusted (SSL_CERT_FILE)",
    "timeout": "packets are dropped: look for a firewall or a network policy, or a proxy that must be used",
    "reset": "something between hangs up: look for a proxy, a mesh or a load balancer that wants something else",
    "auth": "put a valid key into the check's `api_key`",
    "permission": "give the key's workspace access, or use another key",
}


class Heard:
    """How far our clock is from those of others, as they say in HTTP's Date header."""

    def __init__(self) -> None:
        self.offsets: dict[str, float] = {}

    def note(self, who: str, date: str, now: float) -> None:
        """*who* said *date* at *now*."""
        with suppress(ValueError, TypeError):  # whatever that is, it is no time
            self.offsets[who] = now - (parsedate_to_datetime(date).timestamp() + 0.5)  # whole seconds, cut off

    def finding(self) -> Finding:
        """Whether our clock is right, as most of them see it."""
        if not self.offsets:
            return note("clock", "", "nobody said what time it is, so it was compared with nothing")
        off = median(self.offsets.values())
        if abs(off) > SKEW:
            text = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} what {_peers(self.offsets)}"
            return fail("clock", "", text, "let chrony or systemd-timesyncd set this machine's clock")
        return ok("clock", "", f"within {max(1.0, abs(off)):.0f} s of what {_peers(self.offsets)}")


def _peers(heard: Mapping[str, float]) -> str:
    return "1 peer says" if len(heard) == 1 else f"{len(heard)} peers say"


async def resolved(place: Place) -> Finding:
    """Whether the name has an address."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return fail("dns", place.host, f"no answer within {PATIENCE:g} s", _STEPS["dns"])
    except (OSError, UnicodeError) as exc:
        why = exc.strerror or str(exc) if isinstance(exc, OSError) else "this is no host name"
        return fail("dns", place.host, why.lower(), _STEPS["dns"])
    addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
    more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
    return ok("dns", place.host, ", ".join(addresses[:3]) + more)


async def reached(way: Way, outbound: Outbound, clock: Clock, heard: Heard) -> Finding:
    """Whether somebody answers there: over HTTP as the daemon asks, else a bare connection."""
    place = way.place
    part, used = "tls" if place.scheme == "https" else "connect", f"for {', '.join(way.names)}"
    phases: dict[str, float] = {}
    ends: list[float] = []
    try:
        async with asyncio.timeout(PATIENCE):
            if not place.scheme:
                door = way.door()
                _, writer = await asyncio.open_connection(door.host, door.port)
                writer.close()
                return ok(part, str(place), f"somebody listens ({used})")
            async with outbound.with_network(way.network).request(
                "HEAD", f"{place}/", phase=phases.__setitem__, certificate=ends.append
            ) as response:
                heard.note(str(place), response.headers.get(hdrs.DATE, ""), clock.time())
    except OutboundError as exc:
        step = _STEPS.get(exc.error_type, _STEPS["connect"])
        return fail(part, str(place), f"{redact(str(exc))} ({used})", step)
    except TimeoutError:
        return fail(part, str(place), f"no answer within {PATIENCE:g} s ({used})", _STEPS["timeout"])
    except OSError as exc:
        return fail(part, str(place), f"{(exc.strerror or str(exc)).lower()} ({used})", _STEPS["connect"])
    return _answered(part, place, used, phases, ends[0] - clock.time() if ends else None)


def _answered(part: str, place: Place, used: str, phases: Mapping[str, float], left: float | None) -> Finding:
    took = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in phases.items() if seconds >= 0.0005)
    if left is not None and left < _SOON:
        return note(part, str(place), f"the certificate ends in {left / 86400:.0f} days ({used})", "renew it")
    lasting = f", certificate for {left / 86400:.0f} days more" if left is not None else ""
    return ok(part, str(place), f"answers{lasting} ({took or 'at once'}; {used})")


def keys(checks: Iterable[Check]) -> list[tuple[ClaudeCheck, list[str]]]:
    """A free question for each key and base URL among *checks*, with the names of those that use it."""
    from sidecar.checks.claude.models import ClaudeModelsCheck

    found: list[tuple[ClaudeCheck, list[str]]] = []
    own = {"type", "name", "model", "every", "cron", "hours", "timeout", "negative", "depends_on", "critical", "labels"}
    for check in checks:
        if not isinstance(check, ClaudeCheck):
            continue
        shared = (
            type(check).model_fields.keys() & ClaudeModelsCheck.model_fields.keys() & check.model_fields_set
        ) - own
        values: dict[str, Any] = {name: getattr(check, name) for name in sorted(shared)}
        asked = ClaudeModelsCheck(name="key", timeout=PATIENCE, **values)
        names = next((names for known, names in found if known == asked), None)
        if names is None:
            found.append((asked, [check.name]))
        else:
            names.append(check.name)
    return found


async def key(check: ClaudeCheck, names: Sequence[str], outbound: Outbound, clock: Clock) -> Finding:
    """Whether the API takes the key: its list of models is free."""
    subject, used = check.base_url, f"for {', '.join(names)}"
    ctx = probing.Recording(clock, outbound)
    result = await probing.probe_once(check, ctx)
    if result.ok:
        return ok("key", subject, f"the list of models was given ({used})")
    said = f"{result.error_type}: {redact(result.message)} ({used})"
    if result.error_type == "not_found":
        return note("key", subject, f"it has no list of models, so the key was not tried ({used})")
    if result.error_type in ("throttled", "overloaded"):
        return note("key", subject, said, "try again later")
    step = str(result.notes.get("next_step") or _STEPS.get(result.error_type, "see what the message says"))
    return fail("key", subject, said, step)

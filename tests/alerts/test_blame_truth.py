"""Blame against every world in which the checks would find the same."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

from sidecar.alerts.blame import Witness, blame
from sidecar.model.checks import CheckState, CheckStatus, ProbeResult

NOON = 1767614400.0
ID = "req_011CSHoEeqs5C35K2UUqR7Fy"
MISSING = "nobody watches it"


class World(NamedTuple):
    """What is broken: an empty word is well."""

    network: str
    gateway: str
    api: str
    redis: str
    postgres: str
    keeps_ids: bool  # whether the gateway passes on the API's request id

    @property
    def troubles(self) -> list[str]:
        return [word for word in self[:5] if word]

    def is_likely(self) -> bool:
        """Two things may break at once, but not the gateway in the very words in which the API does."""
        return len(self.troubles) - (self.postgres == MISSING) <= 2 and (
            not self.api or self.gateway.partition(":")[0] != self.api
        )


NETWORK = {"connect": "network", "dns": "network", "tls": "trust"}  # we trust the wrong certificates, or it does
API = {
    "connect": "the way there",
    "overloaded": "provider",
    "server_error": "provider",
    "timeout": "provider",
    "auth": "our_key",
    "throttled": "our_account",
    "spend_cap": "our_account",
    "not_found": "our_request",
}
GATEWAY = {
    "connect": "gateway",
    "reset": "gateway",
    "timeout": "gateway",
    "truncated": "gateway",
    "not_json": "gateway",
    "server_error": "gateway",
    "tls": "gateway",
    "tls:ours": "trust",  # we trust the wrong certificates
    "overloaded:supplier": "supplier",  # it asks somebody else than the API
    "auth:its": "its_key",
    "throttled:its": "its_account",
}
SAID = API | {"timeout": "", "connect": ""}
ITS = {"not_json": "gateway", "truncated": "gateway", "timeout": "gateway", "server_error": "gateway", "tls": ""}


def worlds() -> Iterator[World]:
    every = product(
        ("", *NETWORK), ("", *GATEWAY), ("", *API), ("", "connect"), ("", "connect", MISSING), (True, False)
    )
    return (world for each in every if (world := World(*each)).is_likely())


def cause(world: World, check: str) -> str:
    """Whose fault it is in *world* that *check* fails."""
    if world.network:
        return NETWORK[world.network]
    if check == "gw" and world.gateway:
        return GATEWAY[world.gateway]
    return API.get(world.api, "")


def found(world: World) -> Mapping[str, tuple[str, str, str]]:
    """What each check finds: a word, what the answer says whose fault it is, and a request id."""
    if world.network:
        checks = ("direct", "gw", "redis") if world.postgres == MISSING else ("direct", "gw", "redis", "postgres")
        return dict.fromkeys(checks, (world.network, "", ""))
    word = world.gateway.partition(":")[0] or ("server_error" if world.api == "connect" else "")
    passed = (world.api, SAID.get(world.api, ""), ID if SAID.get(world.api) else "")
    seen = {
        "direct": passed,
        "gw": (word, ITS.get(word) or API.get(word, ""), "")
        if word
        else (*passed[:2], passed[2] if world.keeps_ids else ""),
        "redis": (world.redis, "", ""),
        "postgres": (world.postgres, "", ""),
    }
    return {name: what for name, what in seen.items() if what[0] != MISSING}


def witness(name: str, word: str, fault: str, request_id: str) -> Witness:
    last = ProbeResult(NOON + 5, 0.1, word, "no" if word else "", {"fault": fault, "request_id": request_id})
    state = CheckState(CheckStatus.UP, NOON - 60, 0, 9, last)
    if word:
        state = CheckState(CheckStatus.DOWN, NOON, 3, 0, last, last)
    claude = name in ("direct", "gw")
    host = "api.anthropic.com" if name == "direct" else name
    return Witness(name, "claude.messages" if claude else "tcp", state, host, "haiku", name == "direct")


def test_nobody_is_blamed_who_is_innocent_in_any_world():
    """Whoever is blamed is to blame in each world in which the checks find the same; and each culprit is found."""
    alike: defaultdict[tuple[tuple[str, tuple[str, str, str]], ...], list[World]] = defaultdict(list)
    for world in worlds():
        alike[tuple(found(world).items())].append(world)
    blamed = set()
    for seen, candidates in alike.items():
        witnesses = {name: witness(name, *what) for name, what in seen}
        for name in ("direct", "gw"):
            others = [other for other in witnesses.values() if other.name != name]
            verdict = blame(witnesses[name], others)
            if verdict is not None:
                assert {cause(world, name) for world in candidates} == {verdict.fault}, (name, seen, verdict)
                blamed.add((name, verdict.fault))

    assert blamed == {
        *product(("direct", "gw"), ("network", "provider", "our_key", "our_account", "our_request")),
        ("gw", "gateway"),
    }

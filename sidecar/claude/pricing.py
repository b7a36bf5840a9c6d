"""List prices of models, and what a message costs by them."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sidecar.claude.usage import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. Reading a cache is no fixed share of the input's price, so each is listed."""

    input: Decimal
    output: Decimal
    write_5m: Decimal
    write_1h: Decimal
    read: Decimal


@dataclass(frozen=True, slots=True)
class _Tariff:
    price: Price
    long: Price | None = None  # for a prompt longer than _LONG
    by_place: bool = True  # whether inference in the US alone costs more: Claude 4.6 and later


_LONG: Final = 100_000
_MILLION: Final = 1_000_000
_US_ALONE: Final = Decimal("1.1")
_FAST: Final = 2
_BATCH: Final = Decimal("0.5")
_WEB_SEARCH: Final = Decimal("0.01")


def _price(prices: str) -> Price:
    return Price(*map(Decimal, prices.split()))


# input, output, cache write for 5 minutes, for 1 hour, cache read. As listed in November 2026.
_SONNET_4: Final = _price("3 15 3.75 6 0.30")
_OPUS: Final = _price("5 25 6.25 10 0.50")
_FABLE_5: Final = _price("10 50 12.5 20 1.00")
_FABLE_5_1: Final = _price("10 50 12.5 20 0.25")
_FABLE_5_2: Final = _price("8 40 10 16 0.20")

_TARIFFS: Final = {
    "claude-haiku-5-5": _Tariff(_price("0.10 0.50 0.125 0.20 0.01"), long=_price("0.50 2.50 0.625 1.00 0.05")),
    "claude-haiku-4-5": _Tariff(_price("1 5 1.25 2 0.10"), by_place=False),
    "claude-sonnet-5-5": _Tariff(_price("2 10 2.50 4 0.10")),
    "claude-sonnet-5": _Tariff(_price("2 10 2.50 4 0.20")),
    "claude-sonnet-4-6": _Tariff(_SONNET_4),
    "claude-sonnet-4-5": _Tariff(_SONNET_4, by_place=False),
    "claude-opus-5-5": _Tariff(_price("4 20 5 8 0.20")),
    "claude-opus-5": _Tariff(_OPUS),
    "claude-opus-4-8": _Tariff(_OPUS),
    "claude-opus-4-7": _Tariff(_OPUS),
    "claude-opus-4-6": _Tariff(_OPUS),
    "claude-opus-4-5": _Tariff(_OPUS, by_place=False),
    "claude-fable-5-2": _Tariff(_FABLE_5_2),
    "claude-mythos-5-2": _Tariff(_FABLE_5_2),
    "claude-fable-5-1": _Tariff(_FABLE_5_1),
    "claude-mythos-5-1": _Tariff(_FABLE_5_1),
    "claude-fable-5": _Tariff(_FABLE_5),
    "claude-mythos-5": _Tariff(_FABLE_5),
    "claude-mythos-preview": _Tariff(_FABLE_5),
}

# What stands around the name elsewhere: us.anthropic.…-v1:0 on Bedrock, …@20251001 on Google, anthropic/… in gateways.
_NAME: Final = re.compile(
    r"(?:[^/]*/)*"  # gateways' providers, ARNs
    r"(?:[a-z-]{2,12}\.)?(?:anthropic\.)?"
    r"(claude-[a-z0-9-]+?)"
    r"(?:[-@]20\d{6}|@default|-latest)?"
    r"(?:-v\d+(?::\d+\w*)?)?(?:\[1m\])?"
)


def canonical(model: str) -> str:
    """The model's own name: without a date, and without what a cloud or a gateway puts around it."""
    found = _NAME.fullmatch(model) if len(model) <= 300 else None
    return found[1] if found else model


def price(model: str, *, prompt: int = 0) -> Price | None:
    """The list price of *model* for a prompt of so many tokens, cached ones included; None when it is not known."""
    tariff = _TARIFFS.get(canonical(model))
    if tariff is None:
        return None
    return tariff.long if tariff.long and prompt > _LONG else tariff.price


def cost(model: str, usage: Usage) -> Decimal | None:
    """What *usage* costs in US dollars by list price; None when the model's price is not known.

    What an account pays may be less (contracts) or, on a cloud, follow that cloud's own prices.
    """
    tariff = _TARIFFS.get(canonical(model))
    each = price(model, prompt=usage.total_input)
    if tariff is None or each is None:
        return None
    tokens = (
        usage.input * each.input
        + usage.output * each.output
        + usage.cache_write_5m * each.write_5m
        + usage.cache_write_1h * each.write_1h
        + usage.cache_read * each.read
    ) / _MILLION
    if usage.speed == "fast":
        tokens *= _FAST
    if usage.geo == "us" and tariff.by_place:
        tokens *= _US_ALONE
    if usage.tier == "batch":
        tokens *= _BATCH
    return tokens + usage.web_searches * _WEB_SEARCH

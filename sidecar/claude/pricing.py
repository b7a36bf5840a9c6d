"""What tokens cost at list price."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sidecar.claude.usage import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal


def _price(*dollars: str) -> Price:
    return Price(*map(Decimal, dollars))


# How much a read costs is no fixed share of the input, so every number is written down.
_OPUS: Final = _price("5", "25", "6.25", "10", "0.50")
_SONNET_4: Final = _price("3", "15", "3.75", "6", "0.30")
_FABLE_5: Final = _price("10", "50", "12.5", "20", "1.00")
_FABLE_5_1: Final = _price("10", "50", "12.5", "20", "0.25")
_FABLE_5_2: Final = _price("8", "40", "10", "16", "0.20")
_PRICES: Final = {
    "claude-haiku-5-5": _price("0.10", "0.50", "0.125", "0.20", "0.01"),
    "claude-haiku-4-5": _price("1", "5", "1.25", "2", "0.10"),
    "claude-sonnet-5-5": _price("2", "10", "2.50", "4", "0.10"),
    "claude-sonnet-5": _price("2", "10", "2.50", "4", "0.20"),
    "claude-sonnet-4-6": _SONNET_4,
    "claude-sonnet-4-5": _SONNET_4,
    "claude-opus-5-5": _price("4", "20", "5", "8", "0.20"),
    "claude-opus-5": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-opus-4-7": _OPUS,
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-5": _OPUS,
    "claude-fable-5-2": _FABLE_5_2,
    "claude-mythos-5-2": _FABLE_5_2,
    "claude-fable-5-1": _FABLE_5_1,
    "claude-mythos-5-1": _FABLE_5_1,
    "claude-fable-5": _FABLE_5,
    "claude-mythos-5": _FABLE_5,
    "claude-mythos-preview": _FABLE_5,
}
_BAND: Final = 100_000  # tokens of input above which these models cost more
_ABOVE_BAND: Final = {"claude-haiku-5-5": _price("0.50", "2.50", "0.625", "1.00", "0.05")}
_FAST: Final = frozenset({"claude-opus-5-5", "claude-opus-5", "claude-opus-4-8"})
_ONE_PRICE_EVERYWHERE: Final = frozenset({"claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5"})
_MILLION: Final = 1_000_000
_WEB_SEARCH: Final = Decimal("0.01")

_ID: Final = re.compile(r"claude-[a-z]+(?:-[0-9]{1,2})*(?:-preview)?(?![a-z0-9])")


def canonical(model: str) -> str:
    """The name under which *model* is priced: without date, cloud prefix or version of the cloud's own.

    `us.anthropic.claude-haiku-4-5-20251001-v1:0`, `claude-haiku-4-5@20251001` and `anthropic/claude-haiku-4-5` are
    `claude-haiku-4-5`; what holds no such name comes back as it is.
    """
    found = _ID.search(model.lower())
    return found.group() if found else model


def price(model: str, usage: Usage) -> Price | None:
    """The list price that holds for *usage*; None when the model is not known."""
    name = canonical(model)
    return _ABOVE_BAND.get(name, _PRICES.get(name)) if usage.total_input > _BAND else _PRICES.get(name)


def cost(model: str, usage: Usage) -> Decimal | None:
    """US dollars at list price; None, which is not zero, when that is not known."""
    rate, name = price(model, usage), canonical(model)
    if rate is None or (usage.fast and name not in _FAST):
        return None
    tokens = (
        usage.input_tokens * rate.input
        + usage.output_tokens * rate.output
        + usage.cache_read * rate.cache_read
        + usage.cache_write_5m * rate.cache_write_5m
        + usage.cache_write_1h * rate.cache_write_1h
    ) / _MILLION
    if usage.fast:
        tokens *= 2
    if usage.batch:
        tokens /= 2
    if usage.inference_geo == "us" and name not in _ONE_PRICE_EVERYWHERE:
        tokens *= Decimal("1.1")
    return tokens + usage.web_searches * _WEB_SEARCH

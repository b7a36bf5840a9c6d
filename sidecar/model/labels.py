"""Label sets."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3
_MASK: Final = 0xFFFFFFFFFFFFFFFF


class Labels(Mapping[str, str]):
    """An immutable, hashable set of labels in the order of their names; an empty value is an absent label."""

    __slots__ = ("_dict", "_fingerprint", "_hash")

    def __init__(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **more: str) -> None:
        merged = dict(labels, **more)
        self._dict: dict[str, str] = {name: merged[name] for name in sorted(merged) if merged[name]}
        self._hash: int | None = None
        self._fingerprint = ""

    def __getitem__(self, name: str) -> str:
        return self._dict[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __contains__(self, name: object) -> bool:
        return name in self._dict

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(self._dict.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Labels) and self._dict == other._dict)

    def __repr__(self) -> str:
        return f"Labels({self._dict!r})"

    def __str__(self) -> str:
        """`name{a="b"}` as Prometheus writes it."""
        name = self._dict.get("__name__", "")
        inner = ", ".join(f'{k}="{escape(v)}"' for k, v in self._dict.items() if k != "__name__")
        return f"{name}{{{inner}}}" if inner or not name else name

    @property
    def name(self) -> str:
        """The metric's name, or the empty string."""
        return self._dict.get("__name__", "")

    def text(self, name: str) -> str:
        """The label's value, empty when it is absent."""
        return self._dict.get(name, "")

    def with_(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **more: str) -> "Labels":
        """This set, with *labels* set; an empty value removes."""
        return Labels({**self._dict, **dict(labels), **more})

    def without(self, *names: str) -> "Labels":
        """This set, less *names*."""
        return Labels({k: v for k, v in self._dict.items() if k not in names})

    def only(self, *names: str) -> "Labels":
        """This set, reduced to *names*."""
        return Labels({k: v for k, v in self._dict.items() if k in names})

    def fingerprint(self) -> str:
        """Prometheus' fingerprint: FNV-1a 64 over names and values, as 16 hex digits."""
        if not self._fingerprint:  # a loop over bytes; an alert is asked in every turn
            digest = _FNV_OFFSET
            for name, value in self._dict.items():
                for text in (name, value):
                    for byte in text.encode(errors="surrogatepass") + b"\xff":
                        digest = ((digest ^ byte) * _FNV_PRIME) & _MASK
            self._fingerprint = f"{digest:016x}"
        return self._fingerprint


def escape(value: str) -> str:
    """*value* as it stands between double quotes in Prometheus' text format."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


EMPTY: Final = Labels()

"""Keys of NATS: Ed25519, written in base32 with a prefix and a checksum."""

import base64
import binascii
import re
from typing import Any, Final

# https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth; the layout of a seed is
# two bytes of prefix, 32 of the key, and two of the checksum.
_SEED: Final = 18 << 3
_USER: Final = 20 << 3
_PART: Final = r"-+BEGIN {}-+\s+(\S+)\s+-+END {}-+"


def identify(seed: str, nonce: str, jwt: str = "") -> dict[str, str]:
    """What a client says at the login to prove that it has *seed*; raises ValueError without a word of it."""
    key = _key(seed)
    signature = base64.urlsafe_b64encode(key.sign(nonce.encode())).decode().rstrip("=")
    return {"sig": signature, **({"jwt": jwt} if jwt else {"nkey": _public(key)})}


def parts(credentials: str) -> tuple[str, str]:
    """The JWT and the seed of a file of credentials; raises ValueError without a word of it."""
    found = [re.search(_PART.format(name, name), credentials) for name in ("NATS USER JWT", "USER NKEY SEED")]
    if found[0] is None or found[1] is None:
        raise ValueError("the credentials lack a JWT or a seed, expected a .creds file with both")
    return found[0][1], found[1][1]


def _key(seed: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except ValueError:
        raw = b""
    if len(raw) != 36 or raw[:2] != _prefix() or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
        raise ValueError("this is no seed of a user, expected 58 letters and digits that begin with SU")
    return Ed25519PrivateKey.from_private_bytes(raw[2:34])


def _prefix() -> bytes:
    return bytes([_SEED | _USER >> 5, (_USER & 31) << 3])


def _public(key: Any) -> str:
    raw = bytes([_USER]) + key.public_key().public_bytes_raw()
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")

"""What the checks that speak HTTP share: addresses, headers, and a door whose errors are failed probes."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from pydantic import AfterValidator, BeforeValidator
from yarl import URL

from sidecar.checks import CheckFailed, ProbeContext
from sidecar.model.families import PROBE_CERT_EXPIRY, PROBE_STATUS
from sidecar.outbound import OutboundError, Phase
from sidecar.secrets import MASK, Secret, SecretError, redact, refused, remember
from sidecar.templating import safe

_QUOTED: Final = 200  # characters of an answer that a message repeats
_PATIENCE: Final = 0.5  # seconds for the words of an answer that has failed already
_REFUSALS: Final = (401, 403, 407)  # statuses of credentials that are not accepted
_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD: Final = re.compile(
    r"(?:.*[_.\-]|.*(?=[A-Z]))?(?i:pass(?:word|wd|phrase)?|pwd|secret|token|(?:api|access|private|secret)[_\-]?key"
    r"|credentials?|authorization|assertion)"
)
_CREDENTIAL: Final = re.compile(r"auth|key|token|secret|cookie|password|signature", re.IGNORECASE)


class _Address(str):
    """A URL whose query, which may hold a credential, is not shown when the check is."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown, mark, _ = str(self).partition("?")
        return repr(f"{shown}?{MASK}" if mark else shown)


def http_url(text: str) -> str:
    """*text*, which is an address for HTTP; raises ValueError that does not repeat it."""
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and bool(url.host) and (url.port or 0) > 0
    except ValueError:
        usable = False
    # The text may hold a password, so no message repeats it.
    if not usable or any(c.isspace() or ord(c) < 0x20 for c in text):
        raise ValueError("this is no address for HTTP, expected one such as http://gateway:8080/health")
    if url.user or url.password:
        raise ValueError("the URL holds a user name or password, which would be shown; put them into `headers`")
    return _Address(text)


HttpUrl = Annotated[str, AfterValidator(http_url)]
"""An address that begins with http:// or https:// and holds no credentials."""


def _secret_headers(value: Any) -> Any:
    for name in value if isinstance(value, Mapping) else ():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            raise ValueError("got a header whose name is not one, expected letters, digits and dashes")
    return _secret_values(value, is_telling)


def _secret_values(value: Any, is_secret: Callable[[str], bool]) -> Any:
    if not isinstance(value, Mapping):
        return value
    # A header such as `X-Env: production` is hidden like the others, but its word stays readable elsewhere.
    return {
        name: Secret(text, known=False) if isinstance(text, str) and text and not is_secret(str(name)) else text
        for name, text in value.items()
    }


def is_telling(name: str) -> bool:
    """Whether what is called *name* is, by its name, a credential."""
    return _CREDENTIAL.search(name) is not None


def is_secret_field(name: str) -> bool:
    """Whether a field of a body is a credential, by its name; stricter, as bodies are about anything."""
    return _FIELD.fullmatch(name) is not None


Headers = Annotated[dict[str, Secret], BeforeValidator(_secret_headers)]
"""Headers by name; their values are shown nowhere."""


def _secret_fields(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    texts = {name: str(one) if type(one) in (int, float) else one for name, one in value.items()}  # as a form has it
    return _secret_values(texts, is_secret_field)


Form = Annotated[dict[str, Secret], BeforeValidator(_secret_fields)]
"""Fields of a form by name; their values are shown nowhere."""


def reveal(secret: Secret, error_type: str) -> str:
    """The value of *secret*; without it the probe has failed as *error_type*."""
    try:
        return secret.reveal()
    except SecretError as exc:
        raise CheckFailed(error_type, str(exc)) from exc


def quoted(text: str, limit: int = _QUOTED) -> str:
    """The beginning of what a peer said, as one line that shows no secret and commands nobody."""
    return safe.line(redact(text, cut=True), limit)


async def beginning(response: aiohttp.ClientResponse) -> str:
    """What an answer says at its beginning, quoted; empty when that does not come soon.

    For answers whose status has spoken: a body that dawdles or breaks off must not become the reason.
    """
    return quoted((await so_far(response, 4 * _QUOTED, _PATIENCE)).decode("utf-8", "replace"))


async def so_far(response: aiohttp.ClientResponse, limit: int, patience: float = _PATIENCE) -> bytes:
    """The beginning of a body, at most *limit* bytes, as far as it comes within *patience* seconds.

    For answers that have failed already: one that breaks off must not hide the status.
    """
    parts = b""
    with suppress(aiohttp.ClientError, OSError):  # TimeoutError is an OSError
        async with asyncio.timeout(patience):
            while len(parts) < limit and (part := await response.content.read(limit - len(parts))):
                parts += part
    return parts


class Trip:
    """What the requests of one probe measure together: phases in sum, the first certificate to end, the last status."""

    def __init__(self) -> None:
        self._phases: dict[str, float] = {}
        self._ends: list[float] = []
        self._status: int | None = None

    def answered(self, status: int) -> None:
        self._status = status

    def shown(self, end: float) -> None:
        """A certificate that ends then was shown."""
        self._ends.append(end)

    def took(self, phase: str, seconds: float) -> None:
        self._phases[phase] = self._phases.get(phase, 0.0) + seconds

    def tell(self, ctx: ProbeContext) -> None:
        """Record it all, once, at the end."""
        if self._status is not None:
            ctx.record(PROBE_STATUS, float(self._status))
            ctx.note(status=self._status)
        for name, seconds in self._phases.items():
            ctx.phase(name, seconds)
        if self._ends:
            ctx.record(PROBE_CERT_EXPIRY, min(self._ends))


@asynccontextmanager
async def answer(
    ctx: ProbeContext,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    redirects: int = 0,
    phase: Phase | None = None,
    trip: Trip | None = None,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to one request, with phases, status and certificate recorded; raises CheckFailed.

    Phases are summed over redirects, and the certificate is the first to expire of all that were shown. *phase* hears
    the phases in place of the probe; with a *trip*, all goes there, and whoever made it tells the probe.
    """
    phases: dict[str, float] = {}
    gathered = trip or Trip()
    for name, value in parse_qsl(urlsplit(url).query):
        if is_telling(name):
            remember(value)
    try:
        async with ctx.outbound.request(
            method,
            url,
            headers=headers,
            body=body,
            redirects=redirects,
            phase=phase or phases.__setitem__,
            certificate=gathered.shown,
        ) as response:
            gathered.answered(response.status)
            if response.status in _REFUSALS:
                refused()
            yield response
    except OutboundError as exc:
        raise CheckFailed(exc.error_type, redact(exc.message)) from exc
    finally:
        for name, seconds in phases.items():
            gathered.took(name, seconds)
        if trip is None:
            gathered.tell(ctx)

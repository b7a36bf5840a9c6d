"""Whether an HTTP endpoint answers as it should."""

from typing import Annotated, Any, Literal

import aiohttp
from pydantic import BeforeValidator, Field, StringConstraints

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._http import Headers, HttpUrl, answer, beginning, quoted, reveal
from sidecar.outbound import read_limited, safe_url
from sidecar.telemetry import tracing


def _several(value: Any) -> Any:
    """One status is a list of one, and a number is its text."""
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in several)


Status = Annotated[str, StringConstraints(pattern=r"^[1-5](xx|[0-9]{2})$")]


class HttpCheck(Check):
    """Asks a URL and judges the status and the body of its answer; each probe has a connection of its own."""

    type: Literal["http"] = "http"
    url: HttpUrl = Field(description="What to ask.", examples=["http://gateway:8080/health"])
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        "GET", description="The request's method."
    )
    headers: Headers = Field(default_factory=dict, description="The request's headers; their values are never shown.")
    body: str = Field("", description="The request's body.", repr=False)
    status: Annotated[tuple[Status, ...], BeforeValidator(_several)] = Field(
        ("2xx",), description="Statuses of a good answer: codes such as 204, or classes such as 2xx.", min_length=1
    )
    body_contains: str = Field("", description="A text that the body of a good answer holds.")
    redirects: int = Field(0, description="How many redirects are followed; one more is the answer.", ge=0, le=20)
    max_body: int = Field(1024 * 1024, description="The most bytes that a good answer's body has.", ge=0)

    @property
    def target(self) -> str:
        return safe_url(self.url)

    async def probe(self, ctx: ProbeContext) -> None:
        own = {name: reveal(value, "bad_request") for name, value in self.headers.items()}
        headers = tracing.traceparent() | own
        body = self.body.encode() if self.body else None
        async with answer(ctx, self.method, self.url, headers=headers, body=body, redirects=self.redirects) as response:
            if not self._is_good(response.status):
                raise CheckFailed("assertion", await self._what_was_found(response))
            with ctx.timed("transfer"):
                content = await read_limited(response, self.max_body)
        if self.body_contains and self.body_contains.encode() not in content:
            found = quoted(content.decode("utf-8", "replace")) or "an empty body"
            raise CheckFailed("assertion", f"the body lacks {self.body_contains!r}; got: {found}")

    def _is_good(self, status: int) -> bool:
        return str(status) in self.status or f"{status // 100}xx" in self.status

    async def _what_was_found(self, response: aiohttp.ClientResponse) -> str:
        found = f"got {response.status}, expected {' or '.join(self.status)}"
        if location := response.headers.get("Location"):
            return f"{found}; it redirects to {quoted(safe_url(location))}"
        said = await beginning(response)
        return f"{found}: {said}" if said else found

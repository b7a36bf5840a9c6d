"""What a check sends over HTTP: as it is written, with what earlier answers gave in it."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from sidecar.checks import CheckFailed
from sidecar.checks._http import Form, Headers, http_url, is_secret_field, reveal
from sidecar.checks._templates import filled, filled_json, names
from sidecar.secrets import Secret, remember


def _url(text: str) -> str:
    """*text*, where what an earlier step saved may stand, but not in the place of the server."""
    if not text:
        return text  # as if it were not there
    checked = http_url(filled(text, dict.fromkeys(names(text), "x")))
    # The rest of a URL cannot name another server, as its values are percent-encoded.
    start = text.partition("://")[2]
    server = start[: min((start.find(mark) for mark in "/?#" if mark in start), default=len(start))]
    if any(names(text.partition("://")[0] + server)):
        raise ValueError("the server's part of the URL is saved by a step, expected it to be written out")
    return type(checked)(text)


def _known(value: Any) -> Any:
    """*value*, a body in JSON; what its names call credentials will be shown nowhere."""
    match value:
        case dict():
            for name, one in value.items():
                if isinstance(one, str) and is_secret_field(str(name)) and not any(names(one)):
                    remember(one)
                _known(one)
        case list():
            for one in value:
                _known(one)
    return value


def _known_text(body: str) -> None:
    """As `_known`, of a body that is written as text: JSON or a form."""
    try:
        _known(json.loads(body))
    except (ValueError, RecursionError):
        _known(dict(parse_qsl(body)))


StepUrl = Annotated[str, AfterValidator(_url)]
"""An address for HTTP whose path and query may hold `{{ name }}`."""


class Basic(BaseModel):
    """A user and a password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: Secret = Field(description="The user.", examples=["probe"])
    password: Secret = Field(description="The user's password.", examples=[{"file": "/run/secrets/probe"}])

    @model_validator(mode="before")
    @classmethod
    def _user_is_a_word(cls, value: Any) -> Any:
        # A user's name is not shown, but it is an ordinary word elsewhere.
        if isinstance(value, Mapping) and isinstance(user := value.get("username"), str) and user:
            return {**value, "username": Secret(user, known=False)}
        return value


class Auth(BaseModel):
    """As whom to ask."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    basic: Basic | None = Field(
        None,
        description="User and password.",
        examples=[{"username": "probe", "password": {"file": "/run/secrets/probe"}}],
    )
    bearer: Secret | None = Field(None, description="A token.", examples=[{"file": "/run/secrets/gateway"}])

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.basic is None) == (self.bearer is None):
            raise ValueError("expected either `basic` or `bearer`")
        return self

    def secrets(self) -> tuple[Secret, ...]:
        return (self.bearer,) if self.bearer else (self.basic.username, self.basic.password) if self.basic else ()

    def header(self, revealed: Callable[[Secret], str]) -> str:
        """The value of Authorization (RFC 7617, RFC 6750)."""
        if self.bearer is not None:
            return f"Bearer {revealed(self.bearer)}"
        assert self.basic is not None
        pair = f"{revealed(self.basic.username)}:{revealed(self.basic.password)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, ready to go."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Request(BaseModel):
    """What is asked."""

    model_config = ConfigDict(serialize_by_alias=True)

    url: StepUrl = Field(
        "",
        description="What to ask; `{{ name }}` in path or query is what an earlier step saved.",
        examples=["http://gateway:8080/health"],
    )
    method: Method | None = Field(
        None, description="The request's method; without it GET, and POST with a body.", examples=["HEAD"]
    )
    headers: Headers = Field(
        default_factory=dict,
        description="The request's headers; their values are never shown.",
        examples=[{"X-Team": "probe"}],
    )
    auth: Auth | None = Field(
        None,
        description="As whom to ask: `{basic: {username: …, password: …}}` or `{bearer: …}`; secrets, all.",
        examples=[{"bearer": {"file": "/run/secrets/gateway"}}],
    )
    body: str = Field("", description="The request's body, as text.", repr=False, examples=["ping"])
    json_body: Annotated[JsonValue, BeforeValidator(_known)] = Field(
        None,
        alias="json",
        description="The request's body, sent as JSON; null is none.",
        repr=False,
        examples=[{"model": "claude-haiku-5-5"}],
    )
    form: Form = Field(
        default_factory=dict,
        description="The request's body, sent as the fields of a form.",
        examples=[{"grant_type": "client_credentials"}],
    )
    redirects: int = Field(0, description="How many redirects are followed; one more is the answer.", ge=0, le=20)

    @model_validator(mode="after")
    def _is_one_request(self) -> Self:
        bodies = [
            name
            for name, given in (("body", self.body), ("json", self.json_body is not None), ("form", self.form))
            if given
        ]
        if len(bodies) > 1:
            raise ValueError(f"has {' and '.join(f'`{name}`' for name in bodies)}; expected one body")
        if self.auth is not None and "authorization" in map(str.lower, self.headers):
            raise ValueError("has both `auth` and a header Authorization; expected one of them")
        return self

    def uses(self) -> Iterator[tuple[str, str]]:
        """What of earlier answers is in the request: the setting, and the name that it uses."""
        for setting, value in (("url", self.url), ("body", self.body), ("json", self.json_body)):
            yield from ((setting, name) for name in names(value))
        secrets = [(f"headers.{name}", value) for name, value in self.headers.items()]
        secrets += [(f"form.{name}", value) for name, value in self.form.items()]
        secrets += [("auth", value) for value in (self.auth.secrets() if self.auth else ())]
        for setting, secret in secrets:
            # A secret's file may change at any time: it is sent as it is.
            yield from ((setting, name) for name in names(secret.reveal() if secret.at_hand else ""))

    def ready(self, saved: Mapping[str, str], keep: Callable[[str], None]) -> Sent:
        """The request with what was *saved* in it; *keep* hears credentials in the form in which they travel.

        Raises CheckFailed when a secret cannot be had or a value does not fit its place.
        """

        def revealed(secret: Secret) -> str:
            text = reveal(secret, "bad_request")
            return filled(text, saved) if secret.at_hand else text

        headers: dict[str, str] = {}
        if self.auth is not None:
            headers["Authorization"] = self.auth.header(revealed)
            keep(headers["Authorization"])
        body: bytes | None = None
        # Known for an hour from each probe: what is only read from a file once would be forgotten.
        if self.json_body is not None:
            _known(self.json_body)
            body = json.dumps(filled_json(self.json_body, saved), ensure_ascii=False).encode("utf-8", "replace")
            headers["Content-Type"] = "application/json"
        elif self.form:
            body = urlencode({name: revealed(value) for name, value in self.form.items()}).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif self.body:
            _known_text(self.body)
            body = filled(self.body, saved).encode("utf-8", "replace")
        own = {name: revealed(value) for name, value in self.headers.items()}
        lower = set(map(str.lower, own))
        headers = {name: value for name, value in headers.items() if name.lower() not in lower} | own
        return Sent(self.method or ("GET" if body is None else "POST"), self._url(saved), headers, body)

    def _url(self, saved: Mapping[str, str]) -> str:
        url = filled(self.url, saved, lambda value: quote(value, safe=""))
        if url != self.url and {".", ".."} & set(urlsplit(url).path.split("/")):
            # Dots are never encoded, and whoever sends them walks up the path.
            raise CheckFailed("assertion", "a saved value makes a segment . or .. of the URL's path; expected a name")
        return url

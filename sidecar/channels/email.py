"""Messages as mail."""

import asyncio
import hashlib
import os
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, getaddresses, parseaddr
from typing import Annotated, Any, Final, Literal

import aiosmtplib
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from sidecar.channels import Channel, DeliveryError, Draft, SendContext, reveal, words
from sidecar.model.durations import Duration
from sidecar.model.notifications import Notification
from sidecar.network import Network, NetworkError
from sidecar.secrets import Secret, redact, refused
from sidecar.templating import safe
from sidecar.templating.messages import Message
from sidecar.templating.page import page
from sidecar.templating.plain import plain

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.\-\[\]:]+")
_NOT_LET_IN: Final = (530, 534, 535, 538)  # the codes of RFC 4954 for a login that is missing or wrong
_PATIENCE: Final = 900.0
"""How long recipients that were put off are tried again, once others have the mail; greylisting takes minutes."""
_REMEMBERED: Final = 1000
_LONGEST_ID_DOMAIN: Final = 38


def _is_address(text: str) -> str:
    found = getaddresses([text])
    if not text.isprintable() or len(found) != 1 or not _ADDRESS.fullmatch(found[0][1]):
        raise ValueError(f"got {text!r}, expected a mail address such as 'oncall@example.com' or 'Team <a@b.example>'")
    return text


Address = Annotated[str, AfterValidator(_is_address)]


@dataclass(slots=True)
class _Progress:
    """Who has one message already, when it went out in parts; lost by a restart, and then all get it once more."""

    accepted: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)  # for good: address to what the server said
    since: float | None = None  # when the first recipient got it


@dataclass(slots=True)
class _Session:
    """What one talk with the server came to."""

    accepted: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    put_off: dict[str, str] = field(default_factory=dict)
    sent: bool = False  # the mail's text was on its way


# By channel and message id: outlives a reload, which makes channels anew.
_progress: "OrderedDict[tuple[str, str], _Progress]" = OrderedDict()


class EmailChannel(Channel):
    """Sends each message as a mail of text and HTML; the mails of one incident make one thread.

    It is delivered when any recipient was accepted. Recipients that the server puts off (4xx) are tried again alone for
    a quarter of an hour; those that it refuses (5xx) stand in the history.
    """

    model_config = ConfigDict(serialize_by_alias=True)  # `from` is Python's own word

    type: Literal["email"] = "email"
    host: str = Field(description="The mail server.", min_length=1, examples=["smtp.example.com"])
    port: int | None = Field(
        None, description="Its port; 587 for starttls, 465 for tls, 25 for none.", ge=1, le=65535, examples=[587]
    )
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is encrypted.")
    username: str = Field("", description="Name to log in with; no login when empty.", examples=["sidecar"])
    password: Secret | None = Field(
        None,
        description="Password to log in with; text, {env: NAME} or {file: /path}.",
        examples=[{"file": "/run/secrets/smtp"}],
    )
    from_: Address = Field(
        alias="from", description="The sender's address.", examples=["Sidecar <sidecar@example.com>"]
    )
    to: tuple[Address, ...] = Field(
        description="The recipients' addresses.", min_length=1, max_length=100, examples=[["oncall@example.com"]]
    )
    hello: str = Field(
        "",
        description="How we introduce ourselves; the host's name when empty.",
        pattern=r"^[\w.\-\[\]:]*$",
        examples=["sidecar.example.com"],
    )
    ca_file: str = Field(
        "",
        description="Certificates to trust instead of the system's, in PEM form.",
        examples=["/etc/ssl/company-ca.pem"],
    )
    timeout: Duration = Field(30.0, description="An attempt that takes longer has failed.", gt=0)

    @model_validator(mode="after")
    def _login_is_whole_and_private(self) -> "EmailChannel":
        if bool(self.username) != (self.password is not None):
            raise ValueError("got only one of username and password, expected both or none")
        if self.password is not None and self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("got a password that would cross the network in clear, expected security starttls or tls")
        return self

    async def send(self, notification: Notification, ctx: SendContext) -> str:
        now = ctx.clock.time()
        progress = _progress_of(self.name, notification.id)
        waiting = [a for a in self.to if a not in progress.accepted and a not in progress.refused]
        content = mail(self, words(notification, ctx), notification, now)
        session = _Session()
        try:
            await self._talk(session, waiting, content, ctx.outbound.network)
        except DeliveryError as exc:
            if not progress.accepted:
                raise
            session = _Session(put_off=dict.fromkeys(waiting, str(exc)))
        return self._conclude(session, progress, notification.id, now)

    def draft(self, notification: Notification, ctx: SendContext) -> Draft:
        message = words(notification, ctx)
        heads = {"from": self.from_, "to": list(self.to), "subject": message.headline}
        text = plain(message)
        first = f"From: {self.from_}\nTo: {', '.join(self.to)}\nSubject: {message.headline}\n\n"
        return Draft(first + text, {**heads, "text": text, "html": page(message)})

    async def _talk(self, session: _Session, recipients: Iterable[str], content: bytes, network: Network) -> None:
        client: aiosmtplib.SMTP | None = None
        polite = False  # only who can still be talked to is said goodbye; a cancelled attempt must not wait
        try:
            client = await self._client(network)
            await client.connect()
            await client.mail(_bare(self.from_))
            for address in recipients:
                await _offer(client, session, address)
            if session.accepted:
                session.sent = True
                await client.data(content)
            polite = True
        except aiosmtplib.SMTPResponseException as exc:
            if exc.code in _NOT_LET_IN:
                refused()
            polite = answered = 400 <= exc.code < 600  # then the mail has not arrived; anything else is no answer to it
            raise DeliveryError(
                f"{self.host} answered {_said(exc)}",
                retryable=not answered or exc.code < 500,
                maybe=session.sent and not answered,
            ) from exc
        except (aiosmtplib.SMTPException, OSError, ValueError) as exc:
            problem = safe.line(redact(_problem(exc)), 200)
            raise DeliveryError(f"{self.host}: {problem}", retryable=True, maybe=session.sent) from exc
        finally:
            if client is not None and polite:
                await _leave(client)
            elif client is not None:
                client.close()

    async def _client(self, network: Network) -> aiosmtplib.SMTP:
        host, port = await _place(network, self.host, self.port or _PORTS[self.security])
        return aiosmtplib.SMTP(
            hostname=host,
            port=port,
            username=self.username or None,
            password=reveal(self.password) if self.password is not None else None,
            local_hostname=self.hello or _own_name(),
            timeout=self.timeout,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=self._context(network),
        )

    def _context(self, network: Network) -> ssl.SSLContext | None:
        """Whom TLS trusts, and whose name the server's certificate has to have, wherever we connect."""
        if self.security == "none":
            return None
        if self.ca_file:
            network = network.model_copy(update={"ca_file": self.ca_file})
        try:
            context = network.ssl_context()
        except NetworkError as exc:
            raise DeliveryError(str(exc), retryable=True) from exc
        name = network.server_name or self.host

        class Named(ssl.SSLContext):
            def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
                return context.wrap_bio(*args, **(kwargs | {"server_hostname": name}))

        return Named(ssl.PROTOCOL_TLS_CLIENT)

    def _conclude(self, session: _Session, progress: _Progress, id_: str, now: float) -> str:
        """The line for the history, or the error that makes delivery try again for those who were put off."""
        progress.refused |= session.refused
        progress.accepted |= set(session.accepted)
        if not progress.accepted:
            problems = _problems(session.put_off | progress.refused)
            raise DeliveryError(f"{self.host} took no recipient: {problems}", retryable=bool(session.put_off))
        progress.since = now if progress.since is None else progress.since
        reached = f"accepted for {len(progress.accepted)} of {len(self.to)}"
        if session.put_off and now - progress.since < _PATIENCE:
            problem = f"{reached}; to be tried again: {_problems(session.put_off)}"
            raise DeliveryError(problem, retryable=True, maybe=True, partly=True)
        _progress.pop((self.name, id_), None)
        problems = _problems(progress.refused | session.put_off)
        return f"{reached}; refused: {problems}" if problems else reached


def mail(channel: EmailChannel, message: Message, notification: Notification, now: float) -> bytes:
    """*message* as a mail of plain text and HTML."""
    result = EmailMessage(policy=SMTP_POLICY)
    domain = _id_domain(channel.from_)
    thread = f"<{hashlib.sha256(notification.group_key.encode(errors='replace')).hexdigest()[:32]}@{domain}>"
    result["From"] = channel.from_
    result["To"] = ", ".join(channel.to)
    result["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    result["Message-ID"] = f"<{message.id}@{domain}>"
    result["In-Reply-To"] = thread
    result["References"] = thread
    result["Auto-Submitted"] = "auto-generated"
    result["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
    result.set_content(plain(message), cte="quoted-printable")
    result.add_alternative(page(message), subtype="html", cte="quoted-printable")
    # EmailMessage doubles spaces where it folds text that is partly ASCII; the older Header does not.
    subject = Header(message.headline, maxlinelen=76, header_name="Subject").encode(linesep="\r\n")
    return f"Subject: {subject}\r\n".encode("ascii") + result.as_bytes()


async def _place(network: Network, host: str, port: int) -> tuple[str, int]:
    """Where to connect for *host*: an address when the version of IP matters, else what will be resolved."""
    host, port = network.address(host, port)
    if network.family:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=network.family, type=socket.SOCK_STREAM)
        host = str(found[0][4][0])
    return host, port


async def _offer(client: aiosmtplib.SMTP, session: _Session, address: str) -> None:
    try:
        await client.rcpt(_bare(address))
    except aiosmtplib.SMTPRecipientRefused as exc:
        (session.refused if 500 <= exc.code < 600 else session.put_off)[address] = _said(exc)
    else:
        session.accepted.append(address)


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye, if it is quick; the mail is taken or not, and no goodbye changes that."""
    try:
        with suppress(aiosmtplib.SMTPException, OSError, ValueError):
            async with asyncio.timeout(1):
                await client.quit()
    finally:
        client.close()


def _progress_of(channel: str, id_: str) -> _Progress:
    progress = _progress.setdefault((channel, id_), _Progress())
    _progress.move_to_end((channel, id_))
    while len(_progress) > _REMEMBERED:
        _progress.popitem(last=False)
    return progress


def _problems(by_address: dict[str, str]) -> str:
    return "; ".join(f"{address} ({said})" for address, said in by_address.items())


def _problem(exc: Exception) -> str:
    """Why nobody was reached, as the operating system has it: the library's words repeat the address."""
    match exc.__cause__:
        case socket.gaierror():
            return "the name does not resolve"
        case ssl.SSLError():
            return str(exc)
        case OSError(errno=int(code)) if code > 0:
            return f"no connection: {os.strerror(code).lower()}"
    return str(exc) or type(exc).__name__


def _said(exc: aiosmtplib.SMTPResponseException) -> str:
    return f"{exc.code} {safe.line(redact(str(exc.message)), 200)}".rstrip()


def _bare(address: str) -> str:
    return parseaddr(address)[1]


def _id_domain(address: str) -> str:
    """The right side of our ids: so much of the sender's domain that an id fits on one line.

    An id that does not is folded by the email package as if it were words, and no reader finds the thread any more.
    """
    labels = _bare(address).rpartition("@")[2].split(".")
    while len(".".join(labels)) > _LONGEST_ID_DOMAIN and len(labels) > 1:
        labels = labels[1:]
    return ".".join(labels)[-_LONGEST_ID_DOMAIN:].lstrip("-[:") or "localhost"


def _own_name() -> str:
    """The host's name; servers refuse one without a dot, and the full name would take a look-up that blocks."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"

"""Whether a name server answers, and says what it should."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.reversename
from pydantic import BeforeValidator, Field, model_validator

from sidecar.checks import Check, CheckFailed, ProbeContext
from sidecar.checks._addresses import Address
from sidecar.checks._http import quoted
from sidecar.checks._net import dial, quiet, reason, resolve, translated
from sidecar.checks._patterns import Pattern, compiled
from sidecar.model.families import PROBE_VALUE

_WORDS: Final = {"SERVFAIL": "server_error", "REFUSED": "permission"}
_ERRORS: Final = (dns.exception.DNSException, ValueError, LookupError)


def _several(value: Any) -> Any:
    """One text is a list of one."""
    return (value,) if isinstance(value, str) else value


class DnsCheck(Check):
    """Asks a name server one question and judges its answer."""

    type: Literal["dns"] = "dns"
    query_name: str = Field(
        description="The name to ask for; of a PTR also an IP address.", examples=["api.anthropic.com"]
    )
    query_type: Literal[
        "A",
        "AAAA",
        "CAA",
        "CNAME",
        "DNSKEY",
        "DS",
        "HTTPS",
        "MX",
        "NAPTR",
        "NS",
        "PTR",
        "SOA",
        "SRV",
        "SVCB",
        "TLSA",
        "TXT",
    ] = Field("A", description="The type of record to ask for.")
    server: str = Field(
        "",
        description="Whom to ask, with or without a port; the servers of /etc/resolv.conf without it.",
        examples=["10.0.0.10:53"],
    )
    protocol: Literal["udp", "tcp", "tls"] = Field(
        "udp", description="How to ask; over UDP an answer that does not fit is asked for again over TCP."
    )
    rcode: Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"] = Field(
        "NOERROR", description="The response code of a good answer."
    )
    min_answers: int = Field(
        1, description="How many records a good answer has at least, if its code is NOERROR.", ge=0
    )
    contains: Annotated[tuple[str, ...], BeforeValidator(_several)] = Field(
        (),
        description="Records that have to be among the answers, such as 192.0.2.1 or `10 mail.example`.",
        examples=[["192.0.2.1"]],
    )
    matches: Pattern | None = Field(
        None, description="A pattern of RE2 that every record has to match.", examples=["^10[.]"]
    )
    authenticated: bool = Field(False, description="Whether the server has to have verified the answer by DNSSEC.")

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        try:
            self._name()
        except (dns.exception.DNSException, ValueError) as exc:
            raise ValueError(f"{self.query_name!r} is no name to ask for: {exc}") from None
        if self.server:
            Address.parse(self.server, 53)
        return self

    @property
    def target(self) -> str:
        return f"dns://{self._at or 'resolv.conf'}/{self.query_name}"

    @property
    def _at(self) -> Address | None:
        return Address.parse(self.server, 853 if self.protocol == "tls" else 53) if self.server else None

    def _name(self) -> dns.name.Name:
        if self.query_type == "PTR" and not self.query_name.rstrip(".").endswith(".arpa"):
            return dns.reversename.from_address(self.query_name)
        return dns.name.from_text(self.query_name)

    async def probe(self, ctx: ProbeContext) -> None:
        query = dns.message.make_query(self._name(), self.query_type, want_dnssec=self.authenticated)
        if self.authenticated:
            query.flags |= dns.flags.AD
        servers = [self._at] if self._at else _of_the_system(853 if self.protocol == "tls" else 53)
        answer, at = await self._first_answer(ctx, query, servers)
        self._judge(ctx, answer, at)

    async def _first_answer(
        self, ctx: ProbeContext, query: dns.message.QueryMessage, servers: list[Address]
    ) -> tuple[dns.message.Message, Address]:
        """The answer of the first server that gives one; each has its share of the time."""
        for left, at in zip(range(len(servers), 0, -1), servers, strict=True):
            last = left == 1
            try:
                async with asyncio.timeout(None if last else self.timeout / len(servers)):
                    return await self._ask(ctx if last else quiet(ctx), query, at), at
            except (CheckFailed, TimeoutError):
                if last:
                    raise
        raise CheckFailed("bad_request", "found no name server in /etc/resolv.conf, expected one, or `server`")

    async def _ask(self, ctx: ProbeContext, query: dns.message.QueryMessage, at: Address) -> dns.message.Message:
        try:
            if self.protocol == "udp":
                _, (where, port, *_) = (await resolve(ctx, at))[0]
                try:
                    with ctx.timed("first_byte"):
                        return await _ask_by_datagram(query, where, port)
                except dns.message.Truncated:
                    ctx.note(truncated="the answer came over TCP")
                    ctx = quiet(ctx)
            return await self._ask_by_stream(ctx, query, at)
        except ConnectionRefusedError as exc:
            raise CheckFailed("connect", f"nobody listens at {at}: {reason(exc)}") from exc
        except TimeoutError:
            raise
        except OSError as exc:
            raise CheckFailed("connect", f"{at} cannot be asked: {reason(exc)}") from exc
        except _ERRORS as exc:
            raise CheckFailed("reset", f"{at} answered with what is no DNS, or to another question") from exc

    async def _ask_by_stream(
        self, ctx: ProbeContext, query: dns.message.QueryMessage, at: Address
    ) -> dns.message.Message:
        wire = query.to_wire()
        async with dial(ctx, at, tls=self.protocol == "tls") as stream:
            with translated(str(at), "DNS"), ctx.timed("first_byte"):
                stream.writer.write(len(wire).to_bytes(2, "big") + wire)
                size = int.from_bytes(await stream.reader.readexactly(2), "big")
                answer = dns.message.from_wire(await stream.reader.readexactly(size))
        if not query.is_response(answer):
            raise dns.exception.FormError
        return answer

    def _judge(self, ctx: ProbeContext, answer: dns.message.Message, at: Address) -> None:
        code = dns.rcode.to_text(answer.rcode())
        records, ttl = _records(answer, self.query_type)
        ctx.note(rcode=code, server=str(at), answers=quoted(", ".join(records)))
        ctx.record(PROBE_VALUE, float(len(records)), name="answers")
        if ttl is not None:
            ctx.record(PROBE_VALUE, float(ttl), name="ttl")
        asked = f"{self.query_name} {self.query_type}"
        if code != self.rcode:
            raise CheckFailed(_WORDS.get(code, "assertion"), f"{at} answered {code} to {asked}, expected {self.rcode}")
        if self.authenticated and not answer.flags & dns.flags.AD:
            raise CheckFailed("assertion", f"{at} did not verify its answer to {asked} by DNSSEC")
        if code == "NOERROR" and len(records) < self.min_answers:
            raise CheckFailed(
                "assertion", f"{at} has {len(records)} records for {asked}, expected {self.min_answers} or more"
            )
        found = quoted(", ".join(records)) or "none"
        known = {_plain(record) for record in records}
        if missing := [one for one in self.contains if _plain(one) not in known]:
            raise CheckFailed("assertion", f"the answer to {asked} lacks {', '.join(missing)}; got: {found}")
        if self.matches and (odd := [one for one in records if not compiled(self.matches).search(one)]):
            raise CheckFailed("assertion", f"{quoted(odd[0])!r} does not match {self.matches!r}; got: {found}")


class _Datagrams(asyncio.DatagramProtocol):
    """What comes back from one server: its datagrams, or the word that nobody listens there."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes | Exception] = asyncio.Queue(maxsize=100)

    def datagram_received(self, data: bytes, _: Any) -> None:
        if not self.came.full():
            self.came.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        if not self.came.full():
            self.came.put_nowait(exc)


async def _ask_by_datagram(query: dns.message.QueryMessage, where: str, port: int) -> dns.message.Message:
    # A connected socket hears only of its peer, and also that nobody listens there.
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        _Datagrams, remote_addr=(where, port)
    )
    try:
        transport.sendto(query.to_wire())
        while True:
            came = await protocol.came.get()
            if isinstance(came, Exception):
                raise came
            answer = dns.message.from_wire(came, raise_on_truncation=True)
            if query.is_response(answer):
                return answer
    finally:
        transport.abort()


def _of_the_system(port: int) -> list[Address]:
    try:
        return [Address(str(one), port) for one in dns.resolver.Resolver().nameservers]
    except dns.resolver.NoResolverConfiguration as exc:
        raise CheckFailed("bad_request", "found no name server in /etc/resolv.conf, expected one, or `server`") from exc


def _records(answer: dns.message.Message, type_: str) -> tuple[list[str], int | None]:
    """The records of *type_* as text, in order, and how long the first of them may be kept, in seconds."""
    wanted = dns.rdatatype.from_text(type_)
    sets = [one for one in answer.answer if one.rdtype == wanted]
    return sorted(_text(record) for one in sets for record in one), min((one.ttl for one in sets), default=None)


def _text(record: Any) -> str:
    """*record* as a zone file has it; of a TXT, its words without quotes."""
    strings: Iterable[bytes] | None = getattr(record, "strings", None)
    return b"".join(strings).decode("utf-8", "replace") if strings is not None else str(record.to_text())


def _plain(record: str) -> str:
    """*record* as it is compared: names in it end without a dot, and capitals do not count."""
    return " ".join(word.rstrip(".").lower() for word in record.split())

"""Mail, as a real mail server gets it."""

import asyncio
import email
import email.policy
import ssl
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from sidecar.channels import DeliveryError, deliver
from sidecar.channels import email as mail
from sidecar.channels.email import EmailChannel
from tests.channels.stories import NOON, STORIES, Ctx, Fixed
from tests.programs import program

pytestmark = [pytest.mark.realtime]

PASSWORD = "canary-6f1d0c"


@dataclass
class Server:
    """A mail server that answers RCPT by address and remembers what it took."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    data: str = "250 OK"
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    sessions: list[dict[str, object]] = field(default_factory=list)

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope) -> str:
        if self.data == "hang up":
            server.transport.abort()
            return "250 never sent"
        if self.data.startswith("250"):
            parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.mails.append((list(envelope.rcpt_tos), parsed))
            self.sessions.append(
                {"hello": session.host_name, "tls": session.ssl is not None, "user": session.auth_data}
            )
        return self.data


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """A self-made certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
    ok = (data.login, data.password) == (b"sidecar", PASSWORD.encode())
    return AuthResult(success=ok, handled=False, auth_data=data.login.decode())


@asynccontextmanager
async def serving(server: Server, *, tls=None, starttls=None, **options) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()
    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        protocols.append(SMTP(server, hostname="mx.example.com", loop=loop, tls_context=starttls, **options))
        return protocols[-1]

    listener = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for one in protocols:
            if isinstance(one.transport, asyncio.Transport):
                with suppress(AttributeError):  # Python 3.11.2 stumbles over TLS that is closed already
                    one.transport.abort()
        await listener.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(Server()) as running:
        yield running


def context_of(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def channel(server: Server, **settings) -> EmailChannel:
    return EmailChannel.model_validate(
        {
            "type": "email",
            "name": "mail",
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "from": "Claude Sidecar <sidecar@example.com>",
            "to": ["oncall@example.com"],
            "timeout": "5s",
        }
        | settings
    )


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(mail, "_progress", type(mail._progress)())


class TestWhatArrives:
    async def test_a_mail_in_text_and_html(self, server):
        """The server gets one mail with both forms, addressed and named as it should be."""
        said = await channel(server, hello="sidecar.example.com").send(STORIES["opening"], Ctx())

        ((recipients, got),) = server.mails
        assert said == "accepted for 1 of 1"
        assert recipients == ["oncall@example.com"]
        assert got["Subject"] == "FIRING: ClaudeDown (critical) – Claude does not answer"
        assert (got["From"], got["To"]) == ("Claude Sidecar <sidecar@example.com>", "oncall@example.com")
        assert got["Date"] == "Mon, 05 Jan 2026 12:00:05 +0000"
        assert got["Message-ID"] == f"<{STORIES['opening'].id}@example.com>"
        assert got["Auto-Submitted"] == "auto-generated"
        assert got.get_content_type() == "multipart/alternative"
        assert [part.get_content_type() for part in got.iter_parts()] == ["text/plain", "text/html"]
        assert server.sessions == [{"hello": "sidecar.example.com", "tls": False, "user": None}]

    @pytest.mark.parametrize("story", STORIES)
    async def test_each_kind_of_message_arrives_whole(self, story, server):
        """Both forms come out of the server as they went in, whatever the words, and the HTML is well-formed."""
        await channel(server).send(STORIES[story], Ctx())

        ((_, got),) = server.mails
        text, html = [part.get_content().replace("\r\n", "\n") for part in got.iter_parts()]
        assert text.startswith(got["Subject"])
        ET.fromstring(html.partition("\n")[2])
        assert not got.defects
        assert "src=" not in html

    async def test_hostile_words_add_no_header(self, server):
        """A line break in a label cannot add a recipient or a header."""
        await channel(server).send(STORIES["hostile"], Ctx())

        ((recipients, got),) = server.mails
        assert recipients == ["oncall@example.com"]
        assert "Bcc" not in got
        assert "\n" not in got["Subject"]
        assert "Hostile‹U+202E›evil" in got["Subject"]

    async def test_the_mails_of_one_incident_are_one_thread(self, server):
        """Opening and resolve of an alert refer to the same root, those of another alert do not."""
        for story in ("reminder", "resolve", "opening"):
            await channel(server).send(STORIES[story], Ctx())

        roots = [got["References"] for _, got in server.mails]
        assert roots[0] == roots[1] != roots[2]
        assert [got["In-Reply-To"] for _, got in server.mails] == roots
        assert len({got["Message-ID"] for _, got in server.mails}) == 3

    async def test_ids_stay_in_one_piece(self, server):
        """A sender with a very long domain does not fold the ids, which nobody could follow then."""
        sender = "s@a-long-name-of-a-machine.eu-central-1.compute.internal.example.com"
        await channel(server, **{"from": sender}).send(STORIES["opening"], Ctx())

        ((_, got),) = server.mails
        assert got["References"].endswith("@compute.internal.example.com>")
        assert got["Message-ID"] == f"<{STORIES['opening'].id}@compute.internal.example.com>"

    async def test_names_are_written_in_any_script(self, server):
        """A recipient's name may hold more than ASCII."""
        await channel(server, to=["Jörg Müller <joerg@example.com>", "a@example.com"]).send(STORIES["opening"], Ctx())

        ((recipients, got),) = server.mails
        assert recipients == ["joerg@example.com", "a@example.com"]
        assert [a.display_name for a in got["To"].addresses] == ["Jörg Müller", ""]


class TestEncryption:
    async def test_starttls(self, certificate):
        """The connection is encrypted before anything is said, and the certificate is checked."""
        async with serving(Server(), starttls=context_of(certificate), require_starttls=True) as server:
            await channel(server, security="starttls", ca_file=certificate[0]).send(STORIES["opening"], Ctx())

        assert server.sessions[0]["tls"] is True

    async def test_tls_from_the_first_byte(self, certificate):
        """`security: tls` begins with TLS."""
        async with serving(Server(), tls=context_of(certificate)) as server:
            await channel(server, security="tls", ca_file=certificate[0]).send(STORIES["opening"], Ctx())

        assert len(server.mails) == 1

    @pytest.mark.parametrize("security", [pytest.param("starttls", id="starttls"), pytest.param("tls", id="tls")])
    async def test_a_certificate_that_nobody_vouches_for_is_refused(self, security, certificate):
        """Without ca_file a self-made certificate is refused, and nothing is sent."""
        context = context_of(certificate)
        which = {"tls": context} if security == "tls" else {"starttls": context}
        async with serving(Server(), **which) as server:
            with pytest.raises(DeliveryError, match=r"(?i)certificate") as failure:
                await channel(server, security=security).send(STORIES["opening"], Ctx())

        assert (failure.value.retryable, failure.value.maybe, server.mails) == (True, False, [])

    async def test_a_server_without_starttls_gets_nothing(self, server):
        """A server that offers no encryption is not told anything in clear."""
        with pytest.raises(DeliveryError, match="STARTTLS"):
            await channel(server, security="starttls").send(STORIES["opening"], Ctx())

        assert not server.mails


class TestLogin:
    async def test_name_and_password(self, certificate, tmp_path):
        """The password is read when it is needed and opens the server."""
        (tmp_path / "password").write_text(PASSWORD + "\n")
        options = {"authenticator": authenticate, "auth_required": True}
        async with serving(Server(), starttls=context_of(certificate), **options) as server:
            settings = {"security": "starttls", "ca_file": certificate[0], "username": "sidecar"}
            sender = channel(server, **settings, password={"file": str(tmp_path / "password")})
            await sender.send(STORIES["opening"], Ctx())

        assert server.sessions[0]["user"] == "sidecar"

    async def test_a_wrong_password_is_not_tried_again(self, certificate):
        """The server's no is final, and neither name nor password stands in the error."""
        options = {"authenticator": authenticate, "auth_required": True}
        async with serving(Server(), starttls=context_of(certificate), **options) as server:
            settings = {"security": "starttls", "ca_file": certificate[0], "username": "sidecar"}
            with pytest.raises(DeliveryError, match="535") as failure:
                await channel(server, **settings, password="canary-wrong").send(STORIES["opening"], Ctx())

        assert not failure.value.retryable
        assert "canary" not in str(failure.value)

    async def test_a_password_that_rotates_while_it_is_presented(self, certificate, tmp_path):
        """A login that is refused with the old password is made once more with the new one, and the mail goes out."""
        file = tmp_path / "password"
        file.write_text("old-canary")
        tried: list[bytes] = []

        def rotating(server, session, envelope, mechanism, data) -> AuthResult:
            tried.append(data.password)
            file.write_text(PASSWORD)
            return authenticate(server, session, envelope, mechanism, data)

        options = {"authenticator": rotating, "auth_required": True}
        async with serving(Server(), starttls=context_of(certificate), **options) as server:
            settings = {"security": "starttls", "ca_file": certificate[0], "username": "sidecar"}
            sender = channel(server, **settings, password={"file": str(file)})
            said = await deliver(sender, STORIES["opening"], Ctx())

        assert said == "accepted for 1 of 1; retried: secret changed"
        # The client tries each mechanism that the server offers.
        assert ({*tried[:-1]}, tried[-1], len(server.mails)) == ({b"old-canary"}, PASSWORD.encode(), 1)

    async def test_a_password_file_that_is_missing_is_waited_for(self, server, tmp_path):
        """A secret that is not mounted yet delays the mail."""
        with pytest.raises(DeliveryError, match="cannot be read") as failure:
            sender = channel(server, username="x", password={"file": str(tmp_path / "no")})
            await sender.send(STORIES["opening"], Ctx())

        assert failure.value.retryable


class TestRefusals:
    TO = ("a@example.com", "b@example.com", "c@example.com")

    async def test_refused_recipients_stand_on_the_receipt(self, server):
        """Who was refused for good is recorded; the others have the mail, and it is delivered."""
        server.answers = {"b@example.com": "550 no such user"}

        said = await channel(server, to=self.TO).send(STORIES["opening"], Ctx())

        assert said == "accepted for 2 of 3; refused: b@example.com (550 no such user)"
        assert server.mails[0][0] == ["a@example.com", "c@example.com"]

    async def test_only_those_who_were_put_off_are_tried_again(self, server):
        """Greylisting: the first try reaches one of three, the second goes to the one who was put off alone."""
        server.answers = {"b@example.com": "550 no such user", "c@example.com": "451 come back later"}
        sender = channel(server, to=self.TO)

        with pytest.raises(DeliveryError, match=r"accepted for 1 of 3; .* c@example.com \(451 come back") as failure:
            await sender.send(STORIES["opening"], Ctx())
        server.answers["c@example.com"] = "250 OK"
        said = await sender.send(STORIES["opening"], Ctx(clock=Fixed(NOON + 300)))

        assert (failure.value.retryable, failure.value.maybe, failure.value.partly) == (True, True, True)
        assert [to for to, _ in server.mails] == [["a@example.com"], ["c@example.com"]]
        assert said == "accepted for 2 of 3; refused: b@example.com (550 no such user)"

    async def test_somebody_who_is_put_off_for_ever_does_not_hold_up_the_others(self, server):
        """After a quarter of an hour the mail counts as delivered, and the receipt says who has not got it."""
        server.answers = {"b@example.com": "452 mailbox full"}
        sender = channel(server, to=self.TO)

        for later in (0, 300, 899):
            with pytest.raises(DeliveryError):
                await sender.send(STORIES["opening"], Ctx(clock=Fixed(NOON + later)))
        said = await sender.send(STORIES["opening"], Ctx(clock=Fixed(NOON + 900)))

        assert said == "accepted for 2 of 3; refused: b@example.com (452 mailbox full)"
        assert len(server.mails) == 1

    async def test_a_lost_connection_in_a_second_try_leaves_the_first_standing(self, server):
        """When the server goes away between the tries, those who have the mail do not get it twice."""
        server.answers = {"b@example.com": "451 later"}
        sender = channel(server, to=self.TO[:2])
        with pytest.raises(DeliveryError):
            await sender.send(STORIES["opening"], Ctx())
        server.answers, server.data = {}, "hang up"
        with pytest.raises(DeliveryError, match=r"accepted for 1 of 2; to be tried again: b@example\.com"):
            await sender.send(STORIES["opening"], Ctx(clock=Fixed(NOON + 60)))
        server.data = "250 OK"

        assert await sender.send(STORIES["opening"], Ctx(clock=Fixed(NOON + 120))) == "accepted for 2 of 2"
        assert [to for to, _ in server.mails] == [["a@example.com"], ["b@example.com"]]

    @pytest.mark.parametrize(
        ("answer", "retryable"),
        [
            pytest.param("550 no such user", False, id="refused for good"),
            pytest.param("451 come back later", True, id="put off"),
        ],
    )
    async def test_nobody_accepted_is_a_failure(self, answer, retryable, server):
        """When no recipient was taken, the mail is tried again only if the server asked for that."""
        server.answers = dict.fromkeys(self.TO, answer)

        with pytest.raises(DeliveryError, match=r"took no recipient: a@example\.com") as failure:
            await channel(server, to=self.TO).send(STORIES["opening"], Ctx())

        assert (failure.value.retryable, failure.value.maybe) == (retryable, False)

    @pytest.mark.parametrize(
        ("data", "retryable", "maybe"),
        [
            pytest.param("451 disk full", True, False, id="the text is put off"),
            pytest.param("554 this is spam", False, False, id="the text is refused"),
            pytest.param("hang up", True, True, id="no answer to the text: it may be there"),
            pytest.param("what?", True, True, id="noise for an answer: it may be there"),
            pytest.param("354 go on", True, True, id="an answer to another question: it may be there"),
            pytest.param("999 well", True, True, id="a code that mail does not have: it may be there"),
        ],
    )
    async def test_the_answer_to_the_text_decides(self, data, retryable, maybe, server):
        """The mail is there when the server has answered its text; without an answer nobody knows."""
        server.data = data

        with pytest.raises(DeliveryError) as failure:
            await channel(server).send(STORIES["opening"], Ctx())

        assert (failure.value.retryable, failure.value.maybe) == (retryable, maybe)

    async def test_nobody_listens(self, server):
        """A refused connection surely delivered nothing, and is told in words."""
        dead = channel(server)
        closed = Server()
        async with serving(closed):
            pass

        with pytest.raises(DeliveryError) as failure:
            await dead.model_copy(update={"port": closed.port}).send(STORIES["opening"], Ctx())

        assert (failure.value.retryable, failure.value.maybe) == (True, False)
        assert str(failure.value) == f"{dead.host}: no connection: connection refused"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({"to": []}, "at least 1 item", id="nobody to tell"),
        pytest.param({"to": ["oncall"]}, "expected a mail address", id="no address"),
        pytest.param({"to": ["a@b.example\r\nBcc: x@y"]}, "expected a mail address", id="a line break"),
        pytest.param({"to": ["a@b.example, c@d.example"]}, "expected a mail address", id="two in one"),
        pytest.param({"from": "Jörg <jörg@example.com>"}, "expected a mail address", id="not ASCII"),
        pytest.param({"username": "x"}, "expected both or none", id="a name without a password"),
        pytest.param({"password": "canary"}, "expected both or none", id="a password without a name"),
        pytest.param(
            {"host": "mx.example.com", "username": "x", "password": "canary"}, "in clear", id="a password in clear"
        ),
        pytest.param({"port": 0}, "greater than or equal to 1", id="port 0"),
        pytest.param({"hello": "a b"}, "pattern", id="a name with a space"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    """A mistake is found when the settings are read."""
    with pytest.raises(ValueError, match=words) as failure:
        channel(Server(port=25), **settings)

    assert "canary" not in str(failure.value)

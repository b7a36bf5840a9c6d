"""Mails, before any server gets them."""

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage

import pytest

from sidecar.channels import words
from sidecar.channels.email import EmailChannel, mail
from sidecar.model.labels import Labels
from sidecar.model.notifications import NotifyKind
from tests.channels import golden
from tests.channels.stories import DOWN, NOON, STORIES, Ctx, Fixed, hostile, notification, sent_at, told

CHANNEL = EmailChannel.model_validate(
    {"type": "email", "name": "mail", "host": "localhost", "from": "sidecar@example.com", "to": ["oncall@example.com"]}
)


def raw(told_, at: float = NOON) -> bytes:
    ctx = Ctx(clock=Fixed(at))
    return mail(CHANNEL, words(told_, ctx), told_, at)


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


@pytest.mark.parametrize("story", STORIES)
def test_the_mail_is_as_agreed(story):
    """Each kind of message has the headers and the two forms that the golden file shows."""
    got = parsed(raw(STORIES[story], sent_at(story)))
    headers = [f"{name}: {value}" for name, value in got.items() if name not in ("Content-Type", "MIME-Version")]
    forms = [part.get_content() for part in got.iter_parts()]

    golden.check(f"email_{story}.txt", "\n\n".join(["\n".join(headers), *forms]).replace("\r\n", "\n"))


@pytest.mark.parametrize(
    "summary",
    [
        pytest.param("plain words", id="ASCII"),
        pytest.param("a – dash that forces encoding, " * 9, id="long and mixed"),
        pytest.param("東京 " * 60, id="long and not ASCII"),
        pytest.param("x" * 400, id="one endless word"),
        pytest.param("=?utf-8?q?Bcc:?= \r\nBcc: x@y", id="what looks encoded"),
    ],
)
def test_the_subject_is_the_headline(summary):
    """Whatever the words, the subject reads as the headline does, in lines and encoded words of legal length."""
    alert = replace(DOWN, annotations=Labels(summary=summary))
    told_ = notification(NotifyKind.OPENING, told(alert))

    content = raw(told_)

    header = content.partition(b"\r\n\r\n")[0].decode("ascii")
    subject = header.partition("\r\nFrom:")[0]
    assert parsed(content)["Subject"] == words(told_, Ctx()).headline
    assert all(len(line) <= 78 for line in subject.split("\r\n"))
    assert all(len(word) <= 75 for word in subject.split() if word.startswith("=?"))
    assert "\r\nBcc" not in header


def test_every_line_is_one_that_mail_may_have():
    """No line is longer than 998 octets, none has a bare CR or LF, and nothing is beyond ASCII."""
    content = raw(hostile("x😀" * 200_000))

    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert len(content) < 200_000


def test_the_time_of_sending_changes_no_name():
    """A mail that is sent again has the same Message-ID, so that readers can tell."""
    ids = [parsed(raw(STORIES["opening"], at))["Message-ID"] for at in (NOON, NOON + 900)]

    assert ids[0] == ids[1] == f"<{STORIES['opening'].id}@example.com>"

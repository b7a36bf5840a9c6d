"""Secrets."""

import copy
import json
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from sidecar import secrets
from sidecar.secrets import Secret, SecretError, redact, redaction

CANARY = "canary-6f1d0c"


class Holder(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    token: Secret | None = None
    headers: dict[str, Secret] = {}


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(redaction, "_registry", redaction.Registry())


def held(value) -> Secret:
    token = Holder.model_validate({"token": value}).token
    assert token is not None
    return token


def written(path, text: str, at: int) -> str:
    path.write_text(text)
    os.utime(path, ns=(at, at))
    return str(path)


class TestReading:
    def test_a_text_is_the_secret_itself(self):
        """A text in the settings is the secret."""
        assert held(CANARY).reveal() == CANARY

    def test_an_environment_variable_is_taken_when_the_settings_are_read(self, monkeypatch):
        """{env: NAME} is the variable's value, without the line break that `export X=$(cat …)` habits leave."""
        monkeypatch.setenv("SIDECAR_TEST_TOKEN", CANARY + "\n")

        assert held({"env": "SIDECAR_TEST_TOKEN"}).reveal() == CANARY

    def test_a_file_is_read_when_the_secret_is_used(self, tmp_path):
        """{file: PATH} needs the file only when the secret is revealed, and drops its last line break."""
        path = tmp_path / "token"
        secret = held({"file": str(path)})

        path.write_text(CANARY + "\r\n")

        assert secret.reveal() == CANARY

    def test_a_changed_file_is_read_again(self, tmp_path):
        """A rotated secret is seen without a restart, also when only the file's time tells."""
        path = tmp_path / "token"
        secret = held({"file": written(path, "first-1", 1)})
        assert secret.reveal() == "first-1"

        written(path, "other-2", 2)

        assert secret.reveal() == "other-2"

    def test_an_unchanged_file_is_not_read_again(self, tmp_path, monkeypatch):
        """As long as the file is the same, its content is remembered."""
        path = tmp_path / "token"
        secret = held({"file": written(path, CANARY, 1)})
        secret.reveal()
        monkeypatch.setattr(type(path), "read_bytes", lambda _: pytest.fail("read again"))

        assert secret.reveal() == CANARY

    def test_a_swapped_symlink_is_followed(self, tmp_path):
        """Kubernetes swaps a symlink to change a secret; the new target is read."""
        (tmp_path / "a").write_text("first-1")
        (tmp_path / "b").write_text("second-22")
        link = tmp_path / "token"
        link.symlink_to("a")
        secret = held({"file": str(link)})
        assert secret.reveal() == "first-1"

        link.unlink()
        link.symlink_to("b")

        assert secret.reveal() == "second-22"

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            pytest.param({"env": "SIDECAR_NO_SUCH"}, "the environment has no SIDECAR_NO_SUCH", id="no such variable"),
            pytest.param({"env": "SIDECAR_EMPTY"}, "variable SIDECAR_EMPTY is empty", id="an empty variable"),
            pytest.param({"file": ""}, "path of the secret's file is empty", id="no path"),
            pytest.param("", "the text is empty", id="an empty text"),
            pytest.param(" \n", "the text is empty", id="a blank text"),
            pytest.param("a\x00b", "NUL", id="a NUL byte"),
            pytest.param({"envv": CANARY}, "expected a text, {env: NAME} or {file: /path}", id="an unknown key"),
            pytest.param({"env": "A", "file": "/b"}, "expected a text", id="two places at once"),
            pytest.param(12345678, "kind int, expected a text", id="a number"),
        ],
    )
    def test_what_cannot_be_a_secret_is_refused_at_once(self, value, words, monkeypatch):
        """A mistake in the settings names the variable or what was expected, never the value."""
        monkeypatch.setenv("SIDECAR_EMPTY", "")

        with pytest.raises(ValidationError) as failure:
            Holder.model_validate({"token": value})

        message = failure.value.errors()[0]["msg"]
        assert words in message
        assert CANARY not in message
        assert "12345678" not in message

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            pytest.param(None, "cannot be read: No such file or directory", id="no such file"),
            pytest.param(b"\n", "is empty", id="an empty file"),
            pytest.param(b"\xff\xfecanary", "is not UTF-8", id="not text"),
            pytest.param(b"x" * 70_000, "has 70000 bytes", id="far too long"),
        ],
    )
    def test_a_file_that_will_not_do_is_named_when_it_is_needed(self, content, words, tmp_path):
        """A secret's file that cannot be used raises an error with its path when the secret is revealed."""
        path = tmp_path / "token"
        if content is not None:
            path.write_bytes(content)
        secret = held({"file": str(path)})

        with pytest.raises(SecretError) as failure:
            secret.reveal()

        assert str(path) in str(failure.value)
        assert words in str(failure.value)


class TestShowing:
    @pytest.mark.parametrize(
        "show",
        [
            pytest.param(repr, id="repr"),
            pytest.param(str, id="str"),
            pytest.param(lambda h: repr(h.token), id="repr of the secret"),
            pytest.param(lambda h: f"{h.token} {h.token!s}", id="formatted"),
            pytest.param(lambda h: str(h.model_dump()), id="dumped"),
            pytest.param(lambda h: h.model_dump_json(), id="dumped as JSON"),
            pytest.param(lambda h: str(h.model_dump(mode="json")), id="dumped for JSON"),
        ],
    )
    def test_a_secret_is_shown_as_stars(self, show):
        """Whatever prints a secret prints stars."""
        holder = Holder.model_validate({"token": CANARY, "headers": {"Authorization": f"Bearer {CANARY}"}})

        assert CANARY not in show(holder)
        assert "***" in show(holder)

    def test_the_schema_offers_the_three_ways(self):
        """The JSON schema says text, {env} or {file}."""
        text = json.dumps(Holder.model_json_schema())

        assert '"env"' in text
        assert '"file"' in text
        assert '"password"' in text

    def test_a_secret_is_not_pickled(self):
        """Pickling would write the value down; it is refused."""
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(Secret(CANARY))

    def test_a_copy_is_the_secret(self):
        """Copies of settings keep their secrets."""
        secret = Secret(CANARY)

        assert copy.deepcopy({"a": secret})["a"] is secret
        assert copy.copy(secret) is secret

    def test_secrets_are_compared_by_where_they_come_from(self):
        """A reload that changes nothing leaves settings equal; another value or file makes them differ."""
        assert held(CANARY) == held(CANARY)
        assert hash(held(CANARY)) == hash(held(CANARY))
        assert held(CANARY) != held(CANARY + "x")
        assert held({"file": "/a"}) == held({"file": "/a"})
        assert held({"file": "/a"}) != held({"file": "/b"})
        assert held("/a") != held({"file": "/a"})
        assert held(CANARY) != CANARY


class TestRedacting:
    @pytest.mark.parametrize(
        ("value", "text", "expected"),
        [
            pytest.param(CANARY, f"key {CANARY}!", "key ***!", id="inside a text"),
            pytest.param("short", "a short text", "a short text", id="a short value would blot out words"),
            pytest.param("p/w d:x", "u=p%2Fw%20d%3Ax", "u=***", id="percent-encoded"),
            pytest.param(f"Bearer {CANARY}", f"token {CANARY}", "token ***", id="the credential of a header"),
            pytest.param(
                "https://hooks.slack.com/services/T0/B0/abcdef", "POST /services/T0/B0/abcdef", "POST ***", id="a path"
            ),
            pytest.param(
                "https://h.example/hook/0123456789abcdef?key=fedcba9876543210",
                "no token 0123456789abcdef, no key fedcba9876543210",
                "no token ***, no key ***",
                id="the token in a path or a query",
            ),
            pytest.param("https://example.com/alerts", "GET /alerts", "GET /alerts", id="an ordinary path"),
            pytest.param("https://u:pass-word@example.com/", "got pass-word", "got ***", id="a URL's password"),
            pytest.param("line\tone-two", "repr 'line\\tone-two'", "repr '***'", id="as repr shows it"),
        ],
    )
    def test_a_known_secret_is_taken_out(self, value, text, expected):
        """Texts that name a secret are shown with stars."""
        held(value)

        assert redact(text) == expected

    def test_a_secret_that_begins_with_another_leaves_no_tail(self):
        """The longest secret is replaced first."""
        held("abcdef")
        held("abcdef-and-more")

        assert redact("x abcdef-and-more y abcdef") == "x *** y ***"

    def test_an_ordinary_word_can_be_hidden_without_blotting_it_out(self):
        """What is merely not shown, such as a header that says `production`, stays a word elsewhere."""
        secret = Secret("production", known=False)

        assert (str(secret), redact("in production")) == ("***", "in production")

    def test_every_content_that_a_file_had_is_known(self, tmp_path):
        """After a rotation the old value may still be in flight, and is hidden, too."""
        path = tmp_path / "token"
        secret = held({"file": written(path, "first-value", 1)})
        secret.reveal()
        written(path, "second-value", 2)
        secret.reveal()

        assert redact("first-value second-value") == "*** ***"

    @given(st.text(min_size=6).filter(lambda s: s.strip() and "\x00" not in s), st.text(), st.text())
    def test_no_secret_survives(self, value, before, after):
        """Whatever the secret and the text around it, the secret is not in what is left."""
        secret = Secret(value)

        shown = redact(before + secret.reveal() + after)

        assert len(secret.reveal()) < 6 or secret.reveal() in "***" or secret.reveal() not in shown

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("no canary-6f1", "no ***", id="half a secret"),
            pytest.param("canary-6f1d0ccanary-6f1d0ccanary", "******" + "***", id="two and a half"),
            pytest.param("a can", "a can", id="a beginning that any word may have"),
            pytest.param("canary-6f is it", "canary-6f is it", id="not at the end"),
        ],
    )
    def test_the_beginning_of_a_secret_at_the_end_of_a_text_that_was_cut(self, text, expected):
        """What was cut in the midst of a secret does not show its first half."""
        secrets.remember(CANARY)

        assert redact(text, cut=True) == expected

    @pytest.mark.parametrize(
        "shown",
        [
            pytest.param(json.dumps('pa"ss/wörd&<1>'), id="JSON"),
            pytest.param(json.dumps('pa"ss/wörd&<1>').replace("/", "\\/"), id="JSON of those who escape slashes"),
            pytest.param("pa&quot;ss/wörd&amp;&lt;1&gt;", id="HTML"),
            pytest.param("pa%22ss%2Fw%C3%B6rd%26%3C1%3E", id="a query"),
        ],
    )
    def test_the_forms_in_which_peers_repeat_a_secret(self, shown):
        """A secret is taken out as JSON, HTML and URLs write it."""
        secrets.remember('pa"ss/wörd&<1>')

        assert redact(f"no {shown}!").replace('"', "") == "no ***!"

    def test_bytes_that_are_no_text(self, monkeypatch):
        """A variable that is not UTF-8 is refused by name, without a word of it."""
        monkeypatch.setitem(os.environ, "SIDECAR_TEST_TOKEN", b"canary\xff".decode("utf-8", "surrogateescape"))

        with pytest.raises(ValidationError, match="SIDECAR_TEST_TOKEN is not UTF-8") as failure:
            held({"env": "SIDECAR_TEST_TOKEN"})

        assert "canary" not in failure.value.errors()[0]["msg"]


class TestBorrowed:
    """Values that are secret for a while."""

    def test_a_borrowed_value_is_known_until_the_block_ends(self):
        """What a session handed out is taken out of texts while the session lasts, and is an ordinary word after."""
        with secrets.borrowed() as keep:
            keep("session-4711")
            assert secrets.redact("got session-4711") == f"got {secrets.MASK}"
            assert secrets.redact("got session-47", cut=True) == f"got {secrets.MASK}"

        assert secrets.redact("got session-4711") == "got session-4711"

    def test_two_borrow_the_same(self):
        """A value that somebody else still holds stays known, and so does one that was known before."""
        secrets.remember("of-the-file")
        with secrets.borrowed() as first:
            first("session-4711")
            with secrets.borrowed() as second:
                second("session-4711")
                second("of-the-file")
            assert secrets.redact("session-4711") == secrets.MASK

        assert secrets.redact("of-the-file session-4711") == f"{secrets.MASK} session-4711"

    def test_the_longest_goes_first(self):
        """A borrowed value that begins with a known one leaves no tail."""
        secrets.remember("session")
        with secrets.borrowed() as keep:
            keep("session-4711")

            assert secrets.redact("session-4711") == secrets.MASK

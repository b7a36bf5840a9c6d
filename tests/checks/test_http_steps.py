"""The http check in several steps, against peers that are written by hand."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError
from yarl import URL

from sidecar.checks.http import HttpCheck
from sidecar.model.families import PROBE_PHASE, PROBE_STATUS, PROBE_VALUE
from sidecar.secrets import MASK, redact
from tests.checks.script import HANG, Peer, answer, probe

TOKEN = "t0ken-0f-th1s-session"
LOGIN = {"name": "log in", "url": "http://auth/token?tenant=t", "save": {"token": "$.access_token"}}
SAID = json.dumps({"access_token": TOKEN, "id": 4711}).encode()


def check(*steps: Any, **settings: Any) -> HttpCheck:
    return HttpCheck.model_validate({"name": "gateway", "steps": list(steps), **settings})


def one(**settings: Any) -> HttpCheck:
    return HttpCheck.model_validate({"name": "gateway", "url": "http://api/", **settings})


async def test_a_step_hands_on_what_it_saves(wire):
    """Log in, ask with the token, and count in the answer."""
    login, api = Peer([0.25, answer(200, SAID)]), Peer([0.5, answer(200, b'{"models": [1, 2]}')])
    wire.raw("auth", login)
    wire.raw("api", api)
    ask = {
        "url": "http://api/models/{{ id }}?of={{token}}",
        "headers": {"Authorization": "Bearer {{ token }}", "X-Mode": "probe"},
        "json": {"id": "{{ id }}", "{{ id }}": ["{{ token }}", 1, None]},
        "expect_json": [{"path": "$.models[*]", "count": {"min": 1}}],
        "values": {"models": {"json": "$.models[*]", "count": True}},
    }
    steps = ({**LOGIN, "save": {"token": "$.access_token", "id": {"json": "$.id"}}}, ask)

    probed = await probe(check(*steps), wire)

    assert probed.message == ""
    assert login.request.startswith("GET /token?tenant=t HTTP/1.1\r\n")
    assert api.request.startswith(f"POST /models/4711?of={TOKEN} HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}\r\n" in api.request
    assert "Content-Type: application/json\r\n" in api.request
    assert json.loads(api.request.partition("\r\n\r\n")[2]) == {"id": "4711", "4711": [TOKEN, 1, None]}
    assert probed.values(PROBE_VALUE) == [({"name": "models"}, 2)]
    assert probed.notes == {"status": 200}


async def test_phases_are_those_of_all_steps(wire):
    """Each phase is measured once, in sum, and the status is that of the last answer."""
    wire.raw("auth", Peer([0.25, answer(200, SAID)]))
    wire.raw("api", Peer([0.5, answer(204)]))

    probed = await probe(check(LOGIN, {"url": "http://api/"}), wire)

    phases = probed.values(PROBE_PHASE)
    assert sorted((labels["phase"], value) for labels, value in phases) == [
        ("connect", 0), ("first_byte", 0.75), ("resolve", 0), ("transfer", 0),
    ]  # fmt: skip
    assert probed.value(PROBE_STATUS) == 204


@pytest.mark.parametrize(
    ("steps", "error_type", "message", "name"),
    [
        pytest.param(
            [answer(503, b"no")], "assertion", "step 'models': got 503, expected 2xx: no", "models", id="an answer"
        ),
        pytest.param([], "reset", "step 'models': http://api/ hung up without an answer", "models", id="none"),
        pytest.param([HANG], "timeout", "got no result, expected one within 10s", "models", id="none in time"),
    ],
)
async def test_the_step_that_fails_is_named(wire, steps, error_type, message, name):
    """A failure says in which step it was, also in its evidence; what comes after it is not asked."""
    last = Peer([answer(200)])
    wire.raw("auth", Peer([answer(200, SAID)]))
    wire.raw("api", Peer(steps))
    wire.raw("last", last)

    probed = await probe(check(LOGIN, {"name": "models", "url": "http://api/"}, {"url": "http://last/"}), wire)

    assert (probed.error_type, probed.message) == (error_type, message)
    assert probed.notes["step"] == name
    assert last.requests == []


async def test_a_step_without_a_name_is_named_by_its_number(wire):
    """The second step is 2."""
    wire.raw("auth", Peer([answer(200, SAID)]))
    wire.refuse("api")

    probed = await probe(check(LOGIN, {"url": "http://api/"}), wire)

    assert probed.message == "step '2': no connection to http://api/: connection refused"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(TOKEN, id="plain"),
        pytest.param("abc:d@e/f=g&h+i%j?k#l é;m,n!$*'()~%2F", id="with everything that a URL encodes"),
    ],
)
@pytest.mark.parametrize("where", ["path", "query", "header"])
async def test_what_is_saved_is_shown_nowhere(wire, token, where):
    """An answer that repeats a token, and a message that names the URL with it, show three stars."""
    echo = f"no such token {token}, {json.dumps(token)}, {quote(token)}".encode()
    status = {"path": "http://api/{{ token }}/x", "query": "http://api/x?{{ token }}", "header": "http://api/x"}[where]
    wire.raw("auth", Peer([answer(200, json.dumps({"access_token": token}).encode())]))
    there = quote(token, safe="")
    wire.raw("api", Peer([answer(302, echo, f"Location: http://api/{there}", "X-Echo: " + token.replace("é", "e"))]))
    headers = {} if where != "header" else {"X-Token": "{{ token }}"}

    probed = await probe(
        check(LOGIN, {"url": status, "headers": headers, "save": {"copy": {"header": "X-Echo"}}}), wire
    )

    assert probed.message.startswith("step '2': got 302, expected 2xx; it redirects to http://api/")
    shown = [repr(probed.result), probed.message, repr(probed.ctx.headers), probed.ctx.body.decode()]
    for form in (token, there, json.dumps(token)[1:-1], URL(f"http://h/{there}").raw_path[1:]):
        assert not any(form in text for text in shown)
    assert redact(token) == token, "it is forgotten with the probe"


async def test_the_evidence_of_the_step_that_gave_the_token(wire):
    """An answer that is refused for its words is kept without the token that it gives."""
    wire.raw("auth", Peer([answer(200, SAID, f"X-Again: {TOKEN}")]))

    probed = await probe(check({**LOGIN, "body_contains": "welcome"}), wire)

    assert probed.message == (
        f"step 'log in': the body lacks 'welcome'; got: {json.dumps({'access_token': MASK, 'id': 4711})}"
    )
    assert TOKEN not in probed.ctx.body.decode()
    assert probed.ctx.headers["X-Again"] == MASK


async def test_an_unreachable_url_with_a_token(wire):
    """A connection that fails is told without the token in the path."""
    wire.raw("auth", Peer([answer(200, SAID)]))
    wire.refuse("api")

    probed = await probe(check(LOGIN, {"url": "http://api/of/{{ token }}/x"}), wire)

    assert probed.message == f"step '2': no connection to http://api/of/{MASK}/x: connection refused"


@pytest.mark.parametrize("given", ["..", "."])
async def test_a_value_does_not_walk_up_the_path(wire, given):
    """A peer cannot choose another resource than the one whose place is written."""
    api = Peer([answer(200)])
    wire.raw("auth", Peer([answer(200, json.dumps({"access_token": given}).encode())]))
    wire.raw("api", api)

    probed = await probe(check(LOGIN, {"url": "http://api/public/{{ token }}/x"}), wire)

    assert probed.message.startswith("step '2': a saved value makes a segment . or .. of the URL's path")
    assert api.requests == []


async def test_a_value_is_one_segment_and_one_parameter(wire):
    """Slashes, question marks and ampersands in a value are data."""
    given = "../../a?b=c&d#e f%2e"
    api = Peer([answer(200)])
    wire.raw("auth", Peer([answer(200, json.dumps({"access_token": given}).encode())]))
    wire.raw("api", api)

    assert (await probe(check(LOGIN, {"url": "http://api/{{ token }}/x?a={{ token }}&z=1"}), wire)).message == ""

    asked = URL("http://api" + api.request.split(" ")[1], encoded=True)
    assert asked.parts == ("/", given, "x")
    assert dict(asked.query) == {"a": given, "z": "1"}


async def test_a_value_does_not_break_a_header(wire):
    """A line break in a value is refused before anything is sent."""
    api = Peer([answer(200)])
    wire.raw("auth", Peer([answer(200, b'{"access_token": "a\\r\\nX-Admin: 1"}')]))
    wire.raw("api", api)

    probed = await probe(check(LOGIN, {"url": "http://api/", "headers": {"X-Token": "{{ token }}"}}), wire)

    assert (probed.error_type, probed.message) == (
        "bad_request", "step '2': the header 'X-Token' holds a line break",
    )  # fmt: skip
    assert api.requests == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param({"header": "X-Session"}, "from-a-header", id="a header"),
        pytest.param({"matches": 'name="csrf" value="([^"]*)"'}, "from-a-form", id="a group"),
        pytest.param({"matches": "from-[a-z]-form"}, "from-a-form", id="a whole match"),
        pytest.param({"json": "$.flag"}, "true", id="a boolean"),
        pytest.param({"json": "$.id"}, "12345678901234567890", id="a long number"),
    ],
)
async def test_what_can_be_saved(wire, source, expected):
    """A value comes from a path, a header or the text."""
    api = Peer([answer(200)])
    said = b'{"flag": true, "id": 12345678901234567890}' if "json" in source else b'<i name="csrf" value="from-a-form">'
    wire.raw("auth", Peer([answer(200, said, "X-Session: from-a-header")]))
    wire.raw("api", api)

    probed = await probe(check({**LOGIN, "save": {"it": source}}, {"url": "http://api/", "body": "{{ it }}"}), wire)

    assert probed.message == ""
    assert api.request.endswith(f"\r\n\r\n{expected}")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param(b'{"a": 1}', '$.access_token is missing; got: {"a": 1}', id="missing"),
        pytest.param(b'{"access_token": null}', "$.access_token is null, expected a text or a number", id="null"),
        pytest.param(b'{"access_token": ""}', "$.access_token is empty, expected a text or a number", id="empty"),
        pytest.param(b'{"access_token": {}}', "$.access_token is a list or an object, expected", id="an object"),
        pytest.param(b'{"access_token": "\\ud800"}', "$.access_token holds what is no character", id="half of a pair"),
        pytest.param(
            b'{"access_token": "' + b"x" * 5000 + b'"}', "$.access_token has 5000 characters, expected at most 4096",
            id="long",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_saved(wire, said, message):
    """A step that does not give what later ones need has failed, and they are not asked."""
    wire.raw("auth", Peer([answer(200, said)]))

    probed = await probe(check(LOGIN, {"url": "http://api/", "body": "{{ token }}"}), wire)

    assert probed.error_type == "assertion"
    assert probed.message.startswith(f"step 'log in': token cannot be saved: {message}")


async def test_bodies(wire):
    """A form and JSON have their content types, unless the headers say so, and their fields are encoded."""
    peers = [Peer([answer(200)]) for _ in range(3)]
    for host, peer in zip("abc", peers, strict=True):
        wire.raw(host, peer)

    form = one(url="http://a/", form={"grant_type": "client_credentials", "secret": "s&cr=t", "n": 3})
    await probe(form, wire)
    await probe(one(url="http://b/", method="PUT", json=["ä"], headers={"content-type": "application/x"}), wire)
    await probe(one(url="http://c/", body="a \\{{ literal }} {{{ }}"), wire)

    sent = [peer.request for peer in peers]
    assert sent[0].startswith("POST / ")
    assert "Content-Type: application/x-www-form-urlencoded\r\n" in sent[0]
    assert sent[0].endswith("\r\n\r\ngrant_type=client_credentials&secret=s%26cr%3Dt&n=3")
    assert "content-type: application/x\r\n" in sent[1]
    assert "Content-Type" not in sent[1]
    assert sent[1].endswith('\r\n\r\n["ä"]')
    assert sent[2].endswith("\r\n\r\na {{ literal }} {{{ }}")


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        pytest.param({"bearer": "b3arer-t0ken"}, "Bearer b3arer-t0ken", id="bearer"),
        pytest.param(
            {"basic": {"username": "probe", "password": "p:ssw0rd"}}, "Basic cHJvYmU6cDpzc3cwcmQ=", id="basic"
        ),
    ],
)
async def test_auth(wire, auth, expected):
    """Credentials travel as Authorization, and an answer that repeats them is shown without."""
    peer = Peer([answer(403, f"who is {expected}?".encode())])
    wire.raw("api", peer)

    probed = await probe(one(auth=auth), wire)

    assert f"Authorization: {expected}\r\n" in peer.request
    assert expected.partition(" ")[2] not in probed.message + probed.ctx.body.decode()
    assert MASK in probed.message


async def test_auth_by_a_token_that_was_saved(wire):
    """The shorthand takes what an earlier step gave, too."""
    api = Peer([answer(200)])
    wire.raw("auth", Peer([answer(200, SAID)]))
    wire.raw("api", api)

    await probe(check(LOGIN, {"url": "http://api/", "auth": {"bearer": "{{ token }}"}}), wire)

    assert f"Authorization: Bearer {TOKEN}\r\n" in api.request


async def test_a_file_is_sent_as_it_is(wire, tmp_path):
    """What stands in a secret's file is no template."""
    (tmp_path / "token").write_text("as {{ it }} is")
    api = Peer([answer(200)])
    wire.raw("api", api)

    await probe(one(headers={"X-Token": {"file": str(tmp_path / "token")}}), wire)

    assert "X-Token: as {{ it }} is\r\n" in api.request


async def test_cookies_are_not_carried(wire):
    """A step begins anew, unless it is given what an earlier one saved."""
    api = Peer([answer(200, b"", "Set-Cookie: session=s3ss10n; Path=/")])
    wire.raw("api", api)

    await probe(check({"url": "http://api/"}, {"url": "http://api/"}), wire)

    assert not any(b"cookie:" in request.lower() for request in api.requests)


async def test_evidence_of_each_failure(wire):
    """A failed probe keeps what the peer answered, also when the status was another."""
    wire.raw("api", Peer([answer(500, b"x" * 5000, "X-Reason: full")]))

    probed = await probe(one(), wire)

    assert probed.ctx.headers["X-Reason"] == "full"
    assert probed.ctx.body == b"x" * 2048


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({}, "has neither `url` nor `steps`", id="nothing to ask"),
        pytest.param({"url": "http://a/", "steps": [LOGIN]}, "has `url` beside `steps`", id="both"),
        pytest.param({"steps": [LOGIN], "status": 204, "json": {}}, "has `json`, `status` beside `steps`", id="more"),
        pytest.param({"steps": [{"name": "a"}]}, "has no `url`", id="a step without a URL"),
        pytest.param(
            {"steps": [LOGIN, {"url": "http://a/{{ tokn }}"}]},
            "steps[1].url uses 'tokn', which no step before saves; saved is: token",
            id="a name nobody saves",
        ),
        pytest.param(
            {"steps": [{**LOGIN, "headers": {"X-T": "{{ token }}"}}]},
            "steps[0].headers.X-T uses 'token', which no step before saves; saved is: nothing",
            id="a name that is saved later",
        ),
        pytest.param({"url": "http://a/", "form": {"f": "{{ x }}"}}, "form.f uses 'x'", id="in a form"),
        pytest.param({"url": "http://a/", "json": {"a": ["{{ x }}"]}}, "json uses 'x'", id="in JSON"),
        pytest.param({"url": "http://a/", "auth": {"bearer": "{{ x }}"}}, "auth uses 'x'", id="in credentials"),
        pytest.param({"steps": [LOGIN, {"url": "http://{{ token }}/"}]}, "server's part of the URL", id="the host"),
        pytest.param({"steps": [LOGIN, {"url": "http://a.{{ token }}?x"}]}, "server's part of the URL", id="its end"),
        pytest.param({"steps": [LOGIN, {"url": "{{ token }}://a/"}]}, "no address for HTTP", id="the scheme"),
        pytest.param({"steps": [LOGIN, {"url": "http://a:{{ token }}/"}]}, "no address for HTTP", id="the port"),
        pytest.param({"steps": [LOGIN, LOGIN]}, "more than one step is named 'log in'", id="a name twice"),
        pytest.param(
            {"steps": [{"url": "http://a/", "values": {"n": "$.n"}}] * 2},
            "more than one value is called 'n'",
            id="a value twice",
        ),
        pytest.param({"url": "http://a/", "body": "a", "form": {"a": "b"}}, "has `body` and `form`", id="two bodies"),
        pytest.param({"url": "http://a/", "auth": {}}, "expected either `basic` or `bearer`", id="nobody"),
        pytest.param(
            {"url": "http://a/", "auth": {"bearer": "abcdef"}, "headers": {"authorization": "x"}},
            "both `auth` and a header",
            id="two credentials",
        ),
        pytest.param({"url": "http://a/", "save": {"a": {}}}, "expected one of `json`, `header`", id="no source"),
        pytest.param({"url": "http://a/", "save": {"a b": "$.a"}}, "a b", id="a name that cannot be used"),
    ],
)
def test_settings_that_are_none(settings, words):
    """A mistake is refused when it is read, and says what to do."""
    with pytest.raises(ValidationError) as caught:
        HttpCheck.model_validate({"name": "gateway", **settings})

    assert words in str(caught.value)


def test_a_step_shows_no_secret_and_is_readable_again():
    """Printed settings hide bodies, headers and credentials of steps, and can be read again."""
    asked = {**LOGIN, "auth": {"bearer": "b3arer-t0ken"}, "json": {"password": "p4ssw0rd"}}
    first = check(asked, {"url": "http://a/{{ token }}", "body": "p4ssw0rd", "headers": {"X-Key": "k3y-0f-all"}})

    shown = first.model_dump(mode="json")

    assert not any(secret in str(shown) + repr(first) for secret in ("b3arer-t0ken", "p4ssw0rd", "k3y-0f-all"))
    assert HttpCheck.model_validate(shown).model_dump(mode="json") == shown


def test_a_body_hides_its_credentials_alone():
    """What a field's name calls a secret is taken out of texts; other words of a body stay readable."""
    fields = {
        "client_secret": "s3cret-of-it",
        "author": "anthropic",
        "accessToken": "t0ken-of-it",
        "tokens": "thousands",
    }

    one(json={"deep": [fields]})
    one(form={name: f"form-{value}" for name, value in fields.items()})

    said = "s3cret-of-it anthropic t0ken-of-it thousands form-s3cret-of-it form-anthropic form-thousands"
    assert redact(said) == "*** anthropic *** thousands *** form-anthropic form-thousands"


async def test_a_header_that_is_no_text(wire):
    """Bytes that are no characters cannot be handed on."""
    head = b"HTTP/1.1 200 -\r\nContent-Length: 0\r\nX-Session: \xff\xfe12345\r\n\r\n"
    wire.raw("auth", Peer([head]))

    probed = await probe(check({**LOGIN, "save": {"it": {"header": "X-Session"}}}), wire)

    assert probed.message == (
        "step 'log in': it cannot be saved: the header X-Session holds what is no character, expected text; "
        "got: an empty body"
    )


def test_the_target_is_the_first_step():
    """Without its query, as of any check."""
    assert check(LOGIN, {"url": "http://api/"}).target == "http://auth/token"

"""What looks like a credential."""

import pytest

from sidecar.model.credentials import is_telling, masked

CANARY = "q7Zk-canary-2m9x"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("got 'http://user:{}@host/path'", id="user info"),
        pytest.param("got 'http://user:{}@host:port/'", id="user info of what is no URL"),
        pytest.param("got 'http://{}@host'", id="a token as the user"),
        pytest.param("got 'redis://:{}@host:6379/0'", id="a password alone"),
        pytest.param("got 'rediss//:{}@host:6379'", id="a scheme that lacks its colon"),
        pytest.param("got 'user:{}@host:80'", id="no scheme"),
        pytest.param("got 'http://host/path?key={}&x=1'", id="a query"),
        pytest.param("got 'http://host#{}'", id="a fragment"),
        pytest.param("got 'https://hooks.example.com/services/T0/B0/{}'", id="an incoming webhook"),
        pytest.param("got 'Authorization: Bearer {}'", id="a bearer token"),
        pytest.param("""got "curl -H 'X-Api-Key: {}' http://x" """, id="a header of curl"),
        pytest.param("got 'DB_PASSWORD={} run'", id="an assignment"),
        pytest.param("got 'sk-ant-{}'", id="a key of Claude"),
    ],
)
def test_what_looks_like_a_credential_is_masked(text):
    """Credentials in texts that people put into the wrong places are not repeated; their surroundings are."""
    shown = masked(text.format(CANARY))

    assert CANARY not in shown
    assert "***" in shown
    assert shown.startswith("got ")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("unknown key; did you mean 'http'? known: checks, http.token", id="names of settings"),
        pytest.param("the environment has no GATEWAY_KEY; expected the secret there", id="the name of a variable"),
        pytest.param("expected host:port, such as db:5432 or [::1]:5432", id="an address"),
        pytest.param("expected one such as http://gateway:8080/health", id="an ordinary URL"),
        pytest.param("expected a text, {env: NAME} or {file: /path}", id="how to write a secret"),
        pytest.param("got 'a@example.com', which names nobody", id="a mail address"),
        pytest.param("/etc/sidecar/conf.d/20-alerts.yml cannot be read", id="a path"),
        pytest.param("`api_key: {env: NAME}` says where the key is", id="advice"),
    ],
)
def test_ordinary_words_stay(text):
    """What only names secrets, or is no credential, stays as it is."""
    assert masked(text) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [("api_key", True), ("http.token", True), ("webhook_url", True), ("every", False), ("monkeys", False)],
)
def test_settings_of_secrets_are_known_by_name(name, expected):
    """The last word of a setting's name tells whether it holds a secret."""
    assert is_telling(name) is expected

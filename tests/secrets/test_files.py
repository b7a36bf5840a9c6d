"""Secrets in files that are replaced while they are read."""

import os
from pathlib import Path

import pytest

from sidecar import secrets
from sidecar.secrets import Secret, SecretError
from sidecar.secrets.attempts import attempting


@pytest.fixture
def now(monkeypatch) -> list[float]:
    """The clock by which a file is missing."""
    hands = [0.0]
    monkeypatch.setattr(secrets, "_monotonic", lambda: hands[0])
    return hands


def mounted(folder: Path, version: str, value: str) -> Path:
    """A secret as Kubernetes mounts it: token -> ..data/token, ..data -> ..version, swapped by one rename."""
    (folder / f"..{version}").mkdir()
    (folder / f"..{version}" / "token").write_text(value)
    (folder / "..data_tmp").symlink_to(f"..{version}")
    (folder / "..data_tmp").rename(folder / "..data")
    token = folder / "token"
    if not token.is_symlink():
        token.symlink_to("..data/token")
    return token


def test_a_volume_that_kubernetes_swaps(tmp_path):
    """The new version is read from the next use on, also when its file has the old one's time and size."""
    token = mounted(tmp_path, "one", "value-one\n")
    secret = Secret.from_file(str(token))
    assert secret.reveal() == "value-one"

    mounted(tmp_path, "two", "value-two\n")
    for path in (tmp_path / "..one" / "token", tmp_path / "..two" / "token"):
        os.utime(path, ns=(1, 1))

    assert secret.reveal() == "value-two"


def test_a_file_that_was_written_just_now_is_not_trusted_to_tell_by_its_time(tmp_path):
    """Two writes within one tick of the file system's clock are both seen."""
    path = tmp_path / "token"
    path.write_text("value-one")
    secret = Secret.from_file(str(path))
    assert secret.reveal() == "value-one"
    stamp = path.stat().st_mtime_ns

    path.write_text("value-two")
    os.utime(path, ns=(stamp, stamp))

    assert secret.reveal() == "value-two"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"value-\xc3"), id="cut within a character"),
    ],
)
def test_a_file_that_is_being_replaced_keeps_its_last_value_for_a_minute(spoil, tmp_path, now):
    """Whoever writes a file in place leaves it gone or half for a moment, which nobody should notice."""
    path = tmp_path / "token"
    path.write_text("value-one")
    secret = Secret.from_file(str(path))
    secret.reveal()
    now[0] = 1000.0  # long unused: the minute begins when the file is missed

    spoil(path)
    with attempting():
        at_first = secret.reveal()
        now[0] += 59.0
        still = secret.reveal()
        now[0] += 1.0

        assert (at_first, still) == ("value-one", "value-one")
        with pytest.raises(SecretError, match=str(path)):
            secret.reveal()


def test_who_lets_others_in_gets_no_grace(tmp_path):
    """A token whose file was taken away opens nothing from that moment on."""
    path = tmp_path / "token"
    path.write_text("value-one")
    secret = Secret.from_file(str(path))
    secret.reveal()

    path.unlink()

    with pytest.raises(SecretError):
        secret.reveal()


def test_a_file_that_is_back_has_a_minute_again(tmp_path, now):
    """Each disturbance is borne by itself."""
    path = tmp_path / "token"
    secret = Secret.from_file(str(path))
    with attempting():
        for value in ("value-one", "value-two"):
            path.write_text(value)
            assert secret.reveal() == value
            path.unlink()
            assert secret.reveal() == value
            now[0] += 59.0

    path.write_text("value-three\r\n")

    assert secret.reveal() == "value-three"


def test_a_file_that_was_never_there_has_no_value(tmp_path):
    """Without a value to stand in, a missing file is an error at once."""
    with attempting(), pytest.raises(SecretError, match="is it mounted"):
        Secret.from_file(str(tmp_path / "token")).reveal()

"""The folder in which the example is built goes when the session does."""

import shutil
from collections.abc import Iterator

import pytest

from tests.helm import charts


@pytest.fixture(scope="session", autouse=True)
def tidied() -> Iterator[None]:
    """Nothing is left behind in the system's folder for temporary files."""
    yield
    if charts.example.cache_info().currsize:
        shutil.rmtree(charts.example().parents[1])

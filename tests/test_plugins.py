"""A type's class by its name."""

import sys
from pathlib import Path

import pytest

from sidecar import plugins
from sidecar.channels import Channel
from sidecar.checks import Check
from sidecar.checks.claude.stream import ClaudeStreamCheck
from sidecar.checks.http import HttpCheck
from sidecar.plugins import PluginError

CHECKS = "sidecar.checks"

ACME = """
from typing import Literal
from sidecar.checks import Check

class AcmeCheck(Check):
    type: Literal["acme"] = "acme"
    @property
    def target(self) -> str:
        return "acme"
    async def probe(self, ctx) -> None:
        pass
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package of a third party: its module, and the entry points that it names."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(module: str, text: str, points: str, *, distribution: str = "acme-checks") -> None:
        (tmp_path / f"{module}.py").write_text(text)
        info = Path(tmp_path) / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{CHECKS}]\n{points}\n")

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


def refused(type_: str) -> str:
    with pytest.raises(PluginError) as caught:
        plugins.find(CHECKS, type_, Check)
    return str(caught.value)


def test_a_type_is_its_module():
    """A name with a dot is a module in a folder; nobody has to list it."""
    assert plugins.find(CHECKS, "http", Check) is HttpCheck
    assert plugins.find(CHECKS, "claude.stream", Check) is ClaudeStreamCheck


def test_names_are_found_without_importing_anything():
    """Modules that begin with an underscore and folders are no types, and no module is loaded to find out."""
    loaded = sys.modules.pop("sidecar.channels.email", None)
    try:
        found = plugins.names("sidecar.channels")

        assert "sidecar.channels.email" not in sys.modules
    finally:
        if loaded is not None:
            sys.modules["sidecar.channels.email"] = loaded
    assert {"email", "log", "slack", "webhook"} <= set(found)
    assert not {"claude", "_http", "claude._call"} & set(plugins.names(CHECKS))


@pytest.mark.parametrize("type_", ["htp", "", "_http", "claude", "claude._call", "..model", "http\n", "HTTP", "os"])
def test_a_type_that_is_none(type_):
    """Whatever is no type is answered with those that are, and imports nothing."""
    before = set(sys.modules)

    assert refused(type_) == f"got type {type_!r}, expected one of: {', '.join(plugins.names(CHECKS))}"
    assert set(sys.modules) == before


@pytest.mark.parametrize("value", ["acme_one", "acme_one:AcmeCheck"], ids=["the module", "the class"])
def test_a_third_party_adds_a_type(install, value):
    """An installed package adds a type by an entry point, which names the module or the class."""
    install("acme_one", ACME, f"acme = {value}")

    assert "acme" in plugins.names(CHECKS)
    found = plugins.find(CHECKS, "acme", Check)
    assert found(name="a").target == "acme"  # type: ignore[call-arg]  # the type has its default


def test_our_own_type_cannot_be_taken_over(install):
    """A package that names one of our types changes nothing."""
    install("acme_thief", ACME, "http = acme_thief")

    assert plugins.find(CHECKS, "http", Check) is HttpCheck


def test_a_driver_that_is_not_installed(install):
    """What is missing is named, with whose business it is, and not as an extra of ours."""
    install("acme_driver", "import no_such_driver\n" + ACME, "acme = acme_driver")

    said = refused("acme")

    assert said == (
        "type 'acme' needs the package 'no_such_driver', which is not installed; "
        "it comes from the package 'acme-checks', see its documentation"
    )


@pytest.mark.parametrize(
    ("base", "type_", "driver", "advice"),
    [
        pytest.param(Channel, "email", "aiosmtplib", "--force-reinstall claude-sidecar", id="ours"),
        pytest.param(Check, "redis", "redis", "'claude-sidecar[redis]'", id="an extra"),
    ],
)
def test_our_own_driver_that_is_not_installed(monkeypatch, base, type_, driver, advice):
    """A type of ours whose driver is missing says what brings it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == driver]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, driver, None)
    package = base.__module__
    monkeypatch.delitem(sys.modules, f"{package}.{type_}", raising=False)

    with pytest.raises(PluginError) as caught:
        plugins.find(package, type_, base)
    assert f"needs the package {driver!r}, which is not installed; pip install {advice}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "1/0", "type 'acme' cannot be loaded: ZeroDivisionError: division by zero; it comes", id="crashes"
        ),
        pytest.param("def", "type 'acme' cannot be loaded: SyntaxError", id="is no Python"),
        pytest.param("from os import nothing", "type 'acme' cannot be loaded: ImportError", id="wants another version"),
        pytest.param("", "acme_broken defines 0 classes derived from Check, expected one", id="is empty"),
        pytest.param(ACME + "class Two(AcmeCheck): pass", "defines 2 classes derived from Check", id="has two"),
    ],
)
def test_a_module_that_is_no_type(install, text, expected):
    """A broken package is a sentence, not a traceback."""
    install("acme_broken", text, "acme = acme_broken")

    assert expected in refused("acme")


@pytest.mark.parametrize("name", ["Missing", "Literal", "ACME"])
def test_an_entry_point_that_names_no_check(install, name):
    """An entry point whose class is none says so."""
    install("acme_class", ACME + "ACME = 3", f"acme = acme_class:{name}")

    assert refused("acme") == f"acme_class:{name} of the package 'acme-checks' is no class derived from Check"


def test_two_packages_with_one_type(install):
    """Which of two is meant cannot be known, so both are named."""
    install("acme_a", ACME, "acme = acme_a", distribution="acme-a")
    install("acme_b", ACME, "acme = acme_b", distribution="acme-b")

    said = refused("acme")

    assert said.startswith("type 'acme' comes from acme-")
    assert said.endswith(", expected one; uninstall the others")

"""The files that pages are made with."""

import re

import pytest


async def test_a_file_that_is_asked_for_by_its_version_is_kept_for_ever(world, looking):
    """The document names the version; with another one, or none, a browser asks again each time."""
    await world.start()
    page = await looking.get("/")
    (address,) = re.findall(r'href="(static/page\.css\?v=[0-9a-f]+)"', page.text)

    named = await looking.get(f"/{address}")
    unnamed = await looking.get("/static/page.css")
    again = await looking.get("/static/page.css", **{"If-None-Match": unnamed.headers["ETag"]})

    assert named.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert named.headers["Content-Type"] == "text/css; charset=utf-8"
    assert unnamed.headers["Cache-Control"] == "no-cache"
    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nothing.css", id="no such file"),
        pytest.param("..%2F__init__.py", id="one that is elsewhere"),
        pytest.param("page.html", id="another kind"),
        pytest.param("%00", id="no name"),
    ],
)
async def test_nothing_else_is_given_away(world, looking, name):
    """Only what is in the folder, and of its kinds."""
    await world.start()

    assert (await looking.get(f"/static/{name}")).status == 404


@pytest.mark.parametrize("health", ["healthy", "degraded", "unknown", "critical"])
async def test_each_health_has_its_icon(world, looking, health):
    """The icon of the window differs in shape as well as in colour."""
    await world.start()

    icon = await looking.get(f"/static/{health}.svg")

    assert icon.headers["Content-Type"].startswith("image/svg+xml")
    assert f"<title>{health}</title>" in icon.text


async def test_no_answer_can_run_or_be_framed(world, looking):
    """Pictures that are opened alone, errors and what is for machines have a policy as well as the pages have."""
    await world.start()

    for path in ("/static/healthy.svg", "/badges/health.svg", "/badges/checks/no/state.svg", "/metrics", "/live?view="):
        policy = (await looking.get(path)).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy

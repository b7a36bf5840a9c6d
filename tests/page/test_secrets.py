"""What peers repeat is on no page."""

import asyncio

from tests.canaries import CANARIES, Echo, found
from tests.scenarios.test_secrets import planted


async def test_what_a_peer_repeats_is_on_no_page(world, looking, tmp_path, monkeypatch):
    """Evidence, series, alerts and their stories, the configuration, badges and what open pages hear hold no secret."""
    monkeypatch.setenv("CANARY_KEY", CANARIES["api key"])
    echo = Echo()
    world.wire.serve("echo", echo.app())
    app = await world.start(planted(world, tmp_path))
    shown: dict[str, str] = {}
    for turn in range(2):
        await asyncio.sleep(7)  # peers repeat other words in another form each time
        checks = [check.name for check in app.config.checks]
        places = [f"/checks/{name}" for name in checks[turn::2]]
        places += ["/", "/configuration", *(f"/alerts/{alert.fingerprint}" for alert in app.book.alerts()[turn::2])]
        for place in places:
            page = await looking.get(place)
            assert page.status == 200, place
            shown[f"{place} {turn}"] = page.text
    for view, key in (("index", ""), ("configuration", ""), ("check", checks[0])):
        async with looking.open(f"/live?view={view}&key={key}&have=", Accept="text/event-stream") as stream:
            heard = b""
            while b"event: changed" not in heard or not heard.endswith(b"\n\n"):
                heard += await stream.content.readany()
        shown[f"live {view}"] = heard.decode()

    assert {place: leak for place, text in shown.items() if (leak := found(text))} == {}
    assert any("x-echo" in text.lower() for text in shown.values())  # it did repeat, and is shown
    assert any("/alerts/" in place for place in shown)

"""The page about the configuration."""


async def test_it_shows_what_runs_without_a_secret(world, looking):
    """The effective configuration is there as YAML, with what is secret hidden."""
    channels = [{"type": "webhook", "name": "hook", "url": "http://hook/very-secret-path"}]
    await world.start(world.settings(channels=channels))

    page = await looking.get("/configuration")

    assert page.status == 200
    assert "failure_threshold: 2" in page.text
    assert "very-secret-path" not in page.text

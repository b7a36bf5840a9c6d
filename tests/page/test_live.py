"""What open pages hear of changes."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from markupsafe import Markup

from sidecar.model.matchers import Matcher, MatchOp
from sidecar.page import live
from sidecar.page.frame import Page, Section
from sidecar.page.live import Hub
from sidecar.page.seen import Place, Seen
from sidecar.page.views import MissingError

INDEX = Place("index")


@dataclass
class Shop:
    """A page that can be changed, how often it was looked at, and what it costs to look."""

    sections: dict[str, Section] = field(default_factory=lambda: {"a": Section("a", Markup("one"))})
    looks: list[float] = field(default_factory=list)
    version: int = 0
    costs: float = 0.0
    gone: bool = False
    broken: bool = False

    async def see(self, _: Place, after: float = 0.0) -> Seen:
        loop = asyncio.get_running_loop()
        self.looks.append(loop.time())
        await asyncio.sleep(self.costs)
        if self.broken:
            raise RuntimeError("a template with a mistake")
        if self.gone:
            raise MissingError("gone")
        assert after <= loop.time()
        page = Page("title", tuple(self.sections.values()), health="healthy", now=loop.time())
        return replace(Seen.of(lambda: page), cost=self.costs)

    def change(self, *sections: Section) -> None:
        self.sections |= {section.id: section for section in sections}
        self.version += 1

    def hub(self) -> Hub:
        return Hub(self.see, lambda: self.version, asyncio.get_running_loop().time, lambda: "b1")


@dataclass
class Listener:
    """Somebody who listens, and what they heard: the time, the event's name, its data and its id."""

    heard: list[SimpleNamespace] = field(default_factory=list)
    task: asyncio.Task[None] = field(init=False)

    async def listen(self, hub: Hub, have: str = "") -> None:
        async with aclosing(hub.listen(INDEX, have, lambda: True)) as events:
            async for chunk in events:
                fields = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())
                if "event" in fields:
                    at = asyncio.get_running_loop().time()
                    self.heard.append(
                        SimpleNamespace(
                            at=at, event=fields["event"], data=json.loads(fields["data"]), id=fields.get("id")
                        )
                    )

    def start(self, hub: Hub, have: str = "") -> "Listener":
        self.task = asyncio.create_task(self.listen(hub, have))
        return self

    @property
    def changed(self) -> list[SimpleNamespace]:
        return [one for one in self.heard if one.event == "changed"]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_who_has_the_page_hears_only_that_we_are_here():
    """Nothing is sent again to who has the page's revision; then a beat comes every ten seconds."""
    shop = Shop()
    hub = shop.hub()
    listener = Listener().start(hub, (await shop.see(INDEX)).revision)

    await asyncio.sleep(25)

    assert [(round(one.at), one.event) for one in listener.heard] == [(0, "beat"), (10, "beat"), (20, "beat")]
    await listener.stop()


async def test_who_has_an_old_page_hears_all_of_it():
    """What changed between the page and the stream is not lost."""
    shop = Shop()
    hub = shop.hub()
    old = (await shop.see(INDEX)).revision
    shop.change(Section("a", Markup("two")))

    listener = Listener().start(hub, old)
    await asyncio.sleep(1)

    (changed,) = listener.changed
    assert changed.data["sections"] == {"a": "two"}
    assert changed.id == (await shop.see(INDEX)).revision != old
    await listener.stop()


async def test_a_change_is_heard_within_a_second_and_only_what_changed():
    """Sections that are the same are not sent; a part is sent alone as long as what stands around it is the same."""
    shell, parts = Markup("<!--part p1--><!--part p2-->"), {"p1": Markup("x"), "p2": Markup("y")}
    shop = Shop()
    shop.change(Section("a", Markup("one")), Section("list", shell, parts))
    hub = shop.hub()
    listener = Listener().start(hub, (await shop.see(INDEX)).revision)
    await asyncio.sleep(5.5)

    shop.change(Section("list", shell, parts | {"p2": Markup("z")}))
    await asyncio.sleep(2)
    shop.change(Section("list", Markup("<b><!--part p1--></b>"), parts))
    await asyncio.sleep(2)

    first, second = listener.changed
    assert first.data["sections"] == {"p2": "z"}
    assert first.at <= 6.6
    assert second.data["sections"] == {"list": "<b>x</b>"}
    await listener.stop()


async def test_time_alone_is_no_change():
    """A page that differs in nothing but how long ago something was is not sent."""

    def ago(words: str) -> Section:
        return Section("a", Markup('<span class="ago" data-at="1.000" data-form="ago">{}</span>').format(words))

    shop = Shop({"a": ago("1 s ago")})
    hub = shop.hub()
    listener = Listener().start(hub, (await shop.see(INDEX)).revision)
    await asyncio.sleep(2)
    shop.change(ago("3 s ago"))
    await asyncio.sleep(5)

    assert not listener.changed
    await listener.stop()


async def test_a_page_is_looked_at_once_for_all_and_only_when_something_happened():
    """A hundred seconds of nothing cost one look, however many listen; and nobody looks when nobody listens."""
    shop = Shop()
    hub = shop.hub()
    listeners = [Listener().start(hub, "") for _ in range(10)]
    await asyncio.sleep(100)
    quiet = len(shop.looks)
    for _ in range(50):  # five changes a second
        shop.change(Section("a", Markup(str(shop.version))))
        await asyncio.sleep(0.2)
    await asyncio.sleep(1)
    busy = len(shop.looks) - quiet
    for listener in listeners:
        await listener.stop()
    shop.change(Section("a", Markup("unseen")))
    before = len(shop.looks)
    await asyncio.sleep(100)

    assert quiet <= 11  # one for each who came, and one for all
    assert busy <= 12
    assert len(shop.looks) == before
    assert all(len(listener.changed) <= 13 for listener in listeners)
    assert listeners[0].changed[-1].data["sections"] == {"a": "49"}


async def test_a_page_that_is_expensive_is_looked_at_less_often():
    """Looking takes a tenth of the time at most."""
    shop = Shop(costs=0.5)
    hub = shop.hub()
    listener = Listener().start(hub, "")
    for _ in range(100):
        shop.change(Section("a", Markup(str(shop.version))))
        await asyncio.sleep(1)

    assert 0.5 * len(shop.looks) <= 0.1 * 100 + 1.5
    await listener.stop()


async def test_who_is_slow_hears_the_last_word():
    """What was not taken yet is replaced by what is true now; nothing piles up."""
    shop = Shop()
    hub = shop.hub()
    async with aclosing(hub.listen(INDEX, "", lambda: True)) as events:
        for _ in range(2):
            await anext(events)
        await anext(events)  # the page as it was
        for n in range(20):
            shop.change(Section("a", Markup(str(n))))
            await asyncio.sleep(1.5)
        told = (await anext(events)).decode()

    assert '"a":"19"' in told


async def test_a_part_of_before_does_not_come_after_the_whole():
    """A section that was told anew has its parts in it: none that waited is put over them."""
    shop, shell = Shop(), Markup("<!--part p-->")
    shop.change(Section("list", shell, {"p": Markup("1")}))
    hub = shop.hub()
    async with aclosing(hub.listen(INDEX, "", lambda: True)) as events:
        for _ in range(3):
            await anext(events)
        for html, part in (("<b><!--part p--></b>", "1"), ("<b><!--part p--></b>", "2"), ("<i><!--part p--></i>", "3")):
            shop.change(Section("list", Markup(html), {"p": Markup(part)}))
            await asyncio.sleep(1.5)
        told = (await anext(events)).decode()

    assert '"sections":{"list":"<i>3</i>"}' in told


async def test_the_end_of_a_page_is_heard():
    """A page that is no more says so, to who listens and to who comes later, and the stream ends."""
    shop = Shop()
    hub = shop.hub()
    listener = Listener().start(hub, (await shop.see(INDEX)).revision)
    await asyncio.sleep(2)
    shop.gone = True
    shop.change()
    await asyncio.wait_for(listener.task, 5)
    late = Listener().start(hub)
    await asyncio.wait_for(late.task, 5)

    assert listener.heard[-1].event == "gone"
    assert late.heard[-1].event == "gone"


async def test_there_is_room_for_so_many_and_who_left_makes_room():
    """The last page is refused; one whose connection is closed is forgotten at once, not at its next beat."""
    shop = Shop()
    hub = shop.hub()
    there = True
    streams = [hub.listen(INDEX, "", lambda: there) for _ in range(live.MOST)]
    for stream in streams:
        await anext(stream)

    assert hub.is_full()
    there = False
    assert not hub.is_full()
    for stream in streams:
        await stream.aclose()


async def test_who_asks_at_once_is_counted_as_well():
    """Many who ask before the first of them listens do not all get in: the rest shall ask later."""
    shop = Shop()
    hub = shop.hub()
    streams = [hub.listen(INDEX, "", lambda: True) for _ in range(live.MOST + 3)]
    assert not hub.is_full()

    begun = await asyncio.gather(*(anext(stream) for stream in streams))
    assert begun == [live._RETRY] * live.MOST + [live._LATER] * 3
    for stream in streams[live.MOST :]:
        assert await anext(stream, None) is None
    for stream in streams:
        await stream.aclose()


async def test_a_page_that_cannot_be_made_is_no_end():
    """An error of ours is not the stream's: the next change is heard."""
    shop = Shop()
    hub = shop.hub()
    listener = Listener().start(hub, (await shop.see(INDEX)).revision)
    await asyncio.sleep(2)
    shop.broken = True
    shop.change()
    await asyncio.sleep(2)
    shop.broken = False
    shop.change(Section("a", Markup("well again")))
    await asyncio.sleep(2)

    assert listener.changed[-1].data["sections"] == {"a": "well again"}
    await listener.stop()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/live?view=nonsense", 404, id="no such view"),
        pytest.param("/live?view=../../etc/passwd", 404, id="a path"),
    ],
)
async def test_only_pages_can_be_listened_to(world, looking, path, status):
    """Whatever else is named gets an error and no stream."""
    await world.start()

    assert (await looking.get(path)).status == status


async def test_a_page_that_was_just_made_is_no_reason_to_miss_a_change(world, looking):
    """What happened between somebody's look at the page and ours is heard, although the page is hardly a second old."""
    await world.start()
    await asyncio.sleep(20)
    async with looking.open("/live?view=index&have=", Accept="text/event-stream") as stream:
        heard = await stream.content.readany()
        await asyncio.sleep(3.05)
        assert world.app is not None
        for _ in range(4):  # somebody reloads the page all the time
            await looking.get("/")
            await asyncio.sleep(0.3)
        await looking.get("/")
        now = world.app.clock.time()
        await world.app.quieter.silence((Matcher("alertname", MatchOp.EQ, "X"),), now, now + 600, "ann", "just now")
        async with asyncio.timeout(2):
            while b"just now" not in heard:
                heard += await stream.content.readany()


async def test_a_fault_is_heard_on_the_wire(world, looking):
    """From the check's failure to the event with the new headline, over HTTP."""
    await world.start()
    await asyncio.sleep(20)
    async with looking.open("/live?view=index&have=", Accept="text/event-stream") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        world.status = 503
        heard = b""
        async with asyncio.timeout(60):
            while b"gateway is down" not in heard:
                heard += await stream.content.readany()

    assert heard.startswith(b"retry: ")
    assert b"event: changed" in heard

"""What a gateway says through the client, and what it never feels of it."""

import logging
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from sidecar.client import Client
from tests.client.sidecar import sidecar

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.realtime


@pytest.fixture
def there():
    """A sidecar that takes everything."""
    with sidecar() as found:
        yield found


@pytest.fixture
def client(there):
    """A client of it, that sends when it is asked to."""
    with Client(there.url, flush_interval=60.0, sender="test") as found:
        yield found


def test_every_kind_of_event(there, client):
    """Each has the shape that the sidecar reads, and the labels of all."""
    client.describe("wait_seconds", "How long callers wait.", buckets=[0.1, 1])
    client.increment("hits_total", cache="prompts")
    client.gauge("queue_depth", 3)
    client.observe("wait_seconds", 0.25, route="a")
    client.observe("wait_seconds", 0.5, route="a")
    client.circuit_breaker("claude", "half_open")
    client.request(model="claude-x", status=429, retry_after=None, duration=1.5, labels={"team": 7})

    assert client.flush()

    assert there.said() == [
        {"type": "counter", "name": "hits_total", "value": 1.0, "labels": {"cache": "prompts"}},
        {"type": "gauge", "name": "queue_depth", "value": 3.0},
        {
            "type": "histogram",
            "name": "wait_seconds",
            "value": 0.25,
            "help": "How long callers wait.",
            "buckets": [0.1, 1.0],
            "labels": {"route": "a"},
        },
        {"type": "histogram", "name": "wait_seconds", "value": 0.5, "labels": {"route": "a"}},
        {"type": "circuit_breaker", "name": "claude", "state": "half_open"},
        {"type": "request", "model": "claude-x", "status": 429, "duration": 1.5, "retry_after": None,
         "labels": {"team": "7"}},
    ]  # fmt: skip
    assert len(set(there.ids())) == 6
    assert there.heard[0].sender == "test"


def test_what_a_library_calls_usage(there, client):
    """The object of an SDK is sent as its JSON."""
    usage = SimpleNamespace(model_dump=lambda mode: {"input_tokens": 3, "mode": mode})

    client.request(model="m", usage=usage)
    client.flush()

    assert there.events[0]["usage"] == {"input_tokens": 3, "mode": "json"}


def test_counters_travel_together(there, client):
    """Increments of one series are one event, of a gauge the last value is told."""
    for n in range(10):
        client.increment("hits_total", 2, cache="a")
        client.gauge("depth", n)
    client.increment("hits_total", cache="b")
    client.flush()

    assert [(e["name"], e["value"], e.get("labels")) for e in there.events] == [
        ("hits_total", 20.0, {"cache": "a"}),
        ("depth", 9.0, None),
        ("hits_total", 1.0, {"cache": "b"}),
    ]


def test_a_timer(there, client):
    """It observes how long a block took, also one that fails."""
    with client.timer("step_seconds", step="a") as timer:
        assert timer.elapsed >= 0.0
    with pytest.raises(KeyError), client.timer("step_seconds", step="b"):
        raise KeyError
    client.flush()

    assert [event["labels"] for event in there.events] == [{"step": "a"}, {"step": "b"}]
    assert timer.elapsed == timer.elapsed == there.events[0]["value"]


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda c: c.increment("a", "no number"), id="no number"),
        pytest.param(lambda c: c.increment("a", float("nan")), id="NaN"),
        pytest.param(lambda c: c.gauge("a", None), id="nothing"),
        pytest.param(lambda c: c.request(model=object()), id="no JSON"),
        pytest.param(lambda c: c.request(model="m", usage=float("inf")), id="infinite"),
        pytest.param(lambda c: c.request(model="m", labels=3), id="no labels"),
        pytest.param(lambda c: c.circuit_breaker("a", "open", x=Unprintable()), id="a label that raises"),
    ],
)
def test_nothing_raises(there, client, say):
    """What is no event is counted, and hurts nobody."""
    say(client)
    client.increment("good_total")
    assert client.flush()

    assert [event["name"] for event in there.events] == ["good_total"]
    assert client.stats().invalid == 1


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_a_full_batch_goes_at_once(there):
    """Nobody waits a minute with a thousand events."""
    with Client(there.url, flush_interval=60.0, batch_size=5) as client:
        for n in range(12):
            client.observe("a", n)
        assert client.flush()

    assert [len(heard.events) for heard in there.heard][:2] == [5, 5]
    assert len(there.events) == 12


def test_it_sends_by_itself(there):
    """After the interval, without being asked."""
    with Client(there.url, flush_interval=0.01) as client:
        client.increment("a_total")
        while not there.heard:
            time.sleep(0.005)


def test_the_sidecar_is_away_and_returns(there):
    """What happened meanwhile is told when it is back; with the same ids, so that nothing counts twice."""
    there.answers += [(0, {}, {}), (503, {"error": "starting"}, {}), (429, {"error": "slowly"}, {"Retry-After": "1"})]
    with Client(there.url, flush_interval=60.0) as client:
        client.observe("a", 1)
        for failures in (1, 2, 3):
            client.flush(0.05)
            while client.stats().failures < failures:
                time.sleep(0.005)
        stats = client.stats()
        assert (stats.connected, stats.queued, stats.last_error) == (False, 1, "got 429: slowly")

        client.observe("a", 2)
        assert client.flush()

    assert len(set(there.ids())) == 2
    assert there.ids()[:4] == [there.ids()[0]] * 4
    assert client.stats().accepted == 2
    assert client.stats().connected


def test_nobody_is_there():
    """Calls take no time, the queue has an end, and the oldest go first."""
    with Client("http://127.0.0.1:9", flush_interval=60.0, max_queue=10) as client:
        for n in range(25):
            client.observe("a", n)
        assert client.stats().dropped == 15
        assert client.stats().queued == 10
        assert not client.flush(0.05)
        client.close(1.0)

    assert client.stats().lost == 10
    assert "refused" in client.stats().last_error


def test_what_waited_too_long_is_not_told(there):
    """An hour later nobody wants to hear that the queue was long."""
    with Client(there.url, flush_interval=60.0, max_age=-1.0) as client:
        client.gauge("a", 1)
        assert client.flush()

    assert there.heard == []
    assert client.stats().expired == 1


def test_a_batch_that_is_too_large(there, client):
    """It is sent in halves."""
    there.answers.append((413, {"error": "too large"}, {}))
    for n in range(4):
        client.observe("a", n)
    assert client.flush()

    assert [len(heard.events) for heard in there.heard] == [4, 2, 2]
    assert client.stats().accepted == 4


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        pytest.param(
            (200, {"accepted": 1, "duplicates": 1, "rejected_total": 1, "rejected": [{"message": "no name"}]}),
            (2, 2, 2, 0, "got 200: no name"),
            id="in part",
        ),
        pytest.param((404, {"error": "nothing here"}), (0, 0, 0, 6, "got 404: nothing here"), id="another server"),
        pytest.param((400, {"rejected_total": 3, "error": "none"}), (0, 0, 6, 0, "got 400: none"), id="wholly"),
    ],
)
def test_the_sidecar_refuses(there, client, caplog, answer, counts):
    """What it refuses is counted, said once, and not sent again."""
    there.answers += [(*answer, {})] * 2
    with caplog.at_level(logging.WARNING, "sidecar.client"):
        for _ in range(2):
            for n in range(3):
                client.observe("a", n)
            assert client.flush()

    assert len(there.heard) == 2
    assert len(caplog.records) == 1
    stats = client.stats()
    assert (stats.accepted, stats.duplicates, stats.rejected, stats.lost, stats.last_error) == counts


def test_a_token(there):
    """It is sent, and asked for anew each time when it is a function; a refused one is tried again."""
    tokens = ["old", "new"]
    there.answers.append((401, {"error": "expected a token"}, {}))
    with Client(there.url, lambda: tokens.pop(0), flush_interval=60.0) as client:
        client.increment("a_total")
        client.flush(0.1)
        while not client.stats().failures:
            time.sleep(0.005)
        assert client.flush()

    assert [heard.headers["Authorization"] for heard in there.heard] == ["Bearer old", "Bearer new"]


def test_large_bodies_are_compressed(there, client):
    """Small ones are not worth it."""
    client.observe("a", 1)
    client.flush()
    for n in range(100):
        client.observe("a", n)
    client.flush()

    assert [heard.headers.get("Content-Encoding") for heard in there.heard] == [None, "gzip"]
    assert len(there.events) == 101


class UnixServer(socketserver.ThreadingUnixStreamServer):
    def get_request(self):
        request, _ = super().get_request()
        return request, ("", 0)


def test_a_unix_socket(tmp_path):
    """The sidecar may listen where only this machine sees it."""
    with sidecar(UnixServer, str(tmp_path / "s")) as there, Client(there.url, flush_interval=60.0) as client:
        client.increment("a_total")
        assert client.flush()

    assert there.heard[0].headers["Host"] == "localhost"


@pytest.mark.parametrize("url", ["localhost:9797", "ftp://x", "http://", ""])
def test_an_address_that_is_none(url, monkeypatch):
    """That is a mistake in the program, said at once; no address is the usual one."""
    monkeypatch.delenv("SIDECAR_URL", raising=False)
    if not url:
        Client(url).close()
        return
    with pytest.raises(ValueError, match="expected the sidecar's address"):
        Client(url)


def test_many_threads(there):
    """Every event of every thread arrives once."""
    with Client(there.url, flush_interval=0.01, batch_size=50, max_queue=100_000) as client:

        def say() -> None:
            for _ in range(200):
                client.observe("a", 1)

        threads = [threading.Thread(target=say) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush()

    assert len(there.events) == len(set(there.ids())) == 1600
    assert client.stats().accepted == 1600


def test_a_slow_sidecar_holds_nobody(there):
    """Calls go on while an answer is awaited, and closing waits no longer than it may."""
    there.held.clear()
    client = Client(there.url, flush_interval=0.01)
    client.observe("a", 1)
    while not there.heard:
        time.sleep(0.005)
    client.observe("a", 2)

    client.close(0.05)

    assert client.stats().lost == 2
    client.observe("a", 3)
    assert client.stats().lost == 3


def test_a_signal_handler_may_tell(there, client):
    """Also one that interrupts a call of the same thread."""
    before = signal.signal(signal.SIGUSR1, lambda *_: client.increment("signals_total"))
    try:
        with client._sender._lock:
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert client.flush()
    assert there.said() == [{"type": "counter", "name": "signals_total", "value": 1.0}]


def python(script: str, *arguments: str, isolated: bool = False) -> subprocess.CompletedProcess[str]:
    flags = ("-I", "-S") if isolated else ()
    command = [sys.executable, *flags, "-c", script, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)


FORK = """
import os, sys
from sidecar.client import Client
client = Client(sys.argv[1], flush_interval=60)
client.increment("before_total")
children = []
for n in range(2):
    if not (pid := os.fork()):
        client.increment("child_total", child=n)
        assert client.flush() and client.stats().accepted == 1
        os._exit(0)
    children.append(pid)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
client.increment("after_total")
"""


def test_forked_workers(there):
    """Each has a queue, a thread, a name and ids of its own; what waited in the parent is told once, at its end."""
    python(FORK, there.url)

    names = sorted(event["name"] for event in there.events)
    assert names == ["after_total", "before_total", "child_total", "child_total"]
    assert len(set(there.ids())) == 4
    assert len({heard.sender for heard in there.heard}) == 3


ALONE = """
import sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + [sys.argv[2]]
from sidecar.client import Client
client = Client(sys.argv[1], labels={"service": "gateway"})
client.increment("a_total")
ours = sorted(name for name in sys.modules if name.startswith("sidecar"))
print(*ours)
"""


def test_it_needs_nothing_but_python(there):
    """Neither the daemon nor its libraries are imported; the end of the program sends what waits."""
    done = python(ALONE, there.url, str(ROOT), isolated=True)

    assert {name.partition(".")[2].partition(".")[0] for name in done.stdout.split()} == {"", "client"}
    assert there.events[0]["labels"] == {"service": "gateway"}


UNSAID = """
import sys
from sidecar.client import Client
Client(sys.argv[1]).increment("a_total")
"""


def test_the_end_of_a_program_waits_for_nobody():
    """Nobody listens, and the program ends all the same."""
    assert python(UNSAID, "http://127.0.0.1:9").returncode == 0

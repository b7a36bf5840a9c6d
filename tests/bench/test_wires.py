"""The ends between which the benchmarks measure."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.bench.wires import Told, Watched, listening, quantile, turned

BODY = b'{"status": "firing"}'


async def _say(url: str, *requests: bytes) -> bytes:
    """All that is answered to *requests* on one connection."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    for request in requests:
        writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.realtime
@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY), id="with a length"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n8;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (BODY[:8], len(BODY) - 8, BODY[8:]),
            id="in chunks",
        ),
    ],
)
async def test_a_connection_takes_many_messages(request_):
    """Messages that follow each other on one connection are each read whole, timed and answered."""
    told = Told()
    async with listening(told) as url:
        began = told.expect("firing")
        answers = await _say(url, request_, request_)
    assert began.done()
    assert answers.count(b"HTTP/1.1 200 ") == 2


@pytest.mark.realtime
async def test_a_turn_changes_the_answers():
    """What is watched answers as it was turned last, remembers when it did so first, and is heard of by those told."""
    watched, told = Watched(), Told()
    get = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    async with listening(watched) as target, listening(told) as hook:
        assert b" 200 " in await _say(target, get)
        hearing = asyncio.create_task(turned(watched, told, failing=True))
        await asyncio.sleep(0)
        assert watched.failing
        assert b" 503 " in await _say(target, get)
        await _say(hook, b"POST / HTTP/1.1\r\nContent-Length: 22\r\n\r\n" + b'{"status": "resolved"}')
        assert not hearing.done(), "the end of something else"
        await _say(hook, b"POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\n" + BODY)
        (began,) = await hearing
    assert watched.answered is not None
    assert watched.answered < began


def test_quantiles_are_values_that_occurred():
    """A quantile is one of the values, the largest when there are too few for it."""
    values = [float(n) for n in range(100)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50.0, 99.0, 99.0)
    assert quantile([3.0], 0.5) == 3.0

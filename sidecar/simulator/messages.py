"""`POST /v1/messages` and `POST /v1/messages/count_tokens`."""

import asyncio
import json

from aiohttp import web

from sidecar.simulator import answers, errors, limits, requests, stream
from sidecar.simulator.answers import Answer
from sidecar.simulator.call import CALL, Call
from sidecar.simulator.errors import ApiError
from sidecar.simulator.faults import FaultKind
from sidecar.simulator.limits import Pool
from sidecar.simulator.requests import MessagesRequest
from sidecar.simulator.tokens import InputTokens, count

_ACCOUNT = (FaultKind.AUTH, FaultKind.PERMISSION, FaultKind.ON_HOLD)
_IN_STREAM = (FaultKind.STALL, FaultKind.PING_ONLY, FaultKind.TRUNCATE, FaultKind.STREAM_ERROR, FaultKind.RESET)


async def count_tokens(request: web.Request) -> web.StreamResponse:
    """Free, and with a limit of its own that says nothing about the limits of messages."""
    call = request[CALL]
    simulator = call.simulator
    asked = _admit(call, counting=True)
    now, wall = simulator.now(), simulator.wall()
    wait = simulator.counting.wait(1, now)
    simulator.counting.take(0 if wait else 1, now)
    call.add_limits(limits.requests_headers(simulator.counting, now, wall))
    if wait:
        raise errors.rate_limited("requests", max(1, round(wait)))
    raise_faults(call)
    await asyncio.sleep(simulator.latency.overhead * call.slowness)
    return web.json_response({"input_tokens": count(asked)}, headers=call.headers)


async def messages(request: web.Request) -> web.StreamResponse:
    """A message, at once or as a stream."""
    call = request[CALL]
    simulator = call.simulator
    asked = _admit(call, counting=False)
    given = simulator.cache.input_tokens(asked, simulator.now())
    if given.total > asked.model.window:
        raise errors.invalid(f"prompt is too long: {given.total} tokens > {asked.model.window} maximum")
    pool = simulator.pool(asked.model)
    _charge(call, asked, given, pool)
    raise_faults(call)
    found = answers.refusal() if call.has(FaultKind.REFUSAL) else answers.answer(asked)
    pool.output_tokens.take(found.output_tokens, simulator.now())
    if asked.stream:
        return await _streamed(call, asked, given, found)
    return await _at_once(call, asked, given, found)


def raise_faults(call: Call) -> None:
    """Answer with the error that the first fault which has one asks for."""
    wall = call.simulator.wall()
    for fault in call.faults:
        if error := errors.of(fault, wall):
            if fault.kind is FaultKind.THROTTLED and error.retry_after is not None:
                call.add_limits(limits.exhausted_headers(fault.limit, error.retry_after, wall))
            raise error


def raise_account_faults(call: Call) -> None:
    """What the API says before it looks at the request."""
    if (fault := call.has(*_ACCOUNT)) and (error := errors.of(fault, call.simulator.wall())):
        raise error


def _admit(call: Call, *, counting: bool) -> MessagesRequest:
    call.authenticate()
    raise_account_faults(call)
    version = call.check_version()
    asked = requests.check(requests.load(call.raw), version, call.simulator.by_name, counting=counting)
    if call.has(FaultKind.NOT_FOUND):
        raise ApiError(404, "not_found_error", f"model: {call.model}")
    return asked


def _charge(call: Call, asked: MessagesRequest, given: InputTokens, pool: Pool) -> None:
    """Take the request from its limits, or refuse it; either way the answer says what is left."""
    simulator = call.simulator
    now, wall = simulator.now(), simulator.wall()
    refused = pool.refusal(given.limited, now)
    if refused is None:
        pool.requests.take(1, now)
        pool.input_tokens.take(given.limited, now)
    found = pool.headers(now, wall)
    if simulator.limits.priority:
        found |= limits.token_headers("anthropic-priority", pool, now, wall)
    if asked.fast:
        fast = pool if simulator.limits.fast else Pool(limits.Limits(0, 0, 0))
        found |= limits.token_headers("anthropic-fast", fast, now, wall)
        if not simulator.limits.fast:
            call.add_limits(found)
            raise ApiError(429, "rate_limit_error", "Fast mode is not enabled for this organization.", retry_after=60)
    call.add_limits(found)
    if refused:
        raise errors.rate_limited(*refused)


async def _at_once(call: Call, asked: MessagesRequest, given: InputTokens, found: Answer) -> web.StreamResponse:
    simulator = call.simulator
    seconds = simulator.first_token() + found.output_tokens / simulator.latency.tokens_per_second
    await asyncio.sleep(seconds * call.slowness)
    body = json.dumps(answers.message(simulator.new_id("msg"), asked, given, found)).encode()
    fault = call.has(FaultKind.STALL, FaultKind.PING_ONLY, FaultKind.TRUNCATE)
    if fault is None:
        return web.Response(body=body, content_type="application/json", headers=call.headers)
    response = web.StreamResponse(headers=call.headers | {"content-type": "application/json"})
    response.content_length = len(body)
    await response.prepare(call.request)
    await response.write(body[: len(body) // 2])
    if fault.kind is not FaultKind.TRUNCATE:
        await call.gone()
    call.drop()
    return response


async def _streamed(call: Call, asked: MessagesRequest, given: InputTokens, found: Answer) -> web.StreamResponse:
    simulator = call.simulator
    todo = list(stream.steps(simulator.new_id("msg"), asked, given, found))
    response = web.StreamResponse(
        headers=call.headers | {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    )
    await asyncio.sleep(simulator.latency.overhead * call.slowness)
    await response.prepare(call.request)
    first = simulator.first_token() * call.slowness
    if call.has(FaultKind.BUFFERED):
        await asyncio.sleep(first + sum(map(_tokens, todo)) / simulator.latency.tokens_per_second * call.slowness)
        await response.write(b"".join(stream.encode(step.event) for step in todo))
        return response
    await asyncio.sleep(first)
    fault = call.has(*_IN_STREAM)
    deltas = 0
    for step in todo:
        if fault is not None and (step.is_delta or step.event["type"] == "message_delta"):
            if deltas >= (_deltas_before(fault.kind) if fault.after is None else fault.after):
                return await _break(call, response)
            deltas += 1
        await _pace(call, response, step.tokens)
        await response.write(stream.encode(step.event))
    return response


def _deltas_before(kind: FaultKind) -> int:
    return 0 if kind is FaultKind.PING_ONLY else 3


async def _break(call: Call, response: web.StreamResponse) -> web.StreamResponse:
    """What goes wrong in mid-stream."""
    fault = call.has(*_IN_STREAM)
    if fault is None:
        return response
    match fault.kind:
        case FaultKind.STALL:
            await call.gone()
        case FaultKind.PING_ONLY:
            waiting = asyncio.ensure_future(call.gone())
            try:
                while not (await asyncio.wait({waiting}, timeout=fault.every))[0]:
                    await response.write(stream.encode(stream.PING))
            finally:
                waiting.cancel()
        case FaultKind.STREAM_ERROR:
            words = fault.message or errors.STREAM_MESSAGES.get(fault.error_type, fault.error_type)
            error = ApiError(200, fault.error_type, words, code=fault.error_code)
            await response.write(b"event: error\ndata: " + json.dumps(error.body(None)).encode() + b"\n\n")
        case FaultKind.RESET:
            call.drop()
        case _:
            pass  # truncated: the answer ends here, properly as far as HTTP is concerned
    return response


async def _pace(call: Call, response: web.StreamResponse, tokens: int) -> None:
    """Wait until *tokens* are made, with a ping when that takes long."""
    latency = call.simulator.latency
    left = tokens / latency.tokens_per_second * call.slowness
    while left > latency.ping_every:
        await asyncio.sleep(latency.ping_every)
        await response.write(stream.encode(stream.PING))
        left -= latency.ping_every
    if left > 0:
        await asyncio.sleep(left)


def _tokens(step: stream.Step) -> int:
    return step.tokens

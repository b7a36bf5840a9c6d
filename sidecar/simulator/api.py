"""The HTTP side of the simulator."""

import asyncio
import json
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sidecar.simulator import errors, messages, models, requests
from sidecar.simulator.call import CALL, Call, credential
from sidecar.simulator.errors import ApiError
from sidecar.simulator.faults import Fault, FaultError, FaultKind, Timeline
from sidecar.simulator.state import Exchange, Simulator

_FAULTS: Final = "/simulator/faults"
_EDGE: Final = {"server": "cloudflare"}


def application(simulator: Simulator) -> web.Application:
    """*simulator* as a web application."""

    async def start(_: web.Application) -> None:
        simulator.start()

    async def change_faults(request: web.Request) -> web.StreamResponse:
        return await _change_faults(simulator, request)

    app = web.Application(middlewares=[_middleware(simulator)], client_max_size=simulator.max_body)
    app.on_startup.append(start)
    app.router.add_get("/api/hello", _hello)  # and HEAD
    app.router.add_get("/v1/models", models.list_models, allow_head=False)
    app.router.add_get("/v1/models/{id}", models.one_model, allow_head=False)
    app.router.add_post("/v1/messages", messages.messages)
    app.router.add_post("/v1/messages/count_tokens", messages.count_tokens)
    if simulator.control:
        app.router.add_get(_FAULTS, change_faults, allow_head=False)
        app.router.add_put(_FAULTS, change_faults)
    return app


async def _hello(request: web.Request) -> web.StreamResponse:
    call = request[CALL]
    await asyncio.sleep(call.simulator.latency.overhead * call.slowness)
    return web.json_response({"message": "hello"}, headers=call.headers)


async def _change_faults(simulator: Simulator, request: web.Request) -> web.StreamResponse:
    """`{"faults": ["overloaded@0s-30s"]}`: what goes wrong from now on. GET shows it."""
    if request.method == "PUT":
        try:
            simulator.faults = Timeline.of(requests.load(await request.read()).get("faults") or ()).faults
        except FaultError as exc:
            raise errors.invalid(str(exc)) from exc
    return web.json_response(
        {"faults": [str(fault) for fault in simulator.faults], "active": [str(fault) for fault in simulator.active()]}
    )


def _middleware(simulator: Simulator) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        simulator.start()  # an application that is served without its startup hooks
        if request.path == _FAULTS:
            return await _guarded(None, request, handler)
        return await _answer(simulator, request, handler)

    return middleware


async def _answer(simulator: Simulator, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read, let what is in front of the API go wrong, then what is behind it; remember what was answered."""
    at = simulator.now()
    request_id = simulator.new_id("req")
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raw, handler = b"", _refuse_size
    model = requests.model_of(raw) if raw else request.match_info.get("id")
    faults = simulator.striking(request.method, request.path, model)
    call = Call(simulator, request, raw, model, faults, request_id)
    call.headers = {"request-id": request_id, **_EDGE, "cf-ray": f"{simulator.random.getrandbits(64):016x}-SIM"}
    request[CALL] = call
    status = 0
    try:
        response = await _in_front(call) or await _guarded(call, request, handler)
        status = 0 if request.transport is None or request.transport.is_closing() else response.status
    finally:
        simulator.answered(_exchange(call, at, status))
    return response


async def _in_front(call: Call) -> web.StreamResponse | None:
    """What never reaches the API."""
    fault = call.has(FaultKind.HANG, FaultKind.RESET, FaultKind.BAD_GATEWAY, FaultKind.NOT_JSON, FaultKind.TOO_LARGE)
    if fault is None or _in_stream(call, fault):
        return None
    match fault.kind:
        case FaultKind.HANG:
            await call.gone()
        case FaultKind.BAD_GATEWAY:
            return web.Response(status=502, text=errors.BAD_GATEWAY_HTML, content_type="text/html")
        case FaultKind.NOT_JSON:
            return web.Response(text=errors.PORTAL_HTML, content_type="text/html")
        case FaultKind.TOO_LARGE:
            return _error(call, errors.too_large())
        case _:
            pass
    call.drop()
    return web.Response()  # into the void


def _in_stream(call: Call, fault: Fault) -> bool:
    return fault.kind is FaultKind.RESET and fault.after is not None and call.request.path == "/v1/messages"


async def _refuse_size(_: web.Request) -> web.StreamResponse:
    raise errors.too_large()


async def _guarded(call: Call | None, request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as exc:
        return _error(call, exc)
    except ConnectionError:
        return web.Response()  # the other side has left in the middle of its answer; nobody reads this
    except web.HTTPNotFound:
        return _error(call, ApiError(404, "not_found_error", "Not found"))
    except web.HTTPMethodNotAllowed:
        return _error(call, ApiError(405, "invalid_request_error", "Method Not Allowed"))


def _error(call: Call | None, error: ApiError) -> web.Response:
    headers = dict(_EDGE) if call is None or error.edge else dict(call.headers)
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    body = json.dumps(error.body(headers.get("request-id")))
    return web.Response(status=error.status, text=body, content_type="application/json", headers=headers)


def _exchange(call: Call, at: float, status: int) -> Exchange:
    headers = call.request.headers
    retries = headers.get("x-stainless-retry-count", "0")
    return Exchange(
        at=at,
        method=call.request.method,
        path=call.request.path,
        status=status,
        model=call.model,
        version=call.version,
        key_header=credential(headers)[0],
        attempt=int(retries) if retries.isdecimal() else 0,
        request_id=call.request_id,
        faults=tuple(fault.kind.value for fault in call.faults),
    )

"""`GET /v1/models` and `GET /v1/models/{id}`."""

import asyncio

from aiohttp import web

from sidecar.simulator.call import CALL, Call
from sidecar.simulator.catalogue import Model
from sidecar.simulator.errors import ApiError, invalid
from sidecar.simulator.faults import FaultKind
from sidecar.simulator.messages import raise_account_faults, raise_faults

_LIFECYCLES = ("active", "deprecated", "retired")


async def list_models(request: web.Request) -> web.StreamResponse:
    """A page of the catalogue, newest first; retired models only when they are asked for."""
    call = request[CALL]
    await _admit(call)
    wanted = [
        name for key in ("lifecycle", "lifecycle[]") for v in request.query.getall(key, []) for name in v.split(",")
    ]
    for name in wanted:
        if name not in _LIFECYCLES:
            raise invalid("lifecycle: Input should be 'active', 'deprecated' or 'retired'")
    found = [m for m in call.simulator.models if m.lifecycle in (wanted or _LIFECYCLES[:2])]
    page, more = _page(found, call)
    ids = [model.id for model in page]
    body = {
        "data": [model.info() for model in page],
        "has_more": more,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
    return web.json_response(body, headers=call.headers)


async def one_model(request: web.Request) -> web.StreamResponse:
    """One model by its id or an alias of it."""
    call = request[CALL]
    await _admit(call)
    name = request.match_info["id"]
    model = call.simulator.by_name.get(name)
    if model is None or call.has(FaultKind.NOT_FOUND):
        raise ApiError(404, "not_found_error", f"model: {name}")
    return web.json_response(model.info(), headers=call.headers)


async def _admit(call: Call) -> None:
    call.authenticate()
    raise_account_faults(call)
    call.check_version()
    raise_faults(call)
    await asyncio.sleep(call.simulator.latency.overhead * call.slowness)


def _page(models: list[Model], call: Call) -> tuple[list[Model], bool]:
    query = call.request.query
    try:
        limit = int(query.get("limit", "20"))
    except ValueError as exc:
        raise invalid("limit: Input should be a valid integer, unable to parse string as an integer") from exc
    if not 1 <= limit <= 1000:
        bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 1000"
        raise invalid(f"limit: Input should be {bound}")
    ids = [model.id for model in models]
    if before := query.get("before_id"):
        end = _position(ids, before, "before_id")
        return models[max(0, end - limit) : end], end - limit > 0
    start = _position(ids, after, "after_id") + 1 if (after := query.get("after_id")) else 0
    return models[start : start + limit], start + limit < len(models)


def _position(ids: list[str], id_: str, field: str) -> int:
    if id_ not in ids:
        raise invalid(f"{field}: no such model")
    return ids.index(id_)

"""The description of the API, and that nothing is left out of it."""

from aiohttp import web
from openapi_spec_validator import validate

from sidecar.api.endpoint import Asked, Operation, Part, described, get, operation_of
from sidecar.api.openapi import document
from sidecar.services.late import all_of


class OfName(Asked):
    name: str


class Thing(Part):
    """A thing."""

    size: int


async def thing(asked: OfName) -> Thing:
    return Thing(size=len(asked.name))


async def bare(_: web.Request) -> web.Response:
    return web.Response()


async def test_every_route_of_the_daemon_says_what_it_asks_and_answers(world):
    """No route for programs is without a description, which is valid; pages for people are described by their path."""
    app = await world.start()
    routes = list(all_of(app.routes(lambda: True)))

    found = document(routes, "1.2.3")

    validate(found)
    undeclared = [route.path for route in routes if operation_of(route) is None]
    assert [path for path in undeclared if path.startswith(("/api", "/-", "/badges", "/health", "/metrics"))] == []
    served = {(route.method.lower(), route.path.partition(":")[0]) for route in routes}
    told = {(method, path) for path, methods in found["paths"].items() for method in methods}
    assert {path for _, path in told} >= {"/metrics", "/health", "/-/reload", "/api/v1/query", "/api/v1/openapi.json"}
    assert len(told) == len(served)
    names = [operation["operationId"] for methods in found["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_a_handler_is_described_by_its_own_types():
    """Parameters and answer are those of the function, so that the description cannot differ from it."""
    found = document([get("/things/{name}", thing, "One thing.", {404: "None."})], "1")

    operation = found["paths"]["/things/{name}"]["get"]
    [parameter] = operation["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("name", "path", True)
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["properties"]["data"] == {"$ref": "#/components/schemas/Thing"}
    assert found["components"]["schemas"]["Thing"]["properties"]["size"]["type"] == "integer"
    problem = operation["responses"]["404"]["content"]["application/json"]["schema"]
    assert problem == {"$ref": "#/components/schemas/Problem"}


def test_whatever_declares_nothing_is_still_there():
    """A route without a description has its path and its variables."""
    found = document([web.put("/odd/{what:[a-z]{1,3}}/x", bare)], "1")

    validate(found)
    assert [one["name"] for one in found["paths"]["/odd/{what}/x"]["put"]["parameters"]] == ["what"]


def test_text_is_described_as_text():
    """An answer that is no JSON has its content type."""
    route = described(web.get("/x", bare), Operation("Text.", str, enveloped=False, content_type="text/plain"))

    good = document([route], "1")["paths"]["/x"]["get"]["responses"]["200"]

    assert list(good["content"]) == ["text/plain"]

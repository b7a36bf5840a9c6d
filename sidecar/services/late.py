"""Routes that are made when somebody asks for one: until then, what they need is not loaded."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NoReturn

from aiohttp import web
from aiohttp.abc import AbstractMatchInfo
from aiohttp.web_urldispatcher import AbstractResource, AbstractRoute, UrlDispatcher, UrlMappingMatchInfo

Load = Callable[[], Iterable[web.AbstractRouteDef]]


class Late(web.AbstractRouteDef):
    """What *load* returns, loaded in a thread by the first request for one of *places* or for something below it.

    The root stands for itself alone. What is not late wins over what is.
    """

    def __init__(self, places: Collection[str], load: Load) -> None:
        self.places = places
        self.load = load

    def register(self, router: UrlDispatcher) -> list[AbstractRoute]:
        """Take the places in *router*."""
        routes = _Routes(self.load)
        for place in self.places:
            router.register_resource(_Place(place, routes))
        return []


class _Routes:
    """The routes of one loader, made once."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._router: UrlDispatcher | None = None
        self._once = asyncio.Lock()

    async def resolve(self, request: web.Request) -> AbstractMatchInfo:
        """Who answers *request*."""
        async with self._once:
            if self._router is None:
                self._router = await asyncio.to_thread(self._made)
        return await self._router.resolve(request)

    def _made(self) -> UrlDispatcher:
        router = UrlDispatcher()
        router.add_routes(self._load())
        router.freeze()
        return router


class _Place(AbstractResource):
    """A path, and all below it, whose routes are somewhere else."""

    def __init__(self, path: str, routes: _Routes) -> None:
        super().__init__()
        self._path = path
        self._routes = routes

    @property
    def canonical(self) -> str:
        return self._path

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        if self._path == "/" and request.path != "/":
            return None, set()
        found = await self._routes.resolve(request)
        if isinstance(error := found.http_exception, web.HTTPMethodNotAllowed):
            return None, set(error.allowed_methods)
        return (found, set()) if isinstance(found, UrlMappingMatchInfo) and error is None else (None, set())

    def raw_match(self, path: str) -> bool:
        return path == self._path

    def get_info(self) -> Any:
        return {"path": self._path}

    def url_for(self, **_: str) -> NoReturn:
        raise NotImplementedError(f"{self._path} is no single address")

    def add_prefix(self, prefix: str) -> None:
        self._path = prefix + self._path

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[AbstractRoute]:
        return iter(())


def all_of(routes: Iterable[web.AbstractRouteDef]) -> Iterator[web.RouteDef]:
    """Every route there is, the late ones loaded."""
    for route in routes:
        if isinstance(route, Late):
            yield from all_of(route.load())
        elif isinstance(route, web.RouteDef):
            yield route

"""The route of a request, found by its verb and the words of its path, not tried one after another."""

from collections import defaultdict
from collections.abc import Iterable

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.route import Direct


class Lookup:
    """In front of a router. What it does not find (another verb, a slash too many, nothing at all), and a
    route that FastAPI has to answer, goes the router's own way.
    """

    def __init__(self, routes: Iterable[BaseRoute], otherwise: ASGIApp) -> None:
        self._otherwise = otherwise
        direct = [route for route in routes if isinstance(route, Direct)]
        self._words = {_word(route) for route in direct}
        self._routes = defaultdict[tuple[str, int, str], list[Direct]](list)
        for route in direct:
            for word in {_word(route)} if _word(route) else self._words | {""}:
                for verb in route.methods or ():
                    self._routes[verb, route.path.count("/"), word].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for route in self._some(scope) if scope["type"] == "http" else ():
            match, found = route.matches(scope)
            if match is Match.FULL:
                if not route.direct:
                    break
                scope.update(found)
                await route.app(scope, receive, send)
                return
        await self._otherwise(scope, receive, send)

    def _some(self, scope: Scope) -> list[Direct]:
        """Among which it is, if any; in the router's order."""
        path = scope["path"]
        word = path.rpartition("/")[2]
        place = scope["method"], path.count("/"), word if word in self._words else ""
        return self._routes.get(place, [])


def _word(route: Direct) -> str:
    """What its path ends with; empty if that is a parameter."""
    last = route.path.rpartition("/")[2]
    return "" if "{" in last else last

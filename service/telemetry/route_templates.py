"""Which of an app's route templates a request took.

Knows routes of Starlette and FastAPI, mounted apps and included routers. A template such as
"/v2/glossaries/{id}" belongs to the app, so it can be logged and counted; a path belongs to the
client and may hold anything. Does not know what a route does.

The server's `scope["route"]` would not do: under a mount or an included router it lacks the prefix,
and for some routes FastAPI sets none. `scope["endpoint"]` names what answered in all these cases.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount, compile_path
from starlette.types import Scope


class RouteTemplates:
    """The templates of an app, by what answers there.

    Args:
        routes: all of the app's; what is added later is unknown.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._templates: dict[int, list[tuple[str, re.Pattern[str]]]] = defaultdict(list)
        self._literal: set[str] = set()
        for endpoint, path in _walk(routes, ""):
            pattern, template, parameters = compile_path(path)
            self._templates[id(endpoint)].append((template, pattern))
            if not parameters:
                self._literal.add(template)

    def find(self, scope: Scope) -> str | None:
        """The template that a request took, below the app's root path; None if it took none.

        A request that was answered before routing counts for the route with exactly its path.

        Args:
            scope: as routing has left it.
        """
        templates = self._templates.get(id(scope.get("endpoint")), ())
        if len(templates) == 1:
            return templates[0][0]
        # A mounted app has its own root path in the scope.
        root_path = scope.get("app_root_path", scope.get("root_path", ""))
        path = scope["path"].removeprefix(root_path)
        if not templates:
            return path if path in self._literal else None
        # A function with more than one path.
        return next((template for template, pattern in templates if pattern.match(path)), None)


def _walk(routes: Sequence[BaseRoute], prefix: str) -> Iterator[tuple[object, str]]:
    """Each endpoint with its path."""
    for route in iter_route_contexts(routes):
        if route.path is None:
            continue
        path = prefix + route.path
        if isinstance(route.original_route, Mount):
            # What the mounted app does not find is answered by the app itself.
            yield route.original_route.app, path + "/{path:path}"
            yield from _walk(route.original_route.routes, path)
        else:
            yield route.endpoint, path

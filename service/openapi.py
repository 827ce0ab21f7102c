"""The OpenAPI document: what FastAPI makes of the routes, and what only a running server knows.

Knows schemas, and which limits and names of a server they may refer to. Does not know routes: each
describes itself, in the terms of `of_server` where a range is a setting or a name is a model's.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.server import Server

_MARK = "x-of-server"
_FRAMEWORK = ("HTTPValidationError", "ValidationError")
"""Schemas of FastAPI's own error bodies, which no wire sends."""


def of_server(**keywords: str) -> dict[str, Any]:
    """Keywords of a schema that each server gives a value of its own.

    Args:
        keywords: names of values in `_values`, by keyword of JSON Schema.
    """
    return {_MARK: keywords}


def document(app: FastAPI, server: Server) -> dict[str, Any]:
    """The OpenAPI document of a running server."""
    raw = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = raw.setdefault("components", {}).setdefault("schemas", {})
    for name in _FRAMEWORK:
        schemas.pop(name, None)
    completed: dict[str, Any] = _complete(raw, _values(server), schemas)
    for path in completed["paths"].values():
        for operation in path.values():
            # FastAPI's, of every route with a parameter. Ours say 400.
            operation["responses"].pop("422", None)
    completed["servers"] = [{"url": server.settings.root_path or "/"}]
    return completed


def _values(server: Server) -> dict[str, Any]:
    settings, catalogue = server.settings, server.translation.catalogue
    languages = list(catalogue.languages)
    return {
        "char_limit": settings.char_limit,
        "batch_limit": settings.batch_limit,
        "max_beam_size": settings.max_beam_size,
        "n_best": 1 + settings.max_alternatives,
        "max_alternatives": server.translation.max_alternatives,
        "languages": languages,
        "languages_or_auto": [*languages, "auto"],
        "models": [model.name for model in catalogue.models],
    }


def _complete(node: Any, values: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """A copy with values for marks; definitions within go to the schemas that all share."""
    if isinstance(node, list):
        return [_complete(each, values, schemas) for each in node]
    if not isinstance(node, dict):
        return node
    for name, definition in node.get("$defs", {}).items():
        schemas[name] = definition
    ...

"""The OpenAPI document: what FastAPI makes of the routes, and what only a running server knows.

Knows the limits, names and codes of a server that descriptions may refer to. Does not know routes:
each describes itself, in the terms of `service.descriptions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.deepl import languages as deepl_languages
from service.descriptions import OF_SERVER
from service.server import Server

SCHEMES = {
    "Authorization": {"type": "http", "scheme": "bearer"},
    "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""Where a client may put its key, on every wire."""

_OF_FRAMEWORK = ("HTTPValidationError", "ValidationError")
"""Schemas of the framework's own errors, which no wire sends."""


def document(app: FastAPI, server: Server) -> dict[str, Any]:
    """The OpenAPI document of a running server."""
    raw = get_openapi(title=app.title, version=app.version, routes=app.routes)
    shared = raw["components"]["schemas"]
    for name in _OF_FRAMEWORK:
        shared.pop(name, None)
    for path in raw["paths"].values():
        for operation in path.values():
            # Of every route with a parameter, by the framework; our own status is 400.
            operation["responses"].pop("422", None)
            for content in _contents(operation):
                shared |= content["schema"].pop("$defs", {})
    if server.access.keys_required:
        raw["components"]["securitySchemes"] = SCHEMES
    completed: dict[str, Any] = _complete(raw, _values(server))
    return completed | {"servers": [{"url": server.settings.root_path or "/"}]}


def _contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The bodies of a route whose schemas are its own."""
    for place in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from (each for each in place.get("content", {}).values() if "schema" in each)


def _values(server: Server) -> dict[str, Any]:
    settings, translation = server.settings, server.translation
    languages = list(translation.catalogue.languages)
    deepl_sources, deepl_targets = (
        deepl_languages.sources(languages),
        deepl_languages.targets(languages),
    )
    return {
        "char_limit": settings.char_limit,
        "batch_limit": settings.batch_limit,
        "max_beam_size": settings.max_beam_size,
        "max_alternatives": translation.max_alternatives,
        "max_n_best": 1 + settings.max_alternatives,
        "languages": languages,
        "languages_or_auto": [*languages, "auto"],
        "deepl_sources": [each.code for each in deepl_sources],
        "deepl_targets": [each.code for each in deepl_targets],
        "security": [{name: []} for name in SCHEMES] if server.access.keys_required else [],
        "models": [model.name for model in translation.catalogue.models],
        "all_models": [model.name for model in translation.catalogue.all],
    }


def _complete(node: Any, values: dict[str, Any]) -> Any:
    """A copy that says each server's own values."""
    if isinstance(node, list):
        return [_complete(each, values) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {name: _complete(each, values) for name, each in node.items() if name != OF_SERVER}
    own = node.get(OF_SERVER, {})
    return copy | {keyword: values[name] for keyword, name in own.items()}

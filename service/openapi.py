"""The OpenAPI document: what FastAPI makes of the routes, and what only a running server knows.

Knows schemas, and the limits and names of a server that they may refer to. Does not know routes:
each describes itself, in the terms of `of_server` where a limit is a setting or a name is a
model's, and of `request_body` where it reads its parameters itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter

from service.deepl import languages as deepl_languages
from service.server import Server

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

SCHEMES = {
    "Authorization": {"type": "http", "scheme": "bearer"},
    "X-API-Key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""Where a client may put its key, on every wire."""

_OF_SERVER = "x-of-server"
_REFERENCE = "#/components/schemas/{model}"
_OF_FRAMEWORK = ("HTTPValidationError", "ValidationError")
"""Schemas of the framework's own errors, which no wire sends."""


def of_server(**keywords: str) -> dict[str, Any]:
    """Keywords of a schema whose values are each server's own.

    Args:
        keywords: by keyword of JSON Schema, the name of its value in `_values`.
    """
    return {_OF_SERVER: keywords}


WITH_KEY = of_server(security="security")
"""Of a route that asks for a key, where the server asks for keys."""


def request_body(
    model: type[BaseModel], *, forms: bool = False, lists_in_forms: bool = False
) -> dict[str, Any]:
    """A request's parameters in the terms of OpenAPI.

    Args:
        model: of the parameters as a JSON object.
        forms: whether they may come as a form as well.
        lists_in_forms: whether a form may repeat a field that is a list in JSON.
    """
    schema = schema_of(model)
    examples = schema.pop("examples", [])
    content: dict[str, Any] = {JSON: {"schema": schema}}
    if examples:
        named = {f"example {n}": {"value": value} for n, value in enumerate(examples, start=1)}
        content[JSON]["examples"] = named
    if forms:
        kinds = ("null",) if lists_in_forms else ("null", "array")
        fields = {name: _without(kinds, field) for name, field in schema["properties"].items()}
        content |= {each: {"schema": schema | {"properties": fields}} for each in FORMS}
    return {"requestBody": {"required": True, "content": content}} | WITH_KEY


def _without(kinds: Collection[str], field: dict[str, Any]) -> dict[str, Any]:
    """A field that may not be of some types: forms know neither null nor, as a rule, lists."""
    if "anyOf" not in field:
        return field
    return field | {"anyOf": [each for each in field["anyOf"] if each.get("type") not in kinds]}


def schema_of(kind: Any) -> dict[str, Any]:
    """A type in the terms of OpenAPI, where the framework does not see it."""
    return TypeAdapter(kind).json_schema(ref_template=_REFERENCE)


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
    }


def _complete(node: Any, values: dict[str, Any]) -> Any:
    """A copy that says each server's own values."""
    if isinstance(node, list):
        return [_complete(each, values) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {name: _complete(each, values) for name, each in node.items() if name != _OF_SERVER}
    own = node.get(_OF_SERVER, {})
    return copy | {keyword: values[name] for keyword, name in own.items()}

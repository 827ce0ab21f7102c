"""How routes and bodies describe themselves to the OpenAPI document.

Knows the terms of OpenAPI, and that a limit or a name may be each server's own: `service.openapi`
puts those in. Does not know any route.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel, TypeAdapter

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

OF_SERVER = "x-of-server"
"""Keyword under which a schema names values that each server has of its own."""
_REFERENCE = "#/components/schemas/{model}"


def of_server(**keywords: str) -> dict[str, Any]:
    """Keywords of a schema whose values are each server's own.

    Args:
        keywords: by keyword of JSON Schema, the name of its value in `service.openapi`.
    """
    return {OF_SERVER: keywords}


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


def schema_of(kind: Any) -> dict[str, Any]:
    """A type in the terms of OpenAPI, where the framework does not see it."""
    return TypeAdapter(kind).json_schema(ref_template=_REFERENCE)


def _without(kinds: Collection[str], field: dict[str, Any]) -> dict[str, Any]:
    """A field that may not be of some types: forms know neither null nor, as a rule, lists."""
    if "anyOf" not in field:
        return field
    return field | {"anyOf": [each for each in field["anyOf"] if each.get("type") not in kinds]}

"""The parameters of a request, wherever clients put them.

Knows JSON bodies, urlencoded and multipart forms and query strings, and makes all text valid
Unicode at the door. Does not know what the parameters mean.

Cleaning is the only change made to a text: lone surrogates, which no encoder can write back,
become U+FFFD, and NUL characters are removed. White space and line ends stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.errors import Kind, ServiceError

MAX_FIELDS = 1000
"""Most fields in a form or query string."""

LONGEST_NAME = 100
"""Characters of a name that an error repeats."""

Parameters = Sequence[tuple[str, object]]
"""Names and values; the values are those of a JSON document as they are, or strings. A name may be
there more than once."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON = re.compile(r"application/(.+\+)?json")


def clean(text: str) -> str:
    """Make a text valid Unicode without NUL characters."""
    return _LONE_SURROGATE.sub("\ufffd", text).replace("\0", "")


async def read_parameters(request: Request) -> Parameters:
    """The parameters of a JSON body, or else those of the query string and the form body.

    Raises:
        ServiceError: INVALID_REQUEST, the body is not what its content type says.
    """
    media_type = _media_type(request)
    if is_json(request):
        return read_json_object(await request.body())
    query = query_parameters(request)
    if media_type == "multipart/form-data":
        return [*query, *await _multipart_fields(request)]
    if media_type == "application/x-www-form-urlencoded":
        return [*query, *_fields(await request.body())]
    await request.body()  # read, so that the next thing received is the client's departure
    return query


def query_parameters(request: Request) -> Parameters:
    """The parameters of the query string.

    Raises:
        ServiceError: INVALID_REQUEST, there are too many, or they are not UTF-8.
    """
    return _fields(request.scope["query_string"])


def is_json(request: Request) -> bool:
    """Whether the body says that it is JSON."""
    return _JSON.fullmatch(_media_type(request)) is not None


def read_json_object(body: bytes) -> Parameters:
    """The members of a JSON object.

    Raises:
        ServiceError: INVALID_REQUEST, it is none, or a name is in an object twice.
    """
    try:
        document = json.loads(body, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:  # the latter from "[[[[..." without end
        raise ServiceError(Kind.INVALID_REQUEST, "Invalid JSON format") from error
    if not isinstance(document, dict):
        raise ServiceError(Kind.INVALID_REQUEST, "Invalid JSON format")
    return list(document.items())


def unique(parameters: Parameters, names: Container[str]) -> Mapping[str, object]:
    """The parameters by name; those of other names are left out.

    Raises:
        ServiceError: INVALID_REQUEST, one has two values.
    """
    found: dict[str, object] = {}
    for name, value in parameters:
        if name in names and found.setdefault(name, value) != value:
            raise ServiceError(
                Kind.INVALID_REQUEST,
                "Invalid request: a parameter is given twice; several texts need a JSON list",
                field=name,
            )
    return found


def grouped(parameters: Iterable[tuple[str, object]]) -> Mapping[str, Sequence[object]]:
    """All values of each name; of those that JSON gives as a list, its items."""
    found: dict[str, list[object]] = {}
    for name, value in parameters:
        found.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    return found


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON, of which the parser by itself would keep the last of two values."""
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            field = clean(name)[:LONGEST_NAME]
            message = f"Invalid request: {field} is given twice in a JSON object"
            raise ServiceError(Kind.INVALID_REQUEST, message, field=field)
        members[name] = value
    return members


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _fields(encoded: bytes) -> list[tuple[str, str]]:
    # Many clients (curl -d "q=Grüße") send UTF-8 without percent-encoding it: decode, then split.
    try:
        return parse_qsl(
            encoded.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError as error:
        message = "Invalid request: forms and query strings have to be UTF-8"
        raise ServiceError(Kind.INVALID_REQUEST, message) from error
    except ValueError as error:
        message = "Invalid request: too many form fields"
        raise ServiceError(Kind.INVALID_REQUEST, message) from error


async def _multipart_fields(request: Request) -> list[tuple[str, str]]:
    # No part is larger than the whole, which is bounded already.
    size = int(request.app.state.server.settings.max_body_bytes)
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=size)
    except (ValueError, LookupError) as error:  # an unknown charset, among others
        message = "Invalid request: the form cannot be read"
        raise ServiceError(Kind.INVALID_REQUEST, message) from error
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]

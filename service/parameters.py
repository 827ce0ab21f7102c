"""The parameters of a request, wherever LibreTranslate's clients put them.

Knows JSON bodies, urlencoded and multipart forms and query strings, and makes all text valid
Unicode at the door. Does not know what the parameters mean.

Cleaning is the only change made to a text: lone surrogates, which no encoder can write back,
become U+FFFD, and NUL characters are removed. White space and line ends stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.errors import ServiceError

MAX_FIELDS = 100
"""Most fields in a form or query string."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Make a text valid Unicode without NUL characters."""
    return _LONE_SURROGATE.sub("\ufffd", text).replace("\0", "")


async def read_parameters(request: Request) -> Mapping[str, object]:
    """The parameters of a JSON body, or else those of the query string and the form body.

    Values are those of the JSON document as they are, or strings.

    Raises:
        ServiceError: 400, the body is not what its content type says, or a form or query string
            gives a parameter two values.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json" or re.fullmatch(r"application/.+\+json", media_type):
        return _json_object(await request.body())
    query = _fields(request.scope["query_string"])
    if media_type == "multipart/form-data":
        return _unique([*query, *await _multipart_fields(request)])
    if media_type == "application/x-www-form-urlencoded":
        return _unique([*query, *_fields(await request.body())])
    await request.body()  # read, so that the next thing received is the client's departure
    return _unique(query)


def _json_object(body: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:  # the latter from "[[[[..." without end
        raise ServiceError(400, "Invalid JSON format") from error
    if not isinstance(document, dict):
        raise ServiceError(400, "Invalid JSON format")
    return document


def _fields(encoded: bytes) -> list[tuple[str, str]]:
    # Many clients (curl -d "q=Grüße") send UTF-8 without percent-encoding it: decode, then split.
    try:
        return parse_qsl(
            encoded.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise ServiceError(400, "Invalid request: too many form fields") from error


async def _multipart_fields(request: Request) -> list[tuple[str, str]]:
    size = request.app.state.service.settings.max_body_bytes
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS, max_part_size=size)
    except (ValueError, LookupError) as error:  # an unknown charset, among others
        raise ServiceError(400, "Invalid request: the form cannot be read") from error
    return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def _unique(fields: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    parameters: dict[str, str] = {}
    for name, value in fields:
        if parameters.setdefault(name, value) != value:
            raise ServiceError(
                400, "Invalid request: a parameter is given twice; several texts need a JSON list"
            )
    return parameters

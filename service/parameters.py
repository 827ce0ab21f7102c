"""The parameters of a request, wherever clients put them.

Knows JSON bodies, urlencoded and multipart forms and query strings, and makes all text valid
Unicode at the door. Does not know what the parameters mean.

What does not say what it is, or is not what it says, is refused and not guessed at.

Cleaning is the only change made to a text: lone surrogates, which no encoder can write back,
become U+FFFD, and NUL characters are removed. White space and line ends stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import aclosing
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.errors import Kind, ServiceError

MAX_FIELDS = 1000
"""Most fields in a form or query string."""

LONGEST_NAME = 100
"""Characters of a name that an error repeats."""
NOT_UTF_8 = "Invalid request: forms and query strings have to be UTF-8"

Parameters = Sequence[tuple[str, object]]
"""Names and values; the values are those of a JSON document as they are, or strings. A name may be
there more than once."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON = re.compile(r"application/(.+\+)?json")
_LIKE_JSON = re.compile(rb"\s*\{")


def clean(text: str) -> str:
    """Make a text valid Unicode without NUL characters."""
    return _LONE_SURROGATE.sub("\ufffd", text).replace("\0", "")


async def read_parameters(request: Request) -> Parameters:
    """The parameters of a JSON body, or else those of the query string and the form body.

    Raises:
        ServiceError: INVALID_REQUEST, the body is not what its content type says;
            UNSUPPORTED_ENCODING.
    """
    media_type = _media_type(request)
    if is_json(request):
        return read_json_object(await request.body())
    query = query_parameters(request)
    if media_type == "multipart/form-data":
        return [*query, *await _multipart_fields(request)]
    # Read whatever it is, so that the next thing received is the client's departure.
    body = await request.body()
    if _LIKE_JSON.match(body):  # which as a form, or as nothing, would lack all its parameters
        said = media_type[:LONGEST_NAME] or "missing"
        message = f"the body looks like JSON, but its Content-Type is {said}"
        message = f"Invalid request: {message}; it has to be application/json"
        raise ServiceError(Kind.INVALID_REQUEST, message)
    return [*query, *_fields(body)] if media_type == "application/x-www-form-urlencoded" else query


def query_parameters(request: Request) -> Parameters:
    """The parameters of the query string.

    Raises:
        ServiceError: INVALID_REQUEST, there are too many, or they are not UTF-8.
    """
    return _fields(request.scope["query_string"])


def is_json(request: Request) -> bool:
    """Whether the body says that it is JSON.

    Raises:
        ServiceError: UNSUPPORTED_ENCODING, it says that it is compressed.
    """
    return _JSON.fullmatch(_media_type(request)) is not None


def read_json_object(body: bytes) -> Parameters:
    """The members of a JSON object.

    Raises:
        ServiceError: INVALID_REQUEST, it is none, a name is in an object twice, or a number is
            none that JSON has.
    """
    try:
        document = json.loads(body, object_pairs_hook=_members, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _no_json(f"{error.msg} ({where})") from error
    except UnicodeDecodeError as error:
        raise _no_json(f"byte {error.start + 1} is not UTF-8") from error
    except ValueError as error:
        raise _no_json("a number has too many digits") from error
    except RecursionError as error:  # from "[[[[..." without end
        raise _no_json("too many brackets within brackets") from error
    if not isinstance(document, dict):
        raise _no_json("the body has to be an object")
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
                f"Invalid request: {name} is given twice; several texts need a JSON list",
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


def _refuse_constant(name: str) -> None:
    """What Python alone takes for a number: NaN, Infinity, -Infinity."""
    raise _no_json(f"{name} is no number of JSON")


def _no_json(why: str) -> ServiceError:
    # LibreTranslate's words, and the reason.
    return ServiceError(Kind.INVALID_REQUEST, f"Invalid JSON format: {why}")


def _media_type(request: Request) -> str:
    """That of the body, in lower case; raises ServiceError if the body is compressed."""
    encoding = ", ".join(request.headers.getlist("content-encoding")).strip().lower()
    if encoding not in ("", "identity"):
        message = f"a body with Content-Encoding: {encoding[:LONGEST_NAME]} is not read"
        message = f"Invalid request: {message}; send it uncompressed"
        headers = {"Accept-Encoding": "identity"}
        raise ServiceError(Kind.UNSUPPORTED_ENCODING, message, headers=headers)
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _fields(encoded: bytes) -> list[tuple[str, str]]:
    # Many clients (curl -d "q=Grüße") send UTF-8 without percent-encoding it: decode, then split.
    try:
        return parse_qsl(
            encoded.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError as error:
        raise ServiceError(Kind.INVALID_REQUEST, NOT_UTF_8) from error
    except ValueError as error:
        message = "Invalid request: too many form fields"
        raise ServiceError(Kind.INVALID_REQUEST, message) from error


class _MultiPart(MultiPartParser):
    """Starlette's parser, which by itself takes what arrived of a form for all of it."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _multipart_fields(request: Request) -> list[tuple[str, str]]:
    content_type = request.headers["content-type"]
    if content_type.count('"') % 2:  # would swallow what is put behind it
        raise _unreadable("the Content-Type has a quotation mark without its other one")
    # Latin-1 keeps all bytes as they are. Starlette would follow the charset of the header, some of
    # which take minutes for a megabyte, and fall back to Latin-1 where a text does not fit.
    headers = Headers({"content-type": f"{content_type}; charset=latin-1"})
    # No part is larger than the whole, which is bounded already.
    size = int(request.app.state.server.settings.max_body_bytes)
    async with aclosing(request.stream()) as stream:
        parser = _MultiPart(headers, stream, max_files=0, max_fields=MAX_FIELDS, max_part_size=size)
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise _unreadable(error.message) from error
    if not parser.ended:
        raise _unreadable("it ends before its closing boundary")
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    try:
        return [(_from_bytes(name), _from_bytes(value)) for name, value in fields]
    except UnicodeDecodeError as error:
        raise ServiceError(Kind.INVALID_REQUEST, NOT_UTF_8) from error


def _from_bytes(latin_1: str) -> str:
    return latin_1.encode("latin-1").decode()


def _unreadable(why: str) -> ServiceError:
    return ServiceError(Kind.INVALID_REQUEST, f"Invalid request: the form cannot be read: {why}")

"""Why a request is not answered, in terms that every wire can render in its own way.

Knows kinds of failure, the status each has by default, and when to come again. Does not know how
a wire spells them: `service.wires` does. A message for a client never holds an internal detail;
those are in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What went wrong; the value is the code that clients of the native wire see."""

    INVALID_REQUEST = "invalid_request"
    """A parameter is missing, of the wrong type or out of range."""
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    """The body is compressed."""
    UNSUPPORTED_LANGUAGE = "unsupported_language"
    """A code that is unknown, or a pair that no model serves."""
    TOO_LARGE = "too_large"
    """More than can be translated in the time there is, or than is read at all."""
    KEY_MISSING = "key_missing"
    KEY_INVALID = "key_invalid"
    RATE_LIMITED = "rate_limited"
    """The client has sent more characters than it may in a minute."""
    QUOTA_EXCEEDED = "quota_exceeded"
    """The client has used up its characters for good."""
    OVERLOADED = "overloaded"
    """So much is waiting that the answer would come too late."""
    UNAVAILABLE = "unavailable"
    """Starting, draining, or a worker has just died."""
    DEADLINE = "deadline"
    """The answer was not there in time."""
    REQUEST_TIMEOUT = "request_timeout"
    """The request itself was not there in time."""
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    DISABLED = "disabled"
    """Something that this server does not offer."""
    INTERNAL = "internal"


STATUS = {
    Kind.INVALID_REQUEST: 400,
    Kind.UNSUPPORTED_ENCODING: 415,
    Kind.UNSUPPORTED_LANGUAGE: 400,
    Kind.TOO_LARGE: 413,
    Kind.KEY_MISSING: 403,
    Kind.KEY_INVALID: 403,
    Kind.RATE_LIMITED: 429,
    Kind.QUOTA_EXCEEDED: 429,
    Kind.OVERLOADED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE: 504,
    Kind.REQUEST_TIMEOUT: 408,
    Kind.NOT_FOUND: 404,
    Kind.METHOD_NOT_ALLOWED: 405,
    Kind.DISABLED: 403,
    Kind.INTERNAL: 500,
}
"""HTTP status of each kind, where a wire has none of its own."""


class ServiceError(Exception):
    """A request that cannot be answered.

    Args:
        kind: what went wrong.
        message: one line for the client.
        field: the parameter at fault, where there is one.
        retry_after_s: whole seconds after which it is worth to come again.
        headers: what else the answer's headers say.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        field: str | None = None,
        retry_after_s: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        return STATUS[self.kind]

"""One line of JSON for each event of the process, on standard error.

Knows how a line looks, and that none may hold a text, a key or an address. An exception is told
without its message. What other packages log is not written with that in mind, so of theirs only
the constant part is kept. On a terminal the same events are shown for people. Does not know which
events there are.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from service.telemetry.tracebacks import describe

OURS = {"mt", "service", "scripts"}
"""First parts of the names of loggers whose messages can be trusted."""
SERVER_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.asgi")
ACCESS_LOGGER = "uvicorn.access"
HIDDEN = "*"

# Anything that is no JSON is shown by its type, since its repr could hold a text.
_ENCODER = json.JSONEncoder(separators=(",", ":"), default=lambda value: type(value).__name__)
_VARIABLE = re.compile(r"""[\n"'`<>(){}\[\]:].*""", re.DOTALL)


def configure_logging(level: int = logging.INFO, *, console: bool | None = None) -> None:
    """Send whatever this process logs, warns of or dies of through one formatter.

    That is structlog, the standard logging, warnings and exceptions that nobody caught. Calling it
    again replaces what was configured before.

    Args:
        level: of `logging`; events below it are dropped.
        console: lines for people instead of JSON; None if standard error is a terminal.
    """
    show = _show_on_console() if console or (console is None and sys.stderr.isatty()) else _as_json
    processors: list[Processor] = [_stamp, show]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_StandardError,
        # Off, so that a second call here is obeyed by loggers in use; who logs often binds one.
        cache_logger_on_first_use=False,
    )
    _take_over_standard_logging(level)
    warnings.showwarning = _show_warning
    sys.excepthook = _report_uncaught
    threading.excepthook = _report_thread
    sys.unraisablehook = _report_unraisable


def constant_part(record: logging.LogRecord) -> str:
    """A message without what it may quote from a client.

    Of the arguments numbers are kept; others become "*". A message that came without arguments may
    have been put together before, so it ends at the first thing that looks quoted.
    """
    if not isinstance(record.msg, str):
        return type(record.msg).__name__
    if not record.args:
        return _VARIABLE.sub("", record.msg).strip() or HIDDEN
    try:
        return (record.msg % _numbers(record.args)).strip()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit the template
        return record.msg


class _StandardError:
    """Writes lines to what is standard error at that moment."""

    def __init__(self, *arguments: object) -> None:
        """Structlog hands over the arguments of its `get_logger`."""

    def msg(self, line: str) -> None:
        # In one piece, so that lines of two processes on one pipe do not mix. A log that nobody
        # reads any more is no reason to fail a request.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = msg


def _stamp(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Put time and level before an event and its exception, told by `describe`, behind it."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    exc_info = event.pop("exc_info", None)
    stamped = {"ts": now, "level": method, "event": event.pop("event"), **event}
    if (error := _exception(exc_info)) is not None:
        stamped["exception"] = describe(error)
    return stamped


def _exception(exc_info: object) -> BaseException | None:
    """What the three usual ways to name an exception name."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        error = exc_info[1]
        return error if isinstance(error, BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    return _ENCODER.encode(event)


def _show_on_console() -> Processor:
    render = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), sort_keys=False, timestamp_key="ts", pad_event_to=0
    )

    def show(logger: WrappedLogger, method: str, event: EventDict) -> str:
        if described := event.pop("exception", None):
            event["exception"] = "\n".join(
                line
                for each in described
                for line in (each["type"], *map("  {}".format, each["frames"]))
            )
        return render(logger, method, event)

    return show


def _take_over_standard_logging(level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Relay()]
    root.setLevel(level)
    for name in SERVER_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    # Its lines have the client's address and the query string.
    access = logging.getLogger(ACCESS_LOGGER)
    access.handlers.clear()
    access.propagate = False


class _Relay(logging.Handler):
    """Hands records of the standard logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        ours = record.name.partition(".")[0] in OURS
        fields: dict[str, Any] = {"logger": record.name}
        if not ours:
            fields["at"] = f"{record.filename}:{record.lineno}"
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        standard_level = min(logging.CRITICAL, record.levelno // 10 * 10)
        message = _message(record) if ours else constant_part(record)
        structlog.get_logger().log(standard_level, message, **fields)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit the template
        return str(record.msg)


def _numbers(arguments: tuple[object, ...] | Mapping[str, object]) -> object:
    if isinstance(arguments, Mapping):
        return {name: _number(value) for name, value in arguments.items()}
    return tuple(map(_number, arguments))


def _number(value: object) -> object:
    return value if isinstance(value, int | float) else HIDDEN


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    where = f"{os.path.basename(filename)}:{lineno}"
    structlog.get_logger().warning("warning", category=category.__name__, at=where)


def _report_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    structlog.get_logger().critical("uncaught exception", exc_info=error)


def _report_thread(failure: threading.ExceptHookArgs) -> None:
    structlog.get_logger().error("uncaught exception in a thread", exc_info=failure.exc_value)


def _report_unraisable(failure: Any) -> None:  # sys.UnraisableHookArgs is no class at run time
    structlog.get_logger().error("exception that cannot be raised", exc_info=failure.exc_value)

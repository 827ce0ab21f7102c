"""What a configured log prints, as a test reads it; everything global is put back afterwards."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import structlog

from service.telemetry.logs import ACCESS_LOGGER, SERVER_LOGGERS, configure_logging

Lines = Callable[[], list[dict[str, Any]]]


@contextmanager
def json_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Log as a server does; what is yielded gives the lines printed since it was last asked."""

    def printed() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        lines = [json.loads(line) for line in captured.err.splitlines()]
        return [line for line in lines if line.get("logger") != "httpx"]  # the test's own client

    with restored_logging():
        configure_logging()
        yield printed


@contextmanager
def restored_logging() -> Iterator[None]:
    """Undo whatever `configure_logging` does inside."""
    loggers = [logging.getLogger(name) for name in (None, ACCESS_LOGGER, *SERVER_LOGGERS)]
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    with (
        patch.object(warnings, "showwarning", warnings.showwarning),
        patch.object(sys, "excepthook", sys.excepthook),
        patch.object(threading, "excepthook", threading.excepthook),
        patch.object(sys, "unraisablehook", sys.unraisablehook),
    ):
        try:
            yield
        finally:
            structlog.reset_defaults()
            for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
                logger.handlers[:] = handlers
                logger.setLevel(level)
                logger.propagate = propagate

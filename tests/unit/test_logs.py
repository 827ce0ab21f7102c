"""Lines of the log: all of them JSON, none of them with a client's text, key or address."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.config
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from uvicorn.config import LOGGING_CONFIG

from service.telemetry.logs import configure_logging
from support.logs import json_lines, restored_logging

SECRET = "Geheimtext"


@pytest.fixture
def lines(capsys):
    with json_lines(capsys) as printed:
        yield printed


def fail_over(text):
    raise ValueError(f"cannot translate {text}")


def recur(depth):
    if depth == 0:
        raise RecursionError(SECRET)
    recur(depth - 1)


def raised(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return error


def test_an_event_is_one_line_of_json_that_begins_with_time_and_level(lines):
    structlog.get_logger().info("started", workers=2, name="zwei\nZeilen \ud800")
    (line,) = lines()
    assert list(line)[:3] == ["ts", "level", "event"]
    assert line["ts"].endswith("Z")
    age = datetime.now(UTC) - datetime.fromisoformat(line["ts"])
    assert timedelta(0) <= age + timedelta(milliseconds=1) < timedelta(minutes=1)
    del line["ts"]
    assert line == {
        "level": "info",
        "event": "started",
        "workers": 2,
        "name": "zwei\nZeilen \ud800",
    }


def test_what_is_no_json_is_named_by_its_type(lines):
    structlog.get_logger().info("odd", value=io.StringIO(SECRET))
    assert lines()[0]["value"] == "StringIO"


def test_our_own_loggers_go_through_the_same_formatter(lines):
    logging.getLogger("mt.service").warning("%d segments of %s", 3, "de-en")
    (line,) = lines()
    assert (line["level"], line["event"], line["logger"]) == (
        "warning",
        "3 segments of de-en",
        "mt.service",
    )


@pytest.mark.parametrize("name", ["mt.service", "uvicorn.error"])
def test_arguments_that_do_not_fit_are_left_out_instead_of_failing(lines, name):
    configure_logging()  # again, to be rid of pytest's own handler, which does fail
    logging.getLogger(name).error("%d of %d", SECRET)
    assert lines()[0]["event"] == "%d of %d"


def test_a_level_between_two_counts_as_the_lower(lines):
    logging.getLogger("mt.service").log(25, "note")
    assert lines()[0]["level"] == "info"


def test_events_below_the_level_are_dropped(lines):
    log = structlog.get_logger()
    log.info("heard")
    configure_logging(logging.WARNING)
    log.info("quiet")
    logging.getLogger("mt.service").info("quiet")
    logging.getLogger("mt.service").warning("loud")
    assert [line["event"] for line in lines()] == ["heard", "loud"]


def test_configuring_twice_prints_once(lines):
    configure_logging()
    logging.getLogger("mt.service").info("once")
    assert [line["event"] for line in lines()] == ["once"]


def test_a_log_that_nobody_reads_fails_nothing(lines, monkeypatch):
    broken = io.StringIO()
    broken.close()
    monkeypatch.setattr(sys, "stderr", broken)
    structlog.get_logger().info("into the void")


# Exceptions


@pytest.mark.parametrize(
    "log",
    [
        lambda error: structlog.get_logger().error("failed", exc_info=error),
        lambda error: logging.getLogger("mt.service").error("failed", exc_info=error),
        lambda error: logging.getLogger("uvicorn.error").error("failed\n", exc_info=error),
    ],
)
def test_an_exception_is_told_by_type_and_frames_without_its_message(lines, capsys, log):
    error = raised(fail_over, SECRET)
    log(error)
    (line,) = lines()
    assert line["event"] == "failed"
    (told,) = line["exception"]
    first, second = told["frames"]
    assert told["type"] == "ValueError"
    assert first.startswith("test_logs.py:")
    assert first.endswith(" raised")
    assert second == f"test_logs.py:{fail_over.__code__.co_firstlineno + 1} fail_over"
    assert SECRET not in json.dumps(line)


def test_the_exception_at_hand_is_found(lines):
    try:
        fail_over(SECRET)
    except ValueError:
        structlog.get_logger().exception("failed")
    assert lines()[0]["exception"][0]["type"] == "ValueError"


def test_causes_contexts_and_members_of_a_group_are_told_each_once(lines):
    cause, member = KeyError(SECRET), OSError(SECRET)
    member.__context__ = cause
    group = ExceptionGroup(SECRET, [member, ExceptionGroup(SECRET, [TypeError(SECRET)])])
    group.__cause__ = cause
    cause.__context__ = group  # a circle
    structlog.get_logger().error("failed", exc_info=group)
    types = [told["type"] for told in lines()[0]["exception"]]
    assert types == ["ExceptionGroup", "KeyError", "OSError", "ExceptionGroup", "TypeError"]


def test_a_suppressed_context_is_not_told(lines):
    error = ValueError()
    error.__context__ = KeyError()
    error.__suppress_context__ = True
    structlog.get_logger().error("failed", exc_info=error)
    assert [told["type"] for told in lines()[0]["exception"]] == ["ValueError"]


def test_of_a_deep_recursion_both_ends_are_told(lines):
    structlog.get_logger().error("failed", exc_info=raised(recur, 100))
    frames = lines()[0]["exception"][0]["frames"]
    # 102 frames: raised, then recur for 100 down to 0.
    assert len(frames) == 5 + 1 + 25
    assert frames[5] == "(72 more)"
    assert frames[0].endswith(" raised")
    assert frames[-1].endswith(f":{recur.__code__.co_firstlineno + 2} recur")


# What other packages log


@pytest.mark.parametrize(
    ("name", "message", "arguments", "event"),
    [
        ("uvicorn.error", "Started server process [%d]", (7,), "Started server process [7]"),
        ("uvicorn.error", "Waiting for application startup.", (), None),
        ("uvicorn.error", "Exception in ASGI application\n", (), "Exception in ASGI application"),
        (
            "uvicorn.error",
            '%s - "WebSocket %s" 403',
            ("192.0.2.7:4711", f"/?q={SECRET}"),
            '* - "WebSocket *" 403',
        ),
        ("uvicorn.error", OSError(SECRET), (), "OSError"),
        ("multipart", "bad header %(name)r", ({"name": SECRET},), "bad header '*'"),
        ("multipart", f"cannot parse: {SECRET}", (), "cannot parse"),
        ("multipart", f"<{SECRET}>", (), "*"),
        ("asyncio", f"lost\nfuture: <Task exception=ValueError({SECRET!r})>", (), "lost"),
    ],
)
def test_of_other_packages_lines_only_the_constant_part_is_kept(
    lines, name, message, arguments, event
):
    logging.getLogger(name).error(message, *arguments)
    (line,) = lines()
    assert line["event"] == (event or message)
    assert line["logger"] == name
    assert line["at"].startswith("test_logs.py:")
    assert SECRET not in json.dumps(line)
    assert "192.0.2.7" not in json.dumps(line)


def test_the_event_loop_tells_of_a_failed_callback_without_its_arguments(lines):
    async def run():
        asyncio.get_running_loop().call_soon(fail_over, SECRET)
        await asyncio.sleep(0)

    asyncio.run(run())
    (line,) = lines()
    assert line["event"] == "Exception in callback fail_over"
    assert line["exception"][0]["type"] == "ValueError"
    assert SECRET not in json.dumps(line)


def test_a_warning_is_told_by_category_and_place(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(SECRET, UserWarning, stacklevel=1)
    (line,) = lines()
    assert (line["level"], line["event"], line["category"]) == ("warning", "warning", "UserWarning")
    assert line["at"].startswith("test_logs.py:")
    assert SECRET not in json.dumps(line)


def test_the_servers_own_configuration_is_replaced_and_its_access_log_is_off(lines):
    # As if uvicorn had been started with its defaults before.
    logging.config.dictConfig({**LOGGING_CONFIG, "disable_existing_loggers": False})
    logging.getLogger("uvicorn.access").propagate = True
    configure_logging()
    logging.getLogger("uvicorn.error").info("Shutting down")
    logging.getLogger("uvicorn.access").info('%s - "GET %s"', "192.0.2.7", f"/?q={SECRET}")
    assert [line["event"] for line in lines()] == ["Shutting down"]
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_what_nobody_caught_is_a_line_too():
    program = f"""
import threading
from service.telemetry.logs import configure_logging

class Unlucky:
    def __del__(self):
        raise KeyError({SECRET!r})

def fail():
    raise ValueError({SECRET!r})

configure_logging()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
Unlucky()
fail()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [(line["event"], line["exception"][0]["type"]) for line in lines] == [
        ("uncaught exception in a thread", "ValueError"),
        ("exception that cannot be raised", "KeyError"),
        ("uncaught exception", "ValueError"),
    ]
    assert SECRET not in done.stdout + done.stderr


# On a terminal


def test_on_a_terminal_lines_are_for_people(capsys, monkeypatch):
    with restored_logging():
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        configure_logging()
        monkeypatch.undo()
        structlog.get_logger().info("started", workers=2)
        configure_logging(console=True)
        structlog.get_logger().error("failed", pair="de-en", exc_info=raised(fail_over, SECRET))
    coloured, plain, *trace = capsys.readouterr().err.splitlines()
    assert "\x1b[" in coloured
    assert "started" in coloured
    assert plain.endswith("[error    ] failed pair=de-en")
    assert trace[0] == "ValueError"
    assert trace[-1].startswith("  test_logs.py:")
    assert not any(SECRET in line for line in trace)

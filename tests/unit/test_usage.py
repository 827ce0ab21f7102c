"""Counts of characters in memory and in the file, with the file locked, full and damaged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import service.clients.usage
from mt.errors import ConfigError
from service.clients.usage import Count, Usage, read_usage


class Calendar(datetime):
    """A clock that the test sets."""

    today_is = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        assert tz is UTC  # a month is the same wherever the server stands
        return cls.today_is


@pytest.fixture(autouse=True)
def calendar(monkeypatch: pytest.MonkeyPatch) -> type[Calendar]:
    monkeypatch.setattr(Calendar, "today_is", Calendar.today_is)
    monkeypatch.setattr(service.clients.usage, "datetime", Calendar)
    return Calendar


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite"


def counting(path: Path | None, work: Callable[[Usage], Awaitable[Any]]) -> Any:
    """Open the file, work, close it."""

    async def run() -> Any:
        usage = Usage(path)
        await usage.open()
        try:
            return await work(usage)
        finally:
            await usage.close()

    return asyncio.run(run())


@contextlib.contextmanager
def locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Another process is writing and does not come to an end."""
    monkeypatch.setattr(service.clients.usage, "LOCKED_S", 0)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        yield lambda locks: other.execute("BEGIN IMMEDIATE" if locks else "ROLLBACK")


@pytest.mark.parametrize("in_memory", [False, True])
def test_characters_add_up(path, in_memory):
    async def work(usage: Usage) -> None:
        assert usage.characters("ada") == 0
        usage.charge("ada", 5)
        await usage.flush()
        usage.charge("ada", 6)
        usage.charge("bob", 7)
        for _ in range(3):
            assert (usage.characters("ada"), usage.characters("bob")) == (11, 7)
            await usage.flush()

    counting(None if in_memory else path, work)
    assert path.exists() is not in_memory


def test_the_file_has_a_row_a_name_and_month(path, calendar):
    async def work(usage: Usage) -> None:
        usage.charge("ada", 5)
        usage.charge("ada", 0)  # a blank text is a request too
        calendar.today_is = datetime(2026, 12, 1, tzinfo=UTC)
        usage.charge("ada", 6)
        usage.charge("bob", 7)
        await usage.flush()
        usage.charge("bob", 8)

    counting(path, work)
    assert read_usage(path) == {
        ("ada", "2026-11"): Count(characters=5, requests=2),
        ("ada", "2026-12"): Count(characters=6, requests=1),
        ("bob", "2026-12"): Count(characters=15, requests=2),
    }


def test_counts_go_on_where_the_last_run_ended(path, calendar):
    async def work(usage: Usage) -> int:
        before = usage.characters("ada")
        usage.charge("ada", 10)
        return before

    assert counting(path, work) == 0
    calendar.today_is = datetime(2027, 1, 1, tzinfo=UTC)
    assert counting(path, work) == 10
    assert counting(path, work) == 20
    assert sum(count.characters for count in read_usage(path).values()) == 30


def test_reservations_count_towards_a_limit():
    usage = Usage(None)
    assert usage.reserve("ada", 60, limit=100)
    assert not usage.reserve("ada", 41, limit=100)
    assert usage.left("ada", limit=100) == 40
    assert usage.reserve("ada", 40, limit=100)
    assert usage.reserve("bob", 100, limit=100)
    usage.release("ada", 60)
    usage.charge("ada", 50)
    assert not usage.reserve("ada", 11, limit=100)
    assert usage.reserve("ada", 10, limit=100)
    assert usage.reserve("ada", 10**9, limit=None)
    assert usage.left("ada", limit=100) == 0
    assert usage.characters("ada") == 50  # a reservation is not yet a charge


def test_releasing_what_was_not_reserved_is_our_mistake():
    usage = Usage(None)
    usage.reserve("ada", 5, limit=None)
    with pytest.raises(AssertionError):
        usage.release("ada", 6)


def test_reservations_leave_nothing_behind():
    usage = Usage(None)
    usage.reserve("ada", 5, limit=None)
    usage.release("ada", 5)
    assert not usage._reserved


def test_what_is_charged_during_a_write_counts_once(path, monkeypatch):
    write, begun, go_on = service.clients.usage._write, threading.Event(), threading.Event()

    def slow_write(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return write(*arguments)

    monkeypatch.setattr(service.clients.usage, "_write", slow_write)

    async def work(usage: Usage) -> None:
        usage.charge("ada", 5)
        writing = asyncio.create_task(usage.flush())
        assert await asyncio.to_thread(begun.wait, 30)
        usage.charge("ada", 6)
        assert usage.characters("ada") == 11
        go_on.set()
        await writing
        assert usage.characters("ada") == 11

    counting(path, work)
    assert read_usage(path) == {("ada", "2026-11"): Count(11, 2)}


def test_a_locked_file_stops_nobody_and_is_told_once(path, monkeypatch, caplog):
    with locked(path, monkeypatch) as lock:

        async def work(usage: Usage) -> None:
            lock(True)
            for _ in range(3):
                usage.charge("ada", 5)
                await usage.flush()
            assert usage.characters("ada") == 15
            assert [record.getMessage() for record in caplog.records] == [
                f"{path}: database is locked; usage is counted in memory meanwhile"
            ]
            lock(False)
            await usage.flush()
            assert caplog.records[1].getMessage() == f"{path}: usage is written again"
            usage.charge("ada", 1)

        counting(path, work)
    assert len(caplog.records) == 2
    assert read_usage(path) == {("ada", "2026-11"): Count(16, 4)}


def test_a_reader_stops_nobody(path, monkeypatch, caplog):
    monkeypatch.setattr(service.clients.usage, "LOCKED_S", 0)

    async def work(usage: Usage) -> None:
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT * FROM usage").fetchall() == []
            usage.charge("ada", 5)
            await usage.flush()
        assert read_usage(path) == {("ada", "2026-11"): Count(5, 1)}

    counting(path, work)
    assert not caplog.records


def test_what_could_not_be_written_by_the_end_is_told(path, monkeypatch, caplog):
    with locked(path, monkeypatch) as lock:

        async def work(usage: Usage) -> None:
            usage.charge("ada", 5)
            usage.charge("bob", 6)
            lock(True)

        counting(path, work)
    assert caplog.records[-1].getMessage() == f"{path}: 11 characters are lost to the count"


def test_a_full_disk_adds_all_later_or_nothing(path, caplog):
    names = [f"client-{number:05}" for number in range(2000)]

    async def work(usage: Usage) -> None:
        assert usage._connection
        (pages,) = usage._connection.execute("PRAGMA page_count").fetchone()
        for room in range(1, 4):  # the write gets some way before the disk is full
            usage._connection.execute(f"PRAGMA max_page_count = {pages + room}")
            for name in names:
                usage.charge(name, 3)
            await usage.flush()
            assert read_usage(path) == {}
        assert "database or disk is full" in caplog.text
        usage._connection.execute("PRAGMA max_page_count = 100000")
        assert usage.characters(names[0]) == 9

    counting(path, work)
    assert read_usage(path) == {(name, "2026-11"): Count(9, 3) for name in names}


def test_processes_may_share_a_file(path):
    async def work(usage: Usage) -> None:
        async def other(usage: Usage) -> None:
            usage.charge("ada", 5)

        usage.charge("ada", 6)
        await asyncio.to_thread(counting, path, other)
        await usage.flush()
        assert usage.characters("ada") == 11

    counting(path, work)
    assert read_usage(path) == {("ada", "2026-11"): Count(11, 2)}


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(99)])
def test_a_damaged_file_is_refused_in_one_line(path, content):
    path.write_bytes(content * 50)
    with pytest.raises(ConfigError, match=r"usage\.sqlite: cannot count usage there: \w[\w ]+$"):
        counting(path, pytest.fail)
    with pytest.raises(ConfigError, match=r"usage\.sqlite: cannot read usage: \w[\w ]+$"):
        read_usage(path)


def test_a_missing_folder_is_refused_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot count usage there: unable to open"):
        counting(tmp_path / "missing" / "usage.sqlite", pytest.fail)


def test_reading_makes_no_file(path):
    with pytest.raises(ConfigError):
        read_usage(path)
    assert not path.exists()

    async def work(usage: Usage) -> None:
        usage.charge("ada", 5)

    counting(path, work)
    assert sum(count.characters for count in read_usage(path).values()) == 5
    assert list(path.parent.iterdir()) == [path]  # where it may not write it could not read


def test_names_are_not_sql(path):
    async def work(usage: Usage) -> None:
        usage.charge("'); DROP TABLE usage; --", 5)

    counting(path, work)
    assert read_usage(path) == {("'); DROP TABLE usage; --", "2026-11"): Count(5, 1)}


def test_closing_what_never_opened_is_no_error(caplog):
    caplog.set_level(logging.DEBUG)
    asyncio.run(Usage(None).close())

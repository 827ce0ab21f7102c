"""How many characters and requests each client has had, for good.

Knows names and counts. Does not know keys, limits per minute, or what a character is counted for.

SQLite holds one row a client and month. What is charged is counted in memory at once and added to
the file by `flush`, in one transaction: killed between two of them, the process loses what came
since the last, and no count is ever added twice. Where nothing can be written, because the file is
locked or the disk is full, counting goes on in memory until it can.

    reserve -> charge, or release          memory, on the event loop
    flush                                  the file, in a thread
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from mt.errors import ConfigError

log = logging.getLogger("mt.service")

LOCKED_S = 1.0
"""Seconds that a write waits for another process to release the file, before it is put off."""

_TABLE = """
CREATE TABLE IF NOT EXISTS usage (
    name TEXT NOT NULL,
    month TEXT NOT NULL, -- of UTC: 2026-11
    characters INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (name, month)
) WITHOUT ROWID
"""
_ADD = """
INSERT INTO usage (name, month, characters, requests) VALUES (?, ?, ?, ?)
ON CONFLICT (name, month) DO UPDATE SET
    characters = characters + excluded.characters,
    requests = requests + excluded.requests
"""
_TOTALS = "SELECT name, SUM(characters) FROM usage GROUP BY name"
_ROWS = "SELECT name, month, characters, requests FROM usage ORDER BY name, month"


class Count(NamedTuple):
    """What one client had in one month."""

    characters: int = 0
    requests: int = 0


Counts = Mapping[tuple[str, str], Count]
"""Counts by name and month."""


class Usage:
    """The counts of all clients.

    Everything but `open`, `flush` and `close` is quick, and all belongs on one event loop.

    Args:
        path: SQLite file; None counts in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._total: Counter[str] = Counter()  # characters, with what is not in the file yet
        self._reserved: Counter[str] = Counter()
        self._unwritten: dict[tuple[str, str], Count] = {}
        self._failing = False

    async def open(self) -> None:
        """Read the counts of earlier runs.

        Raises:
            ConfigError: the file cannot be used; one line that names it.
        """
        try:
            self._connection, totals = await asyncio.to_thread(_open, self._path)
        except sqlite3.Error as error:
            raise ConfigError(f"{self._path}: cannot count usage there: {error}") from error
        self._total = Counter(totals)

    async def close(self) -> None:
        """Write what is counted and close the file."""
        if not self._connection:
            return
        await self.flush()
        if self._unwritten:
            lost = sum(count.characters for count in self._unwritten.values())
            log.error("%s: %d characters are lost to the count", self._path, lost)
        await asyncio.to_thread(self._connection.close)
        self._connection = None

    def characters(self, name: str) -> int:
        """Characters charged to a client, ever."""
        return self._total[name]

    def left(self, name: str, limit: int) -> int:
        """Characters of a limit that are neither charged nor reserved."""
        return max(0, limit - self._total[name] - self._reserved[name])

    def reserve(self, name: str, characters: int, limit: int | None) -> bool:
        """Set characters aside, if they fit within the limit beside all charged and reserved."""
        if limit is not None and characters > self.left(name, limit):
            return False
        self._reserved[name] += characters
        return True

    def release(self, name: str, characters: int) -> None:
        """Give back what was reserved."""
        self._reserved[name] -= characters
        assert self._reserved[name] >= 0, "released what was not reserved"
        if not self._reserved[name]:
            del self._reserved[name]

    def charge(self, name: str, characters: int) -> None:
        """Count a request and its characters; a reservation is another matter."""
        self._total[name] += characters
        self._keep({(name, f"{datetime.now(UTC):%Y-%m}"): Count(characters, 1)})

    async def flush(self) -> None:
        """Add to the file what was charged since the last time; never raises for the file."""
        batch, self._unwritten = self._unwritten, {}
        if not batch:
            return
        assert self._connection, "open comes first"
        try:
            totals = await asyncio.to_thread(_write, self._connection, batch)
        except sqlite3.Error as error:
            self._keep(batch)
            if not self._failing:
                log.error("%s: %s; usage is counted in memory meanwhile", self._path, error)
            self._failing = True
            return
        if self._failing:
            log.warning("%s: usage is written again", self._path)
        self._failing = False
        # The file's word, since other processes may count in it too, and what came meanwhile.
        self._total = Counter(totals)
        for (name, _), count in self._unwritten.items():
            self._total[name] += count.characters

    def _keep(self, counts: Counts) -> None:
        for row, (characters, requests) in counts.items():
            before = self._unwritten.get(row, Count())
            self._unwritten[row] = Count(before.characters + characters, before.requests + requests)


def read_usage(path: Path) -> Counts:
    """All that a file holds, which a service may be writing meanwhile.

    Raises:
        ConfigError: it is missing or not such a file.
    """
    try:
        # Without that file nobody writes; to look for one, sqlite would make it in the folder.
        alone = not path.with_name(f"{path.name}-wal").exists()
        address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' * alone}"
        with closing(sqlite3.connect(address, uri=True, timeout=LOCKED_S)) as connection:
            rows = connection.execute(_ROWS).fetchall()
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: cannot read usage: {error}") from error
    return {(name, month): Count(*counts) for name, month, *counts in rows}


def _open(path: Path | None) -> tuple[sqlite3.Connection, dict[str, int]]:
    # Used by one thread after the other, never by two at once.
    connection = sqlite3.connect(path or ":memory:", timeout=LOCKED_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")  # who reads the file stops nobody who writes
        connection.execute(_TABLE)
        return connection, _totals(connection)
    except sqlite3.Error:
        connection.close()
        raise


def _totals(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute(_TOTALS).fetchall())


def _write(connection: sqlite3.Connection, counts: Counts) -> dict[str, int]:
    # One transaction. Its last act is to commit, so that an error means that nothing was added.
    with connection:
        connection.executemany(_ADD, [(*row, *count) for row, count in counts.items()])
        return _totals(connection)

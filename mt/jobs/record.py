"""OUTPUT.part.json: how far a job is, and under what circumstances it came there.

Knows what a record says and whether a job may go on from it. Does not know the part beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mt.config import Options, parse
from mt.differences import first_difference
from mt.errors import ConfigError, JobError
from mt.system.files import sha256, write_json

FIRST_LINES = 3
"""Numbers kept of the lines with a flag."""


class Flagged(Options):
    """The lines that have a certain flag."""

    lines: int = 0
    """How many there are."""
    first: Annotated[tuple[int, ...], Field(strict=False)] = ()  # JSON has lists only
    """Numbers of the first few of them, counted from 1."""


class Progress(Options):
    """How far a job is."""

    lines: int = 0
    """Lines of the input whose translations are written."""
    source: str = sha256(b"")
    """SHA-256 of those lines."""
    flagged: dict[str, Flagged] = Field({})
    """The flags of those lines."""


def add_flags(before: Mapping[str, Flagged], more: Mapping[str, Flagged]) -> dict[str, Flagged]:
    """The flags of some lines and of others that stand behind them."""
    flagged = dict(before)
    for flag, new in more.items():
        old = flagged.get(flag, Flagged())
        flagged[flag] = Flagged(
            lines=old.lines + new.lines, first=(*old.first, *new.first)[:FIRST_LINES]
        )
    return flagged


class Record(Options):
    """What OUTPUT.part.json holds."""

    format: Literal[1] = 1
    settings: dict[str, Any]
    """Model and options, which must be the same for the job to go on."""
    environment: dict[str, Any]
    """Versions and the like. With others, scores may differ in their last digits, and very rarely
    a translation with them."""
    progress: Progress
    size: int
    """Bytes of the part that belong to `progress`."""
    content: str
    """SHA-256 of those bytes."""

    def refuse_other_settings(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Raises:
        JobError: `settings` differ from those of the record; names the first that does.
        """
        if found := first_difference(self.settings, dict(settings)):
            name, before, now = found
            raise JobError(
                f"{path} was begun with {name} = {before!r}, which is now {now!r}: restore it, or "
                "remove the file to begin again"
            )

    def changes(self, environment: Mapping[str, Any]) -> dict[str, str]:
        """For each part of the environment that differs from the record's: how."""
        return {
            name: f"{self.environment.get(name)} -> {value}"
            for name, value in environment.items()
            if self.environment.get(name) != value
        }


def read_record(path: Path) -> Record | None:
    """The record at path, if there is one.

    Raises:
        JobError: it is damaged, or of a newer version.
    """
    try:
        return parse(Record, json.loads(path.read_bytes()), where="found")
    except FileNotFoundError:
        return None
    except (ConfigError, ValueError, RecursionError) as error:
        raise JobError(
            f"{path}: not a record of a job that this version can go on with ({error}): remove it "
            f"and {path.stem} to begin again"
        ) from error


def write_record(path: Path, record: Record) -> None:
    """Replace the record at path, in one move.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    write_json(path, record.model_dump(mode="json"))

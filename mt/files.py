"""Files written whole or not at all, and their hashes.

Knows bytes and paths. Does not know what is in them. Everything the project keeps, it writes
through `write_atomic`: to a temporary name beside the target, flushed to the disk, then renamed.
A reader, or a crash at any moment, sees the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


def write_atomic(path: Path, content: bytes) -> None:
    """Replace the file at path by one with the given content, in one move.

    Raises:
        OSError: the folder is missing, full or not writable; the error names a file, and what was
            there before still is, unless only the last flush, that of the folder, failed: the new
            content is there then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
        settle(temporary, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk names no file
            error.filename = str(path)
        temporary.unlink(missing_ok=True)
        raise


def settle(finished: Path, path: Path) -> None:
    """Give a file that is fully written its name, in one move that a power cut cannot undo.

    Raises:
        OSError: as `write_atomic`.
    """
    _sync(finished)  # else the name may reach the disk before the content does
    os.replace(finished, path)
    _sync(path.parent)  # the name lives in the folder


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_atomic` had not finished when its process was killed.

    Nobody else may be writing into the folder meanwhile: a write under way looks the same.
    """
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink()


def write_json(path: Path, value: Any) -> None:
    """Replace the file at path by value as indented JSON with a final newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text.encode() + b"\n")


def sha256(content: bytes) -> str:
    """The SHA-256 of content as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

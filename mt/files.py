"""Files written whole or not at all, and their hashes.

Knows bytes and paths. Does not know what is in them. Everything the project keeps, it writes
through `write_atomic`: to a temporary name beside the target, flushed to the disk, then renamed.
A reader, or a crash at any moment, sees the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes) -> None:
    """Replace the file at path by one with the given content, in one move.

    Raises:
        OSError: the folder is missing, full or not writable; what was there before still is,
            unless only the last flush, that of the folder, failed: the new content is there then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace the file at path by value as indented JSON with a final newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(path, text.encode() + b"\n")


def sha256(content: bytes) -> str:
    """The SHA-256 of content as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _sync_folder(folder: Path) -> None:
    # The rename itself lives in the folder: without this a power cut may undo it.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

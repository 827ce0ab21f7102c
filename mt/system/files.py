"""Files written whole or not at all, by one process at a time, and their hashes.

Knows bytes and paths. Does not know what is in them. Everything the project keeps, it writes
through `write_atomic`: to a temporary name beside the target, flushed to the disk, then renamed.
A reader, or a crash at any moment, sees the old file or the new one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


def write_atomic(path: Path, content: bytes) -> None:
    """Replace the file at path by one with the given content, in one move.

    A link stays, and the file that it points to is replaced.

    Raises:
        OSError: the folder is missing, full or not writable, or something that is no file stands
            there; the error names the path, and what was there before still is, unless only the
            last flush, that of the folder, failed: the new content is there then.
    """
    path = behind_link(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
        settle(temporary, path)
    except BaseException as error:
        # A full disk names no file, and the temporary one is nothing that anybody asked for.
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(path)
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)
        raise


def behind_link(path: Path) -> Path:
    """Where a file is written whose name may be a link.

    Raises:
        OSError: what is there is no regular file; to give it another file's name would remove it.
    """
    if path.is_symlink():
        path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return path


def settle(finished: Path, path: Path) -> None:
    """Give a file that is fully written its name, in one move that a power cut cannot undo.

    Raises:
        OSError: as `write_atomic`.
    """
    _sync(finished)  # else the name may reach the disk before the content does
    os.replace(finished, path)
    _sync(path.parent)  # the name lives in the folder


def claim(descriptor: int, path: Path) -> bool:
    """Lock an open file or folder for this process alone, until it closes it or ends.

    Returns:
        False if another process has locked it, or something else stands at path by now: the other
        may have finished, and renamed it, after it was opened here. On a file system without locks
        only the latter is told.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor))


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

"""Files that programs write: what can be refused of one before any work is done.

Knows paths. Does not know what is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mt.errors import ConfigError


def check_output(path: Path, inputs: Iterable[Path | int] = ()) -> None:
    """Refuse a file that could not be written in the end, or that the program reads as well.

    Args:
        inputs: files that are read, as paths or open descriptors.

    Raises:
        ConfigError: one line that names the path.
    """
    if path.exists():
        if any(_same(path, other) for other in inputs):
            raise ConfigError(f"{path} is read as well, and would be lost: choose another name")
        if path.is_dir():
            raise ConfigError(f"{path} is a folder: give the name of a file")
        if not path.is_file():
            raise ConfigError(f"{path} is not a regular file: use standard output for it")
    folder = path.resolve().parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise ConfigError(f"{path}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{path}: nothing can be written into {folder}")


def _same(path: Path, other: Path | int) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:  # one that is missing is told by whoever reads it
        return False

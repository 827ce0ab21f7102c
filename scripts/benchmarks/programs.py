"""This project's programs as processes of their own.

Knows how to start one and to wait. What it prints is thrown away, unless it fails.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from mt.errors import ConfigError


def run_program(module: str, arguments: Sequence[str], *, stdin: bytes = b"") -> None:
    """Run `python -m MODULE ARGUMENTS` to its end.

    Raises:
        ConfigError: it failed.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise ConfigError(f"{module} {' '.join(arguments)}: {reason or done.returncode}")

"""Runs a program, then writes down the most memory that it had: `python -m ... FILE MODULE ARGS`.

Knows Linux's record of a process. getrusage would not do: it counts the process that started this
one as well.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run `MODULE.main` with the arguments behind it and write bytes to FILE when it ends."""
    _, answer, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    try:
        importlib.import_module(module).main()
    finally:
        Path(answer).write_text(str(peak_memory()))


def peak_memory() -> int:
    """The most bytes of this process that were resident at once."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()

"""A process of the server's own: how it is started and ended, and what it does first.

Knows processes, their pipes and signals. Does not know what is said over the pipes. A child ends
with its standard input, that is with the server, however that ends.
"""

from __future__ import annotations

import os
import signal
import site
import sys
from asyncio import StreamWriter, create_subprocess_exec
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

LONGEST_LINE = 1 << 30
"""Bytes of a line that a child may write; an explanation with every activation has megabytes."""


def command_of(module: str) -> list[str]:
    """The command line that runs a module by this Python."""
    # -P leaves the current folder off the path: a package named `service` there is not ours.
    return [sys.executable, "-P", "-m", module]


async def start_child(command: Sequence[str]) -> Process:
    """Start a process that computes with one thread, its standard input and output piped."""
    own = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "PYTHONPATH": _search_path()}
    return await create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE, env=os.environ | own
    )


def input_of(process: Process) -> StreamWriter:
    """The standard input of a process.

    Raises:
        ConnectionError: it has ended.
    """
    assert process.stdin is not None
    if process.stdin.is_closing():  # a write would be a RuntimeError on the loop of the server
        raise ConnectionResetError("the process has ended")
    return process.stdin


async def end_child(process: Process) -> None:
    """End a process at once, whatever it does; also if it has ended already."""
    with suppress(ProcessLookupError):
        process.kill()
    # Reaped, so that no zombie stays; the pipes are closed by the transport.
    await process.wait()


def become_child() -> BinaryIO:
    """To be called first in a child: standard output for answers alone, which is returned.

    Whatever else is printed goes to standard error, and signals meant for the whole group are left
    to the server.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _search_path() -> str:
    """What PYTHONPATH has, behind the folder of this package if that is not installed."""
    ours = str(Path(__file__).parents[1])
    # In PYTHONPATH whatever else is installed would go before Python's own modules.
    installed = ours in (*site.getsitepackages(), site.getusersitepackages())
    paths = ("" if installed else ours, os.environ.get("PYTHONPATH", ""))
    return os.pathsep.join(filter(None, paths))

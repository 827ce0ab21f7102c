"""The real server, started for a measurement or already there: where it is, when it is ready, its
processes.

Knows `mt-serve` as a process, `GET /ready`, and Linux's records of processes. Does not know
translations.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from mt.errors import ConfigError

STARTUP_S = 60.0
STOP_S = 30.0
"""Seconds that a server gets to leave before it is killed."""
LOOK_S = 0.02
"""Seconds between two looks at something that is to come."""
MODEL_WORKER = b"service.workers.worker"
"""What the command line of a model worker has in it."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""No proxy of the environment is asked for a server on this machine."""


class Server(NamedTuple):
    """A server that is ready."""

    url: str
    pid: int | None = None
    """Of its first process; None where nobody knows it."""
    process: subprocess.Popen[bytes] | None = None
    """Where it has been started here."""


@contextmanager
def running(
    url: str | None, arguments: Sequence[str], *, workers: int, cpus: Collection[int]
) -> Iterator[Server]:
    """A server that is ready: the one at a URL, or else a new one on a free port of loopback.

    Args:
        arguments: for the new one.
        workers: its model workers.
        cpus: the processors it may use.

    Raises:
        ConfigError: it does not become ready.
    """
    if url is not None:
        _wait_until_ready(url.rstrip("/"), lambda: True)
        yield Server(url.rstrip("/"))
        return
    with tempfile.TemporaryFile() as log:
        process = _start(arguments, log, workers, cpus)
        try:
            address = _wait_for_address(process, log)
            _wait_until_ready(address, lambda: process.poll() is None)
            yield Server(address, process.pid, process)
        finally:
            _stop(process)


def is_ready(url: str) -> bool:
    """Whether `GET /ready` says so now."""
    try:
        with _DIRECT.open(f"{url}/ready", timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def pinned(cpus: Collection[int]) -> Iterator[None]:
    """Have this thread, and what it starts meanwhile, run on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def read_cpus(option: str, given: str | None) -> set[int]:
    """Processors written as "0,2-3"; all that this process may use if None.

    Raises:
        ConfigError: not written so, or not one that may be used.
    """
    usable = os.sched_getaffinity(0)
    if given is None:
        return usable
    cpus: set[int] = set()
    for part in given.split(","):
        if (found := re.fullmatch(r"(\d+)(?:-(\d+))?", part)) is None:
            raise ConfigError(f"{option} {given}: processors are written as 0,2-3")
        cpus.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    if not cpus or not cpus <= usable:
        allowed = ", ".join(map(str, sorted(usable)))
        raise ConfigError(f"{option} {given}: this process may use {allowed}")
    return cpus


def processes_of(pid: int) -> list[int]:
    """A process and all that came of it and run still, parents first."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        if (parent := _parent(file)) is not None:
            children.setdefault(parent, []).append(int(file.parent.name))
    family = [pid]
    for each in family:
        family += children.get(each, [])
    return family


def is_running(pid: int) -> bool:
    """Whether a process is there and not just waiting to be buried."""
    return _parent(Path(f"/proc/{pid}/stat")) is not None


def model_workers_of(pid: int) -> list[int]:
    """The processes of a server that translate."""
    found = []
    for each in processes_of(pid):
        with suppress(OSError):  # gone meanwhile
            if MODEL_WORKER in Path(f"/proc/{each}/cmdline").read_bytes():
                found.append(each)
    return found


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all that came of it; shared pages count for each."""
    total = 0
    for each in processes_of(pid):
        with suppress(OSError):  # gone meanwhile
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE")


def _start(
    arguments: Sequence[str], log: IO[bytes], workers: int, cpus: Collection[int]
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "scripts.serve", "--host=127.0.0.1", "--port=0", *arguments]
    environment = os.environ | {"MT_WORKERS": str(workers)}
    with pinned(cpus):
        # Into a file: nobody has to read a file, so its log costs the generator nothing.
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """The address that the server prints."""
    deadline = time.monotonic() + STARTUP_S
    while process.poll() is None and time.monotonic() < deadline:
        if (found := re.search(rb"http://127\.0\.0\.1:\d+", _text(log))) is not None:
            return found[0].decode()
        time.sleep(LOOK_S)
    last = _text(log).decode(errors="replace").strip().rsplit("\n", 1)[-1]
    raise ConfigError(f"the server did not start: {last or process.poll()}")


def _text(log: IO[bytes]) -> bytes:
    # Not by seeking: the server writes where this file object stands.
    return os.pread(log.fileno(), 100_000, 0)


def _wait_until_ready(url: str, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTUP_S
    while not is_ready(url):
        if not alive() or time.monotonic() > deadline:
            raise ConfigError(f"{url}: the server did not become ready in {STARTUP_S:g} s")
        time.sleep(LOOK_S)


def _parent(stat: Path) -> int | None:
    """The parent of a process that runs; None for others."""
    try:
        # The name of the program, in parentheses, may have spaces and parentheses in it.
        state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
    except OSError:
        return None
    return None if state in "ZX" else int(parent)

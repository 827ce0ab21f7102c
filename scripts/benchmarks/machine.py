"""What is measured on, and whether anyone else is using it.

Knows the system's own files, where it has them. Does not know what is measured.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

BUSY_PERCENT = 2.0
"""Share of the last ten seconds in which some process had to wait for a processor."""

PRESSURE, PROCESSORS = Path("/proc/pressure/cpu"), Path("/proc/cpuinfo")


def describe_machine(threads: int) -> dict[str, Any]:
    """Processor, versions and number of threads, for a record."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: found for name in ("torch", "onnxruntime") if (found := _version(name))},
    }


@contextmanager
def watched(record: dict[str, Any]) -> Iterator[None]:
    """Write into a record how busy the processors were before and after what is done meanwhile.

    One thread on an idle machine waits for nobody, so a measurement does not warn of itself.
    """
    before = cpu_pressure()
    yield
    record["cpu_pressure"] = {"before": before, "after": cpu_pressure()}


def warning(record: dict[str, Any]) -> str | None:
    """What to say of a record whose machine was busy; None if it was quiet, or cannot tell."""
    worst = max(
        (value for value in record["cpu_pressure"].values() if value is not None), default=0
    )
    if worst <= BUSY_PERCENT:
        return None
    return (
        f"the machine is busy: processes waited for a processor {worst:g} % of ten seconds (more "
        f"than {BUSY_PERCENT:g}); ratios within a round may hold, seconds do not"
    )


def cpu_pressure(path: Path = PRESSURE) -> float | None:
    """Per cent of the last ten seconds in which some process waited; None where unknown."""
    try:
        some = path.read_text().splitlines()[0]  # some avg10=0.00 avg60=0.42 ...
    except OSError:
        return None
    fields = dict(field.split("=") for field in some.split()[1:])
    return float(fields["avg10"])


def _processor() -> str:
    try:
        lines = PROCESSORS.read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

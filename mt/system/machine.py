"""How much of the machine this process may use."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux says how much time of its cores a container may have (cgroup v2)."""


def cores() -> int:
    """CPU cores this process may use; where the system does not say, all of them.

    That is those it is bound to, or fewer if its container has a quota (`docker run --cpus`), which
    counts as whole cores, rounded up.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min([bound or 1, *_quota()])


def _quota() -> list[int]:
    """In whole cores, where there is one."""
    with suppress(OSError, ValueError):  # it says "max" where there is none
        quota, period = map(int, CPU_QUOTA.read_text().split())
        return [max(1, math.ceil(quota / period))]
    return []

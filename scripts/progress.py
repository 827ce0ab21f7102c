"""What a person sees of a job: its progress on a terminal, and its flags at the end.

Knows lines, bytes and seconds. Does not know what is done to the lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mt import jobs
from scripts.console import errors, say


@contextmanager
def show_progress(size: int | None, *, visible: bool) -> Iterator[Callable[[int, int], None]]:
    """A line on standard error that moves with each report, if that is a terminal.

    Args:
        size: bytes of the whole text; None if not known, and then there is no time left.
        visible: false where the line would stand between the translations.

    Yields:
        What takes a report: lines and bytes done, first at the start of the job.
    """
    counts = (TextColumn("{task.fields[lines]:,} lines"), TextColumn("{task.fields[rate]}"))
    columns = (
        (SpinnerColumn(), *counts, TimeElapsedColumn())
        if size is None
        else (BarColumn(), TaskProgressColumn(), *counts, TimeRemainingColumn())
    )
    bar = Progress(
        *columns,
        console=errors,
        transient=True,
        disable=not (visible and errors.is_terminal),
        speed_estimate_period=600,  # seconds; a chunk may take many of them
    )
    task = bar.add_task("", total=size, lines=0, rate="")
    start: tuple[int, float] | None = None

    def report(lines: int, done: int) -> None:
        nonlocal start
        if start is None:
            # What an earlier call has done counts as progress, but not for the rate.
            start = (lines, time.monotonic())
            bar.reset(task, completed=done, lines=lines, rate="")
            return
        seconds = time.monotonic() - start[1]
        rate = f"{(lines - start[0]) / seconds:,.0f} lines/s" if seconds else ""
        bar.update(task, completed=done, lines=lines, rate=rate)

    with bar:
        yield report


def show_summary(done: jobs.Progress) -> None:
    """Say how many lines have which flag, and where to look; nothing if none has one."""
    if not done.flagged:
        return
    say(f"lines flagged, of {done.lines:,}:")
    for name, flagged in sorted(done.flagged.items()):
        share = 100 * flagged.lines / done.lines
        first = ", ".join(f"{number}" for number in flagged.first)
        more = ", ..." if flagged.lines > len(flagged.first) else ""
        lines = "line" if flagged.lines == 1 else "lines"
        say(f"  {name} {flagged.lines:,} ({share:.2f} %): {lines} {first}{more}")


def show_deaths(deaths: Sequence[jobs.Death]) -> None:
    """Say which lines were done again, since a process died that was at them; nothing if none."""
    if not deaths:
        return
    processes = "process" if len(deaths) == 1 else "processes"
    say(f"done again, since {len(deaths):,} {processes} died:")
    for task in dict.fromkeys(str(death.task) for death in deaths):
        say(f"  {task}")

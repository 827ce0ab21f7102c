"""The events of a training run as people see them: a progress bar, and lines that stay.

Knows the records that `mt.training` tells of. Does not know how a run is started or ended.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mt.criterion import find_criterion
from scripts.console import errors, say

WORTH_A_LINE = 100_000
"""Pairs whose preparation takes so long that a log should tell of it."""


class EventDisplay:
    """A progress bar on a terminal, and a line for each event that is worth one."""

    def __init__(self, updates: int, *, shown: bool) -> None:
        """For a run of so many updates; of several processes one shows the bar."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=errors,
            disable=not (shown and errors.is_terminal),
        )
        self._preparation = self._progress.add_task("preparing", total=None)
        self._training = self._progress.add_task("training", total=updates, visible=False)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def prepare(self, doing: str, done: int, total: int | None) -> None:
        """Show how far the text is prepared; its beginning and end are lines if it takes long."""
        self._progress.update(self._preparation, description=doing, completed=done, total=total)
        if total is None or total < WORTH_A_LINE:
            return
        if done == 0:
            self._began = time.monotonic()
            say(f"{doing} {total:,} pairs")
        elif done == total:
            seconds = time.monotonic() - self._began
            say(f"{doing} took {seconds:.1f} s, {total / seconds:,.0f} pairs/s")

    def show(self, record: Mapping[str, Any]) -> None:
        """Show an event of the training."""
        self._progress.update(self._preparation, visible=False)
        self._progress.update(self._training, visible=True, completed=record["update"])
        if line := _line(record):
            say(line)


def _line(record: Mapping[str, Any]) -> str:
    match record["event"]:
        case "start":
            filters = ", ".join(
                f"{count:,} {name.replace('_', ' ')}"
                for name, count in record["training_pairs"].items()
            )
            return f"{record['parameters']:,} parameters; training pairs: {filters}"
        case "resume":
            changed = record["changed_environment"]
            note = f"; not exact, since the environment changed: {changed}" if changed else ""
            return f"resumed at update {record['update']:,}{note}"
        case "train":
            return (
                f"update {record['update']:>7,}  epoch {record['epoch'] + 1:>3}  "
                f"loss {record['loss']:.3f}  nll {record['nll']:.3f}  "
                f"rate {record['learning_rate']:.2e}  norm {record['gradient_norm']:.2f}  "
                f"{record['tokens_per_second']:,.0f} tokens/s"
            )
        case "validation":
            mark = "  best so far" if record["better"] else ""
            return (
                f"update {record['update']:>7,}  validation: nll {record['nll']:.3f}  "
                f"{_scores(record)}{mark}\n    {record['example']}"
            )
        case _:
            return ""


def _scores(record: Mapping[str, Any]) -> str:
    """What a validation found, in words."""
    criterion = find_criterion(record)
    assert criterion is not None
    how = f"{criterion.how}, {record['sentences']:,} sentences"
    if "word_perplexity" in record:
        how += f", {record['word_perplexity']:.2f} per word"
    return f"{criterion.name} {record[criterion.key]:.2f} ({how})"

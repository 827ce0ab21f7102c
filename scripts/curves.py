"""mt-curves: the course of one or more training runs, as a table and as a picture.

Reads the `run/metrics.jsonl` that mt-train writes, also while it is still being written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from mt.criterion import CRITERIA, find_criterion
from mt.errors import ConfigError, TrainingError
from scripts.console import Version, program, run, say
from scripts.plots import Line, Panel, check_picture, draw
from scripts.tables import text_table

app = program("Show the course of training runs.")

Event = dict[str, Any]

FIELDS = {
    "train": {"update", "loss", "learning_rate"},
    "validation": {"update", "seconds", "nll", "sentences", "signature"},
}
"""What is read of an event, by its kind; other kinds and fields are passed over."""

PANELS = (
    ("train", "loss", "training loss", "nats per piece, smoothed labels"),
    ("validation", "nll", "validation loss", "nats per piece"),
    *(("validation", c.key, f"validation {c.name}", c.axis) for c in CRITERIA.values()),
    ("train", "learning_rate", "learning rate", "step size"),
)
"""Event, its field, title and y axis of every panel; the x axis counts updates."""


class Course(NamedTuple):
    """One run, as far as it got."""

    label: str
    events: list[Event]

    def of(self, kind: str) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event["event"] == kind]


@app.command()
def curves(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Model folders with their run/, or files metrics.jsonl."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="F.png", help="Draw the curves into this file; needs the extra \\[plot]."
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name of each run, in order.  [default: its path]"),
    ] = None,
    version: Version = False,
) -> None:
    """Show the course of training runs.

    Prints every validation, the best of each run marked; draws loss, validation loss, score and
    learning rate.
    """
    labels = label or [str(path) for path in runs]
    if len(labels) != len(runs):
        raise ConfigError(f"options: {len(labels)} times --label for {len(runs)} runs")
    if output is not None:
        check_picture(output)
    courses = [Course(name, read_events(path)) for name, path in zip(labels, runs, strict=True)]
    print(_table(courses))
    if output is not None:
        panels = [_panel(courses, *panel) for panel in PANELS]
        draw(output, [panel for panel in panels if panel.lines] or panels)


def main() -> None:
    run(app)


def read_events(run_path: Path) -> list[Event]:
    """The events of a run.

    Half a line at the end, as a running or a killed training leaves it, is left out with a note.

    Raises:
        TrainingError: there are no metrics, or a line of them is none.
    """
    path = run_path / "run" / "metrics.jsonl" if run_path.is_dir() else run_path
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}") from error
    if lines.pop():
        note = f"{path}: line {len(lines) + 1} is not finished and left out"
        say(note)
    return [_event(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]


def _event(line: bytes, place: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise TrainingError(f"{place}: not JSON") from error
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise TrainingError(f"{place}: not an event of a training run")
    missing = FIELDS.get(event["event"], set()) - event.keys()
    if event["event"] == "validation" and not _has_score(event):
        missing.add("a score")
    if missing:
        raise TrainingError(f"{place}: an event without {', '.join(sorted(missing))}")
    for field in FIELDS.get(event["event"], set()) - {"signature"}:
        if not isinstance(event[field], int | float):
            raise TrainingError(f"{place}: {field} is no number")
    return event


def _has_score(event: Event) -> bool:
    criterion = find_criterion(event)
    return criterion is not None and isinstance(event[criterion.key], int | float)


def _table(courses: Sequence[Course]) -> str:
    """A row for every validation, and how the scores of each run came about."""
    rows, notes, names = [], [], dict[str, None]()
    for course in courses:
        validations = course.of("validation")
        if not validations:
            notes.append(f"{course.label}: no validation yet")
            continue
        criterion = find_criterion(validations[0])
        assert criterion is not None, "of every event that is read"
        key, sign = criterion.key, criterion.sign
        if other := next((event for event in validations if key not in event), None):
            raise TrainingError(
                f"{course.label}: the validation at update {other['update']:,} has no {key}, as "
                "that before it: these are events of two runs"
            )
        # As mt-train has it: the first of those with the best score and the lowest loss.
        best = max(validations, key=lambda event: (sign * event[key], -event["nll"]))
        rows += [_row(course.label, event, key, event is best) for event in validations]
        names[criterion.name] = None
        notes.append(
            f"{course.label}: {criterion.how}, {best['sentences']:,} sentences, {best['signature']}"
        )
    header = ["run", "update", "minutes", "nll", " / ".join(names) or "BLEU", ""]
    return "\n".join([text_table(header, rows), *notes])


def _row(label: str, event: Event, key: str, best: bool) -> list[str]:
    return [
        label,
        f"{event['update']:,}",
        f"{event['seconds'] / 60:.1f}",
        f"{event['nll']:.3f}",
        f"{event[key]:.2f}",
        "best" if best else "",
    ]


def _panel(courses: Sequence[Course], kind: str, field: str, title: str, y_label: str) -> Panel:
    lines = []
    for course in courses:
        events = [event for event in course.of(kind) if field in event]
        if not events:
            continue
        updates = [event["update"] for event in events]
        lines.append(Line(course.label, updates, [event[field] for event in events]))
    return Panel(title, "updates", y_label, lines)


if __name__ == "__main__":
    main()

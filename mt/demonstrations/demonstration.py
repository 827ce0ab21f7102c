"""What a demonstration is, and what it finds: figures with their baselines, and pictures of curves.

Knows numbers and names. Does not know models, files or terminals, nor how curves are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mt.demonstrations.workspace import Workspace


class Finding(NamedTuple):
    """One figure beside what it is to be compared with."""

    case: str
    """Whose figure it is, such as "T = 200, chrono"."""
    measure: str
    """What was measured, with its unit."""
    value: float
    baseline: float | None = None
    """None where nothing comparable is known."""
    source: str = ""
    """What the baseline is: a formula, or a published figure and its set-up."""


class Curve(NamedTuple):
    """A line through points, in their order."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


class Picture(NamedTuple):
    """Curves between one pair of axes."""

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    logarithmic: bool = False
    """The y axis counts in powers of ten; zeros have no place on it."""


class Result(NamedTuple):
    """What a demonstration shows."""

    findings: Sequence[Finding]
    pictures: Sequence[Picture]


class Demonstration(NamedTuple):
    """Something about the memory cell that can be measured again."""

    name: str
    about: str
    """In one sentence: what is done, and what it shows."""
    paper: str
    """Where it was shown first."""
    full: Any
    """The plan of the whole demonstration: a named tuple of sizes, the argument of `show`."""
    smoke: Any
    """A plan that only proves that everything runs."""
    show: Callable[[Any, Workspace], Result]
    check: Callable[[Workspace], object] | None = None
    """Refuses, before anything is written, a workspace that lacks what `show` needs."""

    def plan(self, smoke: bool) -> Any:
        return self.smoke if smoke else self.full


def as_record(result: Result) -> Mapping[str, Any]:
    """The result as plain values, fit for JSON."""
    pictures = [
        picture._asdict()
        | {"curves": [{"label": c.label, "x": list(c.x), "y": list(c.y)} for c in picture.curves]}
        for picture in result.pictures
    ]
    return {"findings": [finding._asdict() for finding in result.findings], "pictures": pictures}

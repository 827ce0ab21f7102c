"""Lines with labels, drawn into a PNG file; needs matplotlib, of the extra [plot].

Knows panels, lines and pixels. Does not know what they show. Uses no pyplot: a figure is an object
of its own, no display is looked for, and nothing stays behind.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mt.errors import ConfigError
from mt.system.files import write_atomic
from scripts.outputs import check_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_SIZE = (6.4, 4.0)
"""Width and height of a panel, in inches."""
DOTS_PER_INCH = 120
MARKED_POINTS = 40
"""Lines of at most this many points have a dot at each."""
LABELS_INSIDE = 6
"""Where there are more labels than these, they would hide the lines: they stand below the axes."""


class Line(NamedTuple):
    """A line through points, in their order. A NaN leaves a gap."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


class Panel(NamedTuple):
    """A pair of axes and the lines between them."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    x_names: Sequence[str] | None = None
    """Names of the places 0, 1, 2, ... on the x axis, where these are no numbers."""
    logarithmic: bool = False
    """The y axis counts in powers of ten; what is not above zero has no place on it."""


def check_picture(path: Path) -> None:
    """Refuse, before any long work, a picture that could not be drawn in the end.

    Raises:
        ConfigError: matplotlib is missing, the name does not end in .png, or nothing can be written
            there.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(
            f"{path}: drawing needs matplotlib: pip install -c constraints.txt '.[plot]'"
        )
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{path}: a picture is a PNG file, and its name ends in .png")
    check_output(path)


def draw(path: Path, panels: Sequence[Panel]) -> None:
    """Draw panels into a PNG file, up to two side by side; the same lines give the same bytes.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    content = io.BytesIO()
    # Without the name and version of the program, which matplotlib would add.
    figure(panels).savefig(content, format="png", metadata={"Software": None})
    write_atomic(path, content.getvalue())


def figure(panels: Sequence[Panel]) -> Figure:
    """The panels as a matplotlib figure."""
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = math.ceil(len(panels) / columns)
    width, height = PANEL_SIZE
    made = Figure((columns * width, rows * height), dpi=DOTS_PER_INCH, layout="constrained")
    grid = list(made.subplots(rows, columns, squeeze=False).flat)
    for axes, panel in zip(grid, panels, strict=False):
        _fill(axes, panel)
    for axes in grid[len(panels) :]:
        axes.remove()
    return made


def _fill(axes: Axes, panel: Panel) -> None:
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    axes.grid(alpha=0.3)
    if panel.logarithmic:
        axes.set_yscale("log")
    if panel.x_names is not None:
        axes.set_xticks(range(len(panel.x_names)), panel.x_names)
    for line in panel.lines:
        marker = "o" if len(line.x) <= MARKED_POINTS else ""
        axes.plot(line.x, line.y, marker=marker, markersize=3.5, linewidth=1.2)
    if panel.lines:
        legend = axes.legend(axes.get_lines(), [""] * len(panel.lines), **_place(panel))
        # Set by hand, since a label may be a path: matplotlib would leave one out that begins with
        # "_", and take what stands between two "$" for a formula.
        for text, line in zip(legend.get_texts(), panel.lines, strict=True):
            text.set(text=line.label, parse_math=False)


def _place(panel: Panel) -> dict[str, Any]:
    """Where the labels stand; without a word matplotlib finds a place among the lines."""
    if len(panel.lines) <= LABELS_INSIDE:
        return {}
    return {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 3}

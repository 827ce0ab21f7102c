"""An explanation as pictures: heatmaps in a PNG file; needs matplotlib, of the extra [plot].

Knows panels, axes and pixels. Does not know how the numbers were computed. Like `scripts.plots`, it
uses no pyplot.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.explain import GATES, Explanation
from mt.system.files import write_atomic
from scripts.plots import DOTS_PER_INCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVATIONS = 6
"""Panels of a layer: in one row, or in two where there are many tokens."""
MANY_TOKENS = 24
PANEL_HEIGHT, SUMMARY_HEIGHT = 3.0, 2.4
"""Inches."""
TOKEN_WIDTH = ROW_HEIGHT = 0.17
"""Inches a token takes in a panel, beside the others or below."""
MARGIN_WIDTH = 1.1
"""Inches beside each panel, for its colour bar."""
UNIT_RANGE = (*GATES, "candidate")
"""Activations that fill the range from -1 or 0 to 1; the others have a scale of their own."""


class Heatmap(NamedTuple):
    """One panel: rows by columns, all columns tokens."""

    title: str
    values: NDArray[np.float32]
    tokens: Sequence[str]
    low: float
    high: float
    rows: Sequence[str] | None = None
    """Names of the rows; None where they are units."""


def draw_explanation(path: Path, explanation: Explanation, layers: Sequence[int]) -> None:
    """Draw what the final states depend on, attention, and the layers of these numbers, from 1.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    content = io.BytesIO()
    figure(explanation, layers).savefig(content, format="png", metadata={"Software": None})
    write_atomic(path, content.getvalue())


def figure(explanation: Explanation, layers: Sequence[int]) -> Figure:
    """The same as a matplotlib figure."""
    from matplotlib.figure import Figure

    above, below = _summary(explanation), [_layer(explanation, number) for number in layers]
    tokens = max(len(panel.tokens) for panel in (*above, *below[0], *below[-1]))
    columns = ACTIVATIONS if tokens <= MANY_TOKENS else ACTIVATIONS // 2
    rows = ACTIVATIONS // columns
    named = max(len(panel.rows or ()) for panel in above)
    heights = [max(SUMMARY_HEIGHT, 1 + named * ROW_HEIGHT), *(len(below) * [rows * PANEL_HEIGHT])]
    width = columns * max(2.6, tokens * TOKEN_WIDTH + MARGIN_WIDTH)
    made = Figure((width, sum(heights) + 0.5), dpi=DOTS_PER_INCH, layout="constrained")
    title = made.suptitle(f"{explanation.source}  →  {explanation.translation}", fontsize=14)
    title.set(parse_math=False, wrap=True)
    # Each part is laid out by itself, as names of layers and tokens take more room in the first.
    parts = made.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    grids = [(1, len(above)), *(len(below) * [(rows, columns)])]
    for part, grid, panels in zip(parts, grids, [above, *below], strict=True):
        for axes, panel in zip(part.subplots(*grid).flat, panels, strict=True):
            _fill(axes, panel)
    return made


def _summary(explanation: Explanation) -> list[Heatmap]:
    """What the final states depend on, and attention where there is any."""
    names = [each.layer for each in explanation.dependence]
    tokens = explanation.source_pieces
    gradient = np.stack([each.gradient.numpy() for each in explanation.dependence])
    kept = np.stack([each.kept.mean(-1).numpy() for each in explanation.dependence])
    panels = [
        Heatmap(
            "norm of the gradient of the final state", gradient, tokens, 0, gradient.max(), names
        ),
        Heatmap("product of forget gates behind, mean of units", kept, tokens, 0, 1, names),
    ]
    if explanation.attention is not None:
        weights = explanation.attention.numpy()
        panels.append(Heatmap("attention", weights, tokens, 0, 1, explanation.written))
    return panels


def _layer(explanation: Explanation, number: int) -> list[Heatmap]:
    """All activations of a layer; units lie in one order, that of their mean forget gate."""
    layer = explanation.layers[number - 1]
    order = layer.activations.forget.mean(0).argsort()
    panels: list[Heatmap] = []
    for name, values in layer.activations._asdict().items():
        units = values[:, order].T.numpy()
        # A few values far out would leave all others pale.
        most = 1.0 if name in UNIT_RANGE else float(np.percentile(np.abs(units), 99)) or 1.0
        title = f"{number}: {layer.name}\n{name}" if not panels else name
        low = 0.0 if name in GATES else -most
        panels.append(Heatmap(title, units, explanation.pieces(layer), low, most))
    return panels


def _fill(axes: Axes, panel: Heatmap) -> None:
    signed = panel.low < 0
    image = axes.imshow(
        panel.values,
        cmap="RdBu_r" if signed else "viridis",
        vmin=panel.low,
        vmax=panel.high,
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_title(panel.title, fontsize=9, loc="left")
    axes.set_xticks(range(len(panel.tokens)), panel.tokens, rotation=90, fontsize=7)
    for label in axes.get_xticklabels():
        label.set_parse_math(False)  # a token may be "$"
    if panel.rows is None:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(panel.values)} units", fontsize=7)
    else:
        axes.set_yticks(range(len(panel.rows)), panel.rows, fontsize=7)
        for label in axes.get_yticklabels():
            label.set_parse_math(False)
    beyond = bool(np.abs(panel.values).max() > panel.high)
    extend = "both" if beyond and signed else "neither"
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02, aspect=15, extend=extend)
    bar.ax.tick_params(labelsize=7)

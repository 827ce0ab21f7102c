"""An explanation as text for people: sentence, heatmaps, one unit's walk.

Knows the words and the order. Does not know cells of a terminal (`scripts.shades`), nor how any of
it was computed (`mt.explain`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mt.explain import Explanation, GateSummary, ObservedLayer, Step, summarise
from scripts.shades import Column, fitted, grid, table, wrapped

COLUMNS = {"input": "input", "forget": "forget", "output": "output"} | {
    "candidate": "|cand.|",
    "cell": "|cell|",
    "hidden": "|hidden|",
}


def page(explanation: Explanation, layers: Sequence[int]) -> str:
    """All that is said of a sentence.

    Args:
        layers: the numbers of the layers shown, from 1.
    """
    parts = [
        wrapped(f"{explanation.source}\n-> {explanation.translation}"),
        f"model {explanation.model}, log-probability {explanation.log_probability:.3f}",
        _dependence(explanation),
        *(_layer(number, explanation) for number in layers),
    ]
    if explanation.attention is not None:
        parts.append(_attention(explanation))
    return "\n\n".join(parts)


def story(explanation: Explanation, number: int, unit: int, steps: Sequence[Step]) -> str:
    """One unit's walk, in the words of the equations."""
    layer = explanation.layers[number - 1]
    pieces = explanation.pieces(layer)
    shown = "LN(c)" if layer.layer_norm else "c"
    shown = f"tanh({shown})" if layer.output_tanh else shown
    head = (
        f"Unit {unit} of layer {number} ({layer.name}). It starts with c = {steps[0].before:+.3f}; "
        f"at each step f*c' is kept, i*g is written, and h = o*{shown} is let out."
    )
    told = [wrapped(head)]
    told += [_step(step, fitted(pieces[step.position], 13)) for step in steps]
    return "\n\n".join([*told, wrapped(_left(steps, pieces))])


def _dependence(explanation: Explanation) -> str:
    head = (
        "What the encoder's final states still owe to each token: grad, the norm of their "
        "gradient to its embedding; kept, the product of the forget gates behind it, which is the "
        "share of what was written there that is in the final cell: mean over units, and most of "
        "any unit."
    )
    blocks = [wrapped(head)]
    for each in explanation.dependence:
        gradient = each.gradient.tolist()
        columns = [
            Column("grad", gradient, max(gradient)),
            Column("kept", each.kept.mean(-1).tolist()),
            Column("most", each.kept.amax(-1).tolist()),
        ]
        blocks.append(f"{each.layer}\n{table(explanation.source_pieces, columns)}")
    return "\n\n".join(blocks)


def _layer(number: int, explanation: Explanation) -> str:
    layer = explanation.layers[number - 1]
    summaries = summarise(layer.activations)
    columns = []
    for name, title in COLUMNS.items():
        summary = summaries[name]
        mean = summary.mean if isinstance(summary, GateSummary) else summary.magnitude
        values = mean.tolist()
        columns.append(Column(title, values, max(1.0, *values)))
    head = f"Layer {number}: {layer.name}, {layer.units} units. Mean over units; |x| without signs."
    return "\n".join([head, table(explanation.pieces(layer), columns), *_saturation(layer)])


def _saturation(layer: ObservedLayer) -> Iterator[str]:
    yield "Gates shut (under 0.1) and open (over 0.9), in percent of all units and tokens:"
    shares = []
    for name, summary in summarise(layer.activations).items():
        if isinstance(summary, GateSummary):
            shut, opened = 100 * summary.shut.mean(), 100 * summary.open.mean()
            shares.append(f"{name} {shut:.0f} and {opened:.0f}")
    yield "  " + "; ".join(shares)


def _attention(explanation: Explanation) -> str:
    assert explanation.attention is not None
    head = wrapped(
        "Attention: where the output looked (columns, source tokens as numbered above) when it "
        "wrote each token (rows)."
    )
    weights = explanation.attention.tolist()
    return f"{head}\n{grid(explanation.written, explanation.source_pieces, weights)}"


def _step(step: Step, piece: str) -> str:
    before, blank = f"{step.before:+.3f}", " " * 14
    return "\n".join(
        [
            f"{piece} forgets {1 - step.forget:4.0%}:  f * c' = {step.forget:.3f} * {before} "
            f"= {step.kept:+.3f} kept",
            f"{blank}writes:         i * g  = {step.input:.3f} * {step.candidate:+.3f} "
            f"= {step.written:+.3f}",
            f"{blank}the cell is now    c    = {step.kept:+.3f} {_signed(step.written)} "
            f"= {step.cell:+.3f}",
            f"{blank}lets out {step.output:4.0%}:   h    = {step.output:.3f} * {step.shown:+.3f} "
            f"= {step.hidden:+.3f}",
        ]
    )


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.3f}"


def _left(steps: Sequence[Step], pieces: Sequence[str]) -> str:
    """What the final cell is made of."""
    last = steps[-1].cell
    start = last - sum(step.left for step in steps)
    shares = [f"{pieces[step.position]} {step.left:+.3f}" for step in steps]
    return (
        f"The final cell, {last:+.3f}, is what is left of the start, {start:+.3f}, and of what was "
        f"written at {', '.join(shares)}."
    )

"""An explanation as text for people: sentence, heatmaps, one unit's walk, a probe's findings.

Knows the words and the order. Does not know cells of a terminal (`scripts.shades`), nor how any of
it was computed (`mt.explain`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from mt.explain import Explanation, Finding, GateSummary, Layer, Step, Survey, summarise
from mt.explain.probe import Example
from scripts.console import errors
from scripts.shades import WIDTH, Column, fitted, grid, printable, table

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
        _wrapped(f"{explanation.source}\n-> {explanation.translation}"),
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
    told = [_wrapped(head)]
    told += [_step(step, fitted(pieces[step.position], 13)) for step in steps]
    return "\n\n".join([*told, _wrapped(_left(steps, pieces))])


def survey(found: Survey) -> str:
    """What a probe found."""
    counts = found.counts
    left_out = ", ".join(f"{n} {counts[n]:,}" for n in ("blank", "repeated", "too long"))
    head = (
        f"{counts['read']:,} lines; left out: {left_out}. Units are chosen on one half of the "
        "sentences; their accuracy is that on the other. Examples show the best unit's c, and yes "
        "as ===."
    )
    return "\n\n".join([_wrapped(head), *map(_finding, found.findings)])


def _dependence(explanation: Explanation) -> str:
    head = (
        "What the encoder's final states still owe to each token: grad, the norm of their "
        "gradient to its embedding; kept, the product of the forget gates behind it, which is the "
        "share of what was written there that is in the final cell: mean over units, and most of "
        "any unit."
    )
    blocks = [_wrapped(head)]
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
    summaries = summarise(layer.gates)
    columns = []
    for name, title in COLUMNS.items():
        summary = summaries[name]
        mean = summary.mean if isinstance(summary, GateSummary) else summary.magnitude
        values = mean.tolist()
        columns.append(Column(title, values, max(1.0, *values)))
    head = f"Layer {number}: {layer.name}, {layer.units} units. Mean over units; |x| without signs."
    return "\n".join([head, table(explanation.pieces(layer), columns), *_saturation(layer)])


def _saturation(layer: Layer) -> Iterator[str]:
    yield "Gates shut (under 0.1) and open (over 0.9), in percent of all units and tokens:"
    shares = []
    for name, summary in summarise(layer.gates).items():
        if isinstance(summary, GateSummary):
            shut, opened = 100 * summary.shut.mean(), 100 * summary.open.mean()
            shares.append(f"{name} {shut:.0f} and {opened:.0f}")
    yield "  " + "; ".join(shares)


def _attention(explanation: Explanation) -> str:
    assert explanation.attention is not None
    head = _wrapped(
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


def _finding(finding: Finding) -> str:
    if not finding.units:
        same = finding.told - finding.sentences // 2
        alike = f", {same:,} of them the same" if finding.sentences < finding.told else ""
        return f"{finding.name}: {finding.told:,} sentences tell of it{alike}, too few to probe"
    head = (
        f"{finding.name}: {finding.sentences:,} sentences; always the same answer is right at "
        f"{finding.majority:.1%} of {finding.places:,} tokens"
    )
    lines = [_wrapped(head)]
    for unit in finding.units:
        sign = ">" if unit.above else "<"
        where = f"{unit.layer}, unit {unit.number}"
        lines.append(f"  {unit.accuracy:.1%}  {where}: yes where c {sign} {unit.cut:+.3f}")
    lines += [line for example in finding.examples for line in ("", *_example(example))]
    return "\n".join(lines)


def _example(example: Example) -> Iterator[str]:
    """Pieces with the best unit's cell under each, and a line under what the answer is yes for."""
    upper = lower = marks = ""
    for piece, cell, yes in zip(example.pieces, example.cell, example.labels, strict=True):
        width = max(cell_len(piece), 5) + 1
        if cell_len(upper) + width > WIDTH - 2:
            yield from _rows(upper, marks, lower)
            upper = lower = marks = ""
        upper += fitted(piece, width)
        lower += f"{cell:+.2f}".ljust(width)
        marks += ("=" * (width - 1) if yes else "").ljust(width)
    yield from _rows(upper, marks, lower)


def _rows(*rows: str) -> Iterator[str]:
    yield from ("  " + row.rstrip() for row in rows if row.strip())


def _wrapped(text: str) -> str:
    lines = (Text(printable(line)).wrap(errors, WIDTH) for line in text.split("\n"))
    return "\n".join(line.plain.rstrip() for wrapped in lines for line in wrapped)

"""What a probe found, as a page of 80 columns.

Knows the words and the order. Does not know how units were looked for (`mt.explain.probe`).
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from mt.explain import Finding, Survey
from mt.explain.probe import Example
from scripts.shades import WIDTH, fitted, wrapped


def units_page(found: Survey) -> str:
    """All of it."""
    counts = found.counts
    left_out = ", ".join(f"{n} {counts[n]:,}" for n in ("blank", "repeated", "too long"))
    head = (
        f"{counts['read']:,} lines; left out: {left_out}. Units are chosen on one half of the "
        "sentences; their accuracy is that on the other. Examples show the best unit's c, and yes "
        "as ===."
    )
    return "\n\n".join([wrapped(head), *map(_finding, found.findings)])


def _finding(finding: Finding) -> str:
    if not finding.units:
        same = finding.told - finding.sentences // 2
        alike = f", {same:,} of them the same" if finding.sentences < finding.told else ""
        return f"{finding.name}: {finding.told:,} sentences tell of it{alike}, too few to probe"
    head = (
        f"{finding.name}: {finding.sentences:,} sentences; always the same answer is right at "
        f"{finding.majority:.1%} of {finding.places:,} tokens"
    )
    lines = [wrapped(head)]
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

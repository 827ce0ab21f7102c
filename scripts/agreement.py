"""What a language model knows of agreement, as a page of 80 columns.

Knows terminals. Does not know where the figures come from (`mt.explain.examination`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from scripts.tables import text_table

if TYPE_CHECKING:
    from mt.explain.agreement import Accuracy
    from mt.explain.carriers import Carrier
    from mt.explain.examination import Examination


def agreement_page(found: Examination, left_out: Mapping[str, int]) -> str:
    """All of it.

    Args:
        left_out: choices of a text that were not asked for, by kind.
    """
    kinds = dict.fromkeys(each.kind for each in found.accuracies)
    parts = [_table(kind, [e for e in found.accuracies if e.kind == kind]) for kind in kinds]
    notes = [f"{count:,} of a {kind} left out" for kind, count in sorted(left_out.items())]
    if unspelled := sum(each.unspelled for each in found.accuracies):
        notes.append(f"{unspelled:,} with characters that the model cannot write left out")
    if notes:
        parts.append("; ".join(notes))
    return "\n\n".join([*parts, *map(_carrier, found.carriers)])


def _table(kind: str, accuracies: list[Accuracy]) -> str:
    rows = []
    for each in accuracies:
        low, high = (f"{100 * bound:.1f}" for bound in each.interval)
        share, majority = f"{100 * each.share:.1f}", f"{100 * each.majority:.1f}"
        rows.append([each.case, f"{each.total:,}", share, f"{low} to {high}", majority])
    return text_table([kind, "of", "right %", "95 % interval", "one form"], rows)


def _carrier(carrier: Carrier) -> str:
    gates = [[f.where, f"{f.mean:.3f}", f"{f.places:,}"] for f in carrier.forgetting]
    example = zip(*carrier.example, strict=True)
    steps = [[piece, f"{forget:.3f}", f"{cell:+.3f}"] for piece, forget, cell in example]
    return "\n".join(
        [
            f"{carrier.kind}: the cell of unit {carrier.unit} of layer {carrier.layer} tells the "
            f"right form at {100 * carrier.accuracy:.1f} %",
            f"of {carrier.choices:,} choices. The model is right at {100 * carrier.whole:.1f} %, "
            f"without the unit at {100 * carrier.ablated:.1f} %;",
            f"{100 * carrier.changed:.1f} % come out otherwise.",
            "",
            text_table(["its forget gate", "mean", "places"], gates),
            "",
            text_table(["having read", "forget", "cell"], steps),
        ]
    )

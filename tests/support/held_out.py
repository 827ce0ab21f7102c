"""Text parted into what trains and what validates, all of it in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mt.corpus import HeldOut, Pairs


def hold_out(source: Sequence[str], target: Sequence[str], count: int) -> tuple[Pairs, Pairs]:
    """Part pairs into training and validation text, which share no side of any pair.

    Args:
        count: pairs to hold out, evenly spread, at most a tenth of all; none of them is blank.

    Raises:
        CorpusError: there are too few pairs.
    """
    pairs = list(zip(source, target, strict=True))
    whole = [number for number, pair in enumerate(pairs) if all(map(str.strip, pair))]
    held = HeldOut.of(pairs, np.array(whole), count)
    rest = [pair for pair in pairs if not held.has_side_of(*pair)]
    return ([left for left, _ in rest], [right for _, right in rest]), held.pairs

"""How well one number tells yes from no: the best threshold for each of many units at once.

Knows arrays. Does not know where the numbers come from. A threshold is the smallest linear
classifier, one unit and one cut, so that what it finds is in that unit and not in a sum of many.

Shapes: N places, U units.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


class Thresholds(NamedTuple):
    """The best cut of each unit."""

    cut: Floats
    """[U]"""
    above: Bools
    """[U]: whether yes is told by values above the cut; else by those below."""
    accuracy: Floats
    """[U]: on the places they were fitted to, from 0 to 1."""

    def accuracy_on(self, values: Floats, labels: Bools) -> Floats:
        """values [N, U], labels [N] -> the share told rightly by each unit, [U]."""
        told = (values > self.cut) == self.above
        accuracy: Floats = (told == labels[:, None]).mean(axis=0)
        return accuracy


def fit_thresholds(values: Floats, labels: Bools) -> Thresholds:
    """The cut of each unit that tells most of the labels rightly.

    Args:
        values: [N, U], N at least 1.
        labels: [N]
    """
    places, units = values.shape
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    # Row k: the k lowest values are told "no", all others "yes".
    yes_below = np.concatenate([np.zeros((1, units)), labels[order].cumsum(axis=0)])
    right = np.arange(places + 1)[:, None] + labels.sum() - 2 * yes_below
    right = np.maximum(right, places - right)  # or the other way round
    right[1:-1][ordered[1:] == ordered[:-1]] = -1  # no cut lies between equal values
    best = right.argmax(axis=0)
    each = np.arange(units)
    padded = np.concatenate([ordered[:1] - 1, ordered, ordered[-1:] + 1])
    # In double precision: between neighbours of a narrower type there is no number of that type.
    cut = padded[[best, best + 1], each].mean(axis=0, dtype=np.float64)
    told_yes = values > cut
    above = (told_yes == labels[:, None]).mean(axis=0) >= 0.5
    accuracy = right[best, each] / places
    return Thresholds(cut, above, accuracy)

"""One unit of one layer, step by step: what it forgets, writes, keeps and lets out.

Knows the equations of `mt.lstm` in numbers. Does not know how they are told to people.

    forgets    1 - f of what is in the cell, so that f * c' is kept
    writes     i * g
    keeps      c = f * c' + i * g
    lets out   h = o * tanh(c)
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mt.explain.activations import ObservedLayer
from mt.explain.dependence import left_in_the_end


class Step(NamedTuple):
    """One step of one unit; the numbers are the cell's own."""

    position: int
    """Of the token, counted from 0 in the order of the text."""
    input: float
    forget: float
    output: float
    candidate: float
    before: float
    """c': the cell state that the step finds."""
    cell: float
    shown: float
    """What the output gate is multiplied with: tanh(c), or what the cell's variant has instead."""
    hidden: float
    left: float
    """What is in the final cell of that which the step wrote."""

    @property
    def kept(self) -> float:
        """f * c'."""
        return self.forget * self.before

    @property
    def written(self) -> float:
        """i * g."""
        return self.input * self.candidate


def walk(layer: ObservedLayer, unit: int) -> list[Step]:
    """The steps of a unit, counted from 0, in the order in which the layer reads."""
    assert 0 <= unit < layer.units, (unit, layer.units)
    values = [each[:, unit].tolist() for each in layer.activations]
    left = left_in_the_end(layer)[:, unit].tolist()
    positions = range(len(left))
    before = float(layer.initial.cell[unit])
    steps = []
    for position in reversed(positions) if layer.backwards else positions:
        i, f, o, g, c, h = (each[position] for each in values)
        steps.append(
            Step(position, i, f, o, g, before, c, _shown(layer, c, o, h), h, left[position])
        )
        before = c
    return steps


def _shown(layer: ObservedLayer, cell: float, output: float, hidden: float) -> float:
    if layer.layer_norm:  # which a unit cannot work out alone
        return hidden / output if output else 0.0
    return math.tanh(cell) if layer.output_tanh else cell

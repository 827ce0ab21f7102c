"""Layers of activations in a few figures a token.

Knows averages over units. Does not know where activations come from. The two shares are those of
Karpathy, Johnson and Fei-Fei 2015, section 4.2: a gate that is under 0.1 or over 0.9 counts as
saturated, shut or open.

Shapes: T positions, H hidden units.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from mt.lstm import Activations

SHUT, OPEN = 0.1, 0.9
"""A gate below the first counts as shut, above the second as open."""
GATES = ("input", "forget", "output")
"""Values between 0 and 1; the other activations have a sign."""


class GateSummary(NamedTuple):
    """A gate over all units, at each position."""

    mean: Tensor
    """[T]"""
    shut: Tensor
    """[T]: the share of units whose gate is under 0.1."""
    open: Tensor
    """[T]: the share of units whose gate is over 0.9."""


class SignedSummary(NamedTuple):
    """A candidate, cell or hidden state over all units, at each position."""

    mean: Tensor
    """[T]: near 0 as a rule, as units differ in sign."""
    magnitude: Tensor
    """[T]: mean of the values without their signs."""


def summarise(activations: Activations) -> dict[str, GateSummary | SignedSummary]:
    """The summary of each activation [T, H], by its name in `Activations`."""
    named = activations._asdict()
    return {
        name: _of_gate(values) if name in GATES else _of_signed(values)
        for name, values in named.items()
    }


def _of_gate(values: Tensor) -> GateSummary:
    shut, opened = (values < SHUT), (values > OPEN)
    return GateSummary(values.mean(-1), shut.double().mean(-1), opened.double().mean(-1))


def _of_signed(values: Tensor) -> SignedSummary:
    return SignedSummary(values.mean(-1), values.abs().mean(-1))

"""Which equations a memory cell follows, as four answers; `mt.lstm.variants` has the equations.

Knows which letters have parameters. Does not know what is computed with them.
"""

from __future__ import annotations

from typing import NamedTuple


class Variant(NamedTuple):
    """The defaults are the standard cell's; `ModelConfig` says what each is."""

    output_tanh: bool = True
    coupled_gates: bool = False
    peepholes: bool = False
    layer_norm: bool = False

    @property
    def gates(self) -> str:
        """The letters that have parameters: i, f, o of the gates, c of the candidate."""
        return "ioc" if self.coupled_gates else "ifoc"

    @property
    def seeing(self) -> str:
        """The letters that have a peephole."""
        return self.gates.removesuffix("c") if self.peepholes else ""


STANDARD = Variant()

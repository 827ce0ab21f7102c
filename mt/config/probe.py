"""How units that keep track of something are looked for.

Knows numbers of things. Does not know what is kept track of.
"""

from __future__ import annotations

from pydantic import Field

from mt.config.options import Options


class ProbeConfig(Options):
    """How `mt.explain.probe` looks for units that keep track of something; in no recipe."""

    sentences: int = Field(2000, ge=20, le=100_000)
    """Most sentences for each thing to keep track of, drawn from those that tell something of it;
    one half fits, the other measures."""
    units: int = Field(3, ge=1, le=100)
    """Units shown of each, best first."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Of the draw of sentences."""

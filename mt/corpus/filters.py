"""Which pairs train, and where every other one went.

Knows lengths and repetitions. Does not know text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from mt.config import DataConfig


@dataclass(frozen=True)
class FilterReport:
    """Where every pair went; the counts add up to `read`, but for `copies`."""

    read: int
    kept: int
    empty: int
    """A side is blank."""
    duplicate: int
    """Both sides equal an earlier kept pair's."""
    too_long: int
    """A side has more pieces than data.max_pieces."""
    uneven: int
    """The sides differ more than data.max_length_ratio allows."""
    held_out: int = 0
    """Kept for validation, or shares a side with such a pair (data.held_out_pairs)."""
    excluded: int = 0
    """A side stands in a file of data.exclude."""
    copies: int = 0
    """Not read but added: further appearances of kept pairs in an epoch (data.repeat)."""

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.shown())

    def shown(self) -> list[tuple[str, int]]:
        """Names and counts; those of options that have no effect are left out."""
        optional = {"excluded", "copies"}
        return [(name, n) for name, n in asdict(self).items() if n or name not in optional]


class PairFilter:
    """Lets pairs through by the rules of [data], and counts those it keeps back."""

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self._counts = dict.fromkeys(
            ("read", "kept", "empty", "duplicate", "too_long", "uneven"), 0
        )

    def __call__(
        self,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        repeated: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Which of the next pairs train.

        Args:
            source: [pairs], pieces of each source.
            target: [pairs], pieces of each target.
            repeated: [pairs], whether both sides equal an earlier pair's. Equal pairs go the same
                way but for this rule, so the first of them is kept if any is.
        """
        config = self._config
        longest, shortest = np.maximum(source, target), np.minimum(source, target)
        reasons = {
            "empty": shortest == 0,
            "too_long": longest > config.max_pieces,
            "uneven": longest > config.max_length_ratio * shortest + 5,
        }
        kept = np.ones(len(source), np.bool_)
        for reason, applies in reasons.items():
            self._counts[reason] += int((kept & applies).sum())
            kept &= ~applies
        if config.remove_duplicates:
            self._counts["duplicate"] += int((kept & repeated).sum())
            kept &= ~repeated
        self._counts["read"] += len(kept)
        self._counts["kept"] += int(kept.sum())
        return kept

    def report(self, *, held_out: int = 0, excluded: int = 0) -> FilterReport:
        """The counts so far, with the pairs taken out before; what is added later is not in it."""
        counts = self._counts | {"read": self._counts["read"] + held_out + excluded}
        return FilterReport(held_out=held_out, excluded=excluded, copies=0, **counts)

"""One look at all of a text before any of it is tokenised.

Knows lines, whether they are equal, and which must not train. Does not know tokens or files.

Equal pairs are found by a digest of 128 bits: 16 bytes a pair instead of a set of all text. That
two different pairs share one, and the second is left out for a duplicate, has for ten million pairs
a probability of 10**14 / 2 / 2**128, about 10**-25; memory errors are likelier by far.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_NOTICE_EVERY = 10_000
"""Pairs between two reports."""


@dataclass(frozen=True)
class Survey:
    """What there is to know of each pair before it is tokenised."""

    blank: NDArray[np.bool_]
    """[pairs]: a side holds nothing but white space."""
    repeated: NDArray[np.bool_]
    """[pairs]: both sides equal an earlier pair's, white space around them apart."""
    excluded: NDArray[np.bool_]
    """[pairs]: a side is, case and white space apart, a sentence that must not train."""

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.blank)

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[str, str]],
        report: Callable[[int], None] = lambda count: None,
        *,
        exclude: Iterable[str] = (),
    ) -> Survey:
        """Look at each pair once; 18 bytes a pair while it lasts, 44 at its end, and 3 stay.

        Args:
            report: takes the number of pairs seen so far, every ten thousand.
            exclude: sentences that must not train, on either side; blank ones do not count.
        """
        unwanted = frozenset(filter(None, map(_plain, exclude)))
        blank, digests, excluded = bytearray(), bytearray(), bytearray()
        for source, target in pairs:
            excluded.append(bool(unwanted) and _has_any(unwanted, source, target))
            source, target = source.strip(), target.strip()
            blank.append(not (source and target))
            # No line holds a line end, so this is one text for each pair.
            text = f"{source}\n{target}".encode("utf-8", "surrogatepass")
            digests += blake2b(text, digest_size=16).digest()
            if len(blank) % _NOTICE_EVERY == 0:
                report(len(blank))
        return cls(
            np.frombuffer(blank, np.bool_), _repeated(digests), np.frombuffer(excluded, np.bool_)
        )


def _has_any(sentences: Collection[str], source: str, target: str) -> bool:
    return _plain(source) in sentences or _plain(target) in sentences


def _plain(line: str) -> str:
    """The line without what does not make it another sentence."""
    return " ".join(line.casefold().split())


def _repeated(digests: bytearray) -> NDArray[np.bool_]:
    """Which of the digests, 16 bytes each, stood there before."""
    halves = np.frombuffer(digests, np.uint64).reshape(-1, 2)
    # A stable order: of equal digests the first pair comes first.
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    repeated = np.zeros(len(halves), np.bool_)
    equal = np.ones(max(0, len(halves) - 1), np.bool_)
    for half in halves.T:
        ordered = half[order]
        equal &= ordered[1:] == ordered[:-1]
    repeated[order[1:][equal]] = True
    return repeated

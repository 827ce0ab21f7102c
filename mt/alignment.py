"""Which words of a text and of its translation belong together, by a lexical table.

Knows words, and which pieces translate which. Does not know how a translation came about, so that
any two texts may be asked about. Competitive linking (Melamed 2000, method A): of all pairs of
words the likeliest is a link, then the likeliest of words that have none yet, and so on; a word
that nothing fits has none. Pairs near the diagonal are likelier (Dyer et al. 2013, 2).

Shapes: N and M words of the text and of its translation; P pieces of the former, in all their
spellings, and U different pieces of the latter.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mt.lexicon import Lexicon
from mt.text.words import Links, find_words, is_sign
from mt.tokenizer import Tokenizer, TokenizerPair
from mt.tokens import UNKNOWN

Floats: TypeAlias = NDArray[np.floating[Any]]
Integers: TypeAlias = NDArray[np.int64]

_STRANGERS = float(np.log1p(1000.0))
"""Cost of two pieces neither of which the table has for the other: as of a partner far behind."""
_SAME = 1.0
"""Cost of words that are spelt alike, unless the table finds less; names, as a rule."""
_WORST = 4.0
"""Words that cost more are not linked."""
_DISTANCE = 2.0
"""Cost of the way from one end of a text to the other, on top."""
_MOST_WORD_PAIRS, _MOST_PIECE_PAIRS = 250_000, 1_000_000
"""Texts of more, such as 500 words on each side, are not linked: no sentence is as long, and it
would take a tenth of a second and tens of megabytes."""
_KEPT_WORDS, _LONGEST_KEPT = 2000, 30
"""Words of which the pieces are kept, and the characters that these have at most."""


class WordAligner:
    """Links words of texts in two languages. Calls do not change it, so threads may share one."""

    def __init__(self, lexicon: Lexicon, tokenizers: TokenizerPair) -> None:
        self._partners = lexicon.partners
        self._source = _kept(lambda word: _pieces(tokenizers.source, _spellings(word)))
        self._target = _kept(lambda word: _pieces(tokenizers.target, [_usual(word)]))

    def align(self, text: str, translation: str) -> Links:
        """Words that belong together, in the order of the text; none of texts too long for it."""
        before, after = ([word[0] for word in find_words(each)] for each in (text, translation))
        if not 0 < len(before) * len(after) <= _MOST_WORD_PAIRS:
            return ()
        costs = self._costs(before, after)
        if costs is None:
            return ()
        n, m = costs.shape
        places = (np.arange(n)[:, None] + 0.5) / n - (np.arange(m) + 0.5) / m
        return _link(costs + _DISTANCE * np.abs(places))

    def _costs(self, before: Sequence[str], after: Sequence[str]) -> Floats | None:
        """[N, M]: the least of a word's pieces for each of the other's, and the mean of these; None
        of words of too many pieces."""
        pieces = [self._source(word) for word in before], [self._target(word) for word in after]
        sources, targets = (np.concatenate(each) for each in pieces)
        starts, target_starts = (_starts(each) for each in pieces)
        different, places = np.unique(targets, return_inverse=True)
        if len(sources) * len(different) > _MOST_PIECE_PAIRS:
            return None
        least = np.minimum.reduceat(self._by_rank(sources, different), starts, axis=0)
        counts = np.diff([*target_starts, len(targets)])
        costs = np.add.reduceat(least[:, places], target_starts, axis=1) / counts
        alike = _alike(before, after)
        costs[alike] = np.minimum(costs[alike], _SAME)
        signs = [np.array([is_sign(word) for word in each]) for each in (before, after)]
        costs[signs[0][:, None] != signs[1]] = np.inf
        return costs

    def _by_rank(self, sources: Integers, different: Integers) -> Floats:
        """[P, U]: of each piece for each, by its rank among the partners."""
        partners = self._partners[sources]
        columns = np.searchsorted(different, partners)
        columns[different[columns % len(different)] != partners] = len(different)  # of no matter
        costs = np.full((len(sources), len(different) + 1), _STRANGERS)
        costs[np.arange(len(sources))[:, None], columns] = np.log1p(range(partners.shape[1]))
        return costs[:, :-1]


def _link(costs: Floats) -> Links:
    order = np.argsort(costs, axis=None, kind="stable")
    partners: dict[int, int] = {}
    taken: set[int] = set()
    for cell in order[: int((costs <= _WORST).sum())].tolist():
        n, m = divmod(cell, costs.shape[1])
        if n not in partners and m not in taken:
            partners[n] = m
            taken.add(m)
    return tuple(sorted(partners.items()))


def _alike(before: Sequence[str], after: Sequence[str]) -> NDArray[np.bool_]:
    """[N, M]: which words are spelt alike, in any case."""
    numbers: dict[str, int] = {}
    coded = [
        np.array([numbers.setdefault(word.casefold(), len(numbers)) for word in each])
        for each in (before, after)
    ]
    alike: NDArray[np.bool_] = coded[0][:, None] == coded[1]
    return alike


def _kept(find: Callable[[str], Integers]) -> Callable[[str], Integers]:
    kept = functools.lru_cache(_KEPT_WORDS)(find)
    return lambda word: (kept if len(word) <= _LONGEST_KEPT else find)(word)


def _pieces(tokenizer: Tokenizer, spellings: Sequence[str]) -> Integers:
    """Of all spellings together; at least one."""
    encoded = [piece for pieces in tokenizer.encode(spellings) for piece in pieces]
    return np.array(encoded or [UNKNOWN])


def _starts(pieces: Sequence[Integers]) -> Integers:
    return np.cumsum([0, *(len(each) for each in pieces[:-1])])


def _spellings(word: str) -> Sequence[str]:
    """As it stands, and as it would elsewhere: at the head of a sentence, or not in capitals."""
    return [*dict.fromkeys((_usual(word), word.lower(), word.capitalize()))]


def _usual(word: str) -> str:
    return word.lower() if word.isupper() and len(word) > 1 else word

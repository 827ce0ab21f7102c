"""Which words of a text and of its translation belong together, by a lexical table.

Knows words, and which pieces translate which. Does not know how a translation came about, so that
any two texts may be asked about. Competitive linking (Melamed 2000, 3.2): of all pairs of words the
likeliest is a link, then the likeliest of words that have none yet, and so on; a word that nothing
fits has none. Of equally likely pairs the one nearer the diagonal goes first (Dyer et al. 2013, 2).

Shapes: N and M words of the text and of its translation.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mt.lexicon import Lexicon
from mt.tokenizer import Tokenizer, TokenizerPair
from mt.tokens import UNKNOWN
from mt.words import Links, find_words

Floats: TypeAlias = NDArray[np.floating[Any]]

_STRANGERS = float(np.log1p(1000.0))
"""Cost of two pieces neither of which the table has for the other: as of a partner far behind."""
_SAME = 1.0
"""Cost of words that are spelt alike, unless the table finds less; names, as a rule."""
_WORST = 4.0
"""Words that cost more are not linked."""
_DISTANCE = 2.0
"""Cost of the way from one end of a text to the other, on top."""
_KEPT_WORDS = 10_000


class WordAligner:
    """Links words of texts in two languages. Calls do not change it, so threads may share one."""

    def __init__(self, lexicon: Lexicon, tokenizers: TokenizerPair) -> None:
        self._partners = lexicon.partners
        self._target_size = len(tokenizers.target)
        kept = functools.lru_cache(_KEPT_WORDS)
        self._source = kept(lambda word: _pieces(tokenizers.source, _spellings(word)))
        self._target = kept(lambda word: _pieces(tokenizers.target, [_usual(word)]))

    def align(self, text: str, translation: str) -> Links:
        """Words that belong together, in the order of the text."""
        before, after = ([word[0] for word in find_words(each)] for each in (text, translation))
        if not before or not after:
            return ()
        costs = self._costs(before, after)
        n, m = costs.shape
        places = (np.arange(n)[:, None] + 0.5) / n - (np.arange(m) + 0.5) / m
        return _link(costs + _DISTANCE * np.abs(places))

    def _costs(self, before: Sequence[str], after: Sequence[str]) -> Floats:
        """[N, M]: the least of a word's pieces for each of the other's, and the mean of these."""
        pieces = [self._source(word) for word in before], [self._target(word) for word in after]
        sources, targets = (np.concatenate(each) for each in pieces)
        starts, target_starts = (_starts(each) for each in pieces)
        ranks = np.full((len(sources), self._target_size), _STRANGERS)
        partners = self._partners[sources]
        ranks[np.arange(len(sources))[:, None], partners] = np.log1p(range(partners.shape[1]))
        least = np.minimum.reduceat(ranks[:, targets], starts, axis=0)
        counts = np.diff([*target_starts, len(targets)])
        costs = np.add.reduceat(least, target_starts, axis=1) / counts
        for n, m in _alike(before, after):
            costs[n, m] = min(costs[n, m], _SAME)
        speak = [np.array([word[0].isalnum() for word in each]) for each in (before, after)]
        costs[speak[0][:, None] != speak[1]] = np.inf
        return costs


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


def _alike(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    places = defaultdict(list)
    for m, word in enumerate(after):
        places[word.casefold()].append(m)
    for n, word in enumerate(before):
        for m in places.get(word.casefold(), ()):
            yield n, m


def _pieces(tokenizer: Tokenizer, spellings: Sequence[str]) -> NDArray[np.int64]:
    """Of all spellings together; at least one."""
    encoded = [piece for pieces in tokenizer.encode(spellings) for piece in pieces]
    return np.array(encoded or [UNKNOWN])


def _starts(pieces: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(each) for each in pieces[:-1])])


def _spellings(word: str) -> Sequence[str]:
    """As it stands, and as it would elsewhere: at the head of a sentence, or not in capitals."""
    return [*dict.fromkeys((_usual(word), word.lower(), word.capitalize()))]


def _usual(word: str) -> str:
    return word.lower() if word.isupper() and len(word) > 1 else word

"""Sentences with words missing and out of place: what a denoising autoencoder is shown.

Knows tokenised sentences, which pieces begin a word, and random draws. Does not know text. Words
are left out or moved whole, with all of their pieces (Hill et al. 2016, 2.2; Lample et al. 2018,
Unsupervised machine translation using monolingual corpora only, 2.3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mt.corpus import Sentences


def noisy(
    sentences: Sentences,
    begins_word: NDArray[np.bool_],
    *,
    drop: float,
    shuffle: int,
    random: np.random.Generator,
) -> Sentences:
    """Leave words out and move the others about; none of the sentences is blank before or after.

    Args:
        begins_word: [V], of each piece, as `Tokenizer.begins_word` has it.
        drop: probability of each word to be left out; the last one left stays.
        shuffle: words that one may move past, either way, among all words of its sentence.
    """
    words, firsts = _words(sentences, begins_word)
    counts = np.diff(firsts)
    sentence = np.repeat(np.arange(len(sentences)), counts)
    # A word with the highest draw of its sentence stays, whatever it is.
    draws = random.random(len(words))
    kept = draws >= np.minimum(drop, np.maximum.reduceat(draws, firsts[:-1])[sentence])
    # Places i + U(0, k + 1): no word passes one that is more than k before or behind it.
    places = np.arange(len(words)) + random.uniform(0, shuffle + 1, len(words))
    order = np.lexsort((places, sentence))
    lengths = np.add.reduceat(words.lengths * kept, firsts[:-1], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    return Sentences(words.take(order[kept[order]]).ids, starts)


def _words(
    sentences: Sentences, begins_word: NDArray[np.bool_]
) -> tuple[Sentences, NDArray[np.int64]]:
    """The words of all sentences, and which of them each sentence begins with, [sentences + 1]."""
    assert sentences.lengths.min() > 0, "blank pairs are filtered out"
    starts = sentences.starts - sentences.starts[0]
    ids = sentences.ids[sentences.starts[0] : sentences.starts[-1]]
    begins = begins_word[ids]
    begins[starts[:-1]] = True
    words = Sentences(ids, np.append(np.flatnonzero(begins), len(ids)))
    return words, np.searchsorted(words.starts, starts)

"""Sampled pieces of any text: SentencePiece's own where nothing is left to chance, and its text."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.tokenizer import Tokenizer, train_tokenizers
from support.bundles import SMALL_TOKENIZER, SOURCES, TARGETS

WORDS = sorted({word for line in SOURCES for word in line.split()})
texts = st.lists(
    st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=8).map(" ".join), max_size=5
)


@cache
def trained(kind: str) -> Tokenizer:
    config = SMALL_TOKENIZER.model_copy(update={"kind": kind})
    return train_tokenizers(SOURCES, TARGETS, config).source


@settings(max_examples=150)
@given(texts)
def test_byte_pair_encoding_without_dropout_is_sentencepieces(lines: list[str]) -> None:
    tokenizer = trained("bpe")
    assert tokenizer.sample(lines, 0.0, seed=1) == tokenizer.encode(lines)


@settings(max_examples=100)
@given(texts)
def test_the_likeliest_unigram_pieces_are_as_likely_as_sentencepieces(lines: list[str]) -> None:
    tokenizer = trained("unigram")
    for drawn, best in zip(
        tokenizer.sample(lines, 1e6, seed=1), tokenizer.encode(lines), strict=True
    ):
        # Not always the same ones: the order of pieces does not matter to their probability.
        assert sorted(tokenizer.pieces(drawn)) == sorted(tokenizer.pieces(best))


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@settings(max_examples=50)
@given(lines=texts, alpha=st.floats(0, 1), seed=st.integers(0, 2**40))
def test_sampled_pieces_spell_the_text(
    kind: str, lines: list[str], alpha: float, seed: int
) -> None:
    tokenizer = trained(kind)
    drawn = tokenizer.sample(lines, alpha, seed=seed)
    assert tokenizer.decode(drawn) == tokenizer.decode(tokenizer.encode(lines))

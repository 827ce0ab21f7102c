"""[tokenizer]: what pieces words are cut into.

Knows how pieces are learned. Does not know the text they are learned from.
"""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import Field

from mt.config.options import Options


class TokenizerConfig(Options):
    """[tokenizer]: subword models, trained by SentencePiece on the training text."""

    kind: Literal["bpe", "unigram"] = "bpe"
    """Byte-pair encoding (Sennrich et al. 2016) or a unigram language model (Kudo 2018)."""
    joint: bool = False
    """One model for both languages instead of one each."""
    vocabulary_size: int = Field(8000, ge=5, le=64000)
    """Pieces per model, special symbols included."""
    character_coverage: float = Field(0.9999, gt=0.9, le=1.0)
    """Share of the training characters that get a piece; the rest are unknown characters. Digits of
    the text always get one: a number is wrong if one of them is missing."""
    split_digits: bool = Field(False, exclude_if=operator.not_)
    """Whether every digit is a piece of its own, so that all numbers are written alike (Wallace et
    al. 2019, Do NLP models know numbers?, who compare ways of writing them)."""
    training_pairs: int = Field(1_000_000, ge=1)
    """Most pairs that pieces are learned from, evenly spread over the training text; SentencePiece
    holds them in memory."""
    normalization: Literal["nmt_nfkc", "nfkc", "identity"] = "nmt_nfkc"
    """Unicode normalisation inside the tokenizer; text outside of segments is never touched."""

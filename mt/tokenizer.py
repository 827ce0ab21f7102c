"""Text to subword ids and back, by SentencePiece.

Knows pieces and ids. Does not know sentences or models. Unknown characters become the unknown
token, which is counted by the caller and never written by search: no text is lost unseen.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from mt.config import TokenizerConfig
from mt.errors import BundleError, ConfigError
from mt.segmentation import SPACE, Lattice, Merges, Segmentation
from mt.text.digits import DIGITS
from mt.tokens import BEGIN, END, PAD, UNKNOWN


class Tokenizer:
    """One trained subword model. Immutable; safe to share between threads."""

    def __init__(self, content: bytes) -> None:
        """Load a serialised SentencePiece model.

        Raises:
            BundleError: content is not such a model, or its special ids are not this project's.
        """
        self.content = content
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise BundleError("the tokenizer is not a SentencePiece model") from error
        pieces = self._pieces
        special = (pieces.pad_id(), pieces.unk_id(), pieces.bos_id(), pieces.eos_id())
        if special != (PAD, UNKNOWN, BEGIN, END):
            raise BundleError(
                f"the tokenizer has special ids {special}; expected {(PAD, UNKNOWN, BEGIN, END)}"
            )

    def __len__(self) -> int:
        """Number of pieces, special ones included."""
        return int(self._pieces.get_piece_size())

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, without begin and end."""
        # One by one: for a list SentencePiece starts a pool of threads, which takes as long as
        # encoding dozens of sentences, and most lists here are short.
        return [self._pieces.encode(_valid_unicode(text)) for text in texts]

    def sample(
        self, texts: Sequence[str], alpha: float, *, seed: int | Sequence[int]
    ) -> list[list[int]]:
        """Like `encode`, with pieces drawn at random: the same for the same texts and seed.

        Args:
            alpha: share of merges skipped by a BPE model (Provilkov et al. 2020), smoothing of a
                unigram one (Kudo 2018).
            seed: one number or several, none negative.
        """
        normal = [self._pieces.normalize(_valid_unicode(text)) for text in texts]
        return self._segmentation.sample(normal, alpha, np.random.default_rng(seed))

    def find(self, piece: str) -> int:
        """The id of a piece as written in the vocabulary; the unknown one's if there is none."""
        return int(self._pieces.piece_to_id(piece))

    @cached_property
    def begins_word(self) -> NDArray[np.bool_]:
        """[V]: whether a piece begins a word."""
        return np.array([piece.startswith(SPACE) for piece in self.pieces(range(len(self)))])

    @cached_property
    def numerals(self) -> Mapping[int, str]:
        """The pieces that have digits, as written in the vocabulary, by id."""
        pieces = self.pieces(range(len(self)))
        return {n: piece for n, piece in enumerate(pieces) if not DIGITS.isdisjoint(piece)}

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each list of ids; special ids write nothing."""
        # Filtered here: SentencePiece would write " ⁇ " for the unknown token.
        return [
            str(self._pieces.decode([int(piece) for piece in row if piece > END])) for row in ids
        ]

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces as written in the vocabulary, for showing."""
        return [str(self._pieces.id_to_piece(int(piece))) for piece in ids]

    @cached_property
    def _segmentation(self) -> Segmentation:
        numbers = range(len(self))
        pieces = self.pieces(numbers)
        try:
            self._pieces.nbest_encode("", nbest_size=1)
        except RuntimeError:  # what a BPE model says, having no probabilities
            return Merges(pieces)
        return Lattice(pieces, [self._pieces.get_score(number) for number in numbers])


class RightToLeft(Tokenizer):
    """The same model with the ids of a text from its last piece to its first."""

    def __init__(self, forward: Tokenizer) -> None:
        super().__init__(forward.content)
        self.forward = forward

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [ids[::-1] for ids in super().encode(texts)]

    def sample(
        self, texts: Sequence[str], alpha: float, *, seed: int | Sequence[int]
    ) -> list[list[int]]:
        return [ids[::-1] for ids in super().sample(texts, alpha, seed=seed)]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        return super().decode([row[::-1] for row in ids])


class TokenizerPair(NamedTuple):
    """Source and target side; the same object twice when the model is joint."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        """Whether both sides are one model."""
        target = self.target
        return self.source is (target.forward if isinstance(target, RightToLeft) else target)

    def writing(self, *, right_to_left: bool) -> TokenizerPair:
        """The pair for a model that writes its targets in this order.

        All tokenizers of files are left-to-right; only what feeds a model or reads what it wrote
        is not.
        """
        assert not isinstance(self.target, RightToLeft), "the pair of a model already"
        return self._replace(target=RightToLeft(self.target)) if right_to_left else self


def train_tokenizers(
    source: Sequence[str], target: Sequence[str], config: TokenizerConfig, *, seed: int = 1
) -> TokenizerPair:
    """Train one subword model a side, or one for both.

    SentencePiece does not learn from lines of more than 4192 bytes.

    Raises:
        ConfigError: the text is too small for the vocabulary asked for.
    """
    if config.joint:
        joint = _train([*source, *target], config, seed)
        return TokenizerPair(joint, joint)
    return TokenizerPair(_train(source, config, seed), _train(target, config, seed))


def _valid_unicode(text: str) -> str:
    # Half a surrogate pair is no character, and its replacement U+FFFD is one that SentencePiece's
    # NFKC takes for white space. A noncharacter stays and is unknown to every vocabulary.
    valid = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return valid.replace("\ufffd", "\uffff")


def _train(lines: Sequence[str], config: TokenizerConfig, seed: int) -> Tokenizer:
    sentencepiece.set_random_generator_seed(seed)
    model = io.BytesIO()
    digits = [digit for digit in sorted(DIGITS) if any(digit in line for line in lines)]
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type=config.kind,
            vocab_size=config.vocabulary_size,
            character_coverage=config.character_coverage,
            required_chars="".join(digits),
            split_digits=config.split_digits,
            normalization_rule_name=config.normalization,
            pad_id=PAD,
            unk_id=UNKNOWN,
            bos_id=BEGIN,
            eos_id=END,
            num_threads=1,  # more are faster but not repeatable
            minloglevel=2,
        )
    except RuntimeError as error:
        # SentencePiece's own message carries a C++ source line; its last sentence is the reason.
        reason = str(error).rsplit("] ", 1)[-1].strip().replace("\n", " ")
        raise ConfigError(
            f"tokenizer.vocabulary_size = {config.vocabulary_size} does not suit "
            f"{len(lines)} lines of text: {reason or 'all are blank or too long'}"
        ) from error
    return Tokenizer(model.getvalue())

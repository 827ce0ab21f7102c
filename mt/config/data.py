"""[data]: which text trains and validates, and what is done to it before it does.

Knows names of files and ranges. Reads no text, and does not know what a task makes of it.
"""

from __future__ import annotations

import operator
from typing import Self

from pydantic import Field, model_validator

from mt.config.options import LanguageCode, Options, TextFile, TextFiles, Times


class DataConfig(Options):
    """[data]: the parallel text and the filters it passes.

    A language model has text of one side: its recipe leaves out what has source in its name, and
    each line is paired with itself.
    """

    source_language: LanguageCode
    """Language translated from, as an ISO 639 code."""
    target_language: LanguageCode
    """Language translated to, as an ISO 639 code."""
    train_source: TextFiles
    """Source sides of the training text (plain, .gz or .xz), one after the other."""
    train_target: TextFiles
    """Target sides of the training text, line by line the translations of `train_source`."""
    valid_source: TextFile | None = None
    """Source side of the validation text, which decides what is kept and never trains. Without one,
    `held_out_pairs` of the training text take its place."""
    valid_target: TextFile | None = None
    """Target side of the validation text."""
    held_out_pairs: int = Field(1000, ge=1)
    """Training pairs, evenly spread and at most a tenth of all, that validate where no validation
    text is named; pairs that share a side with one of them do not train either."""
    max_pieces: int = Field(100, ge=2, le=2000)
    """Pairs with a side of more subword pieces than this are left out of training."""
    max_length_ratio: float = Field(4.0, gt=1)
    """Pairs whose sides differ by more than this factor in pieces (plus 5) are left out."""
    remove_duplicates: bool = True
    """Keep only the first of equal (source, target) pairs."""
    exclude: TextFiles | None = None
    """Files of sentences that must not train, such as test texts of either language: pairs with a
    side that stands in one of them, case and white space apart, are left out."""
    repeat: Times | None = None
    """How often an epoch has the pairs of each file of `train_source`, after duplicates are gone;
    else once. More than once gives true text its weight beside much synthetic text (Sennrich et al.
    2016, Improving NMT models with monolingual data, 4). Pieces and `held_out_pairs` are taken from
    the text itself."""
    subword_sampling: float = Field(0.0, ge=0, le=1)
    """Cut words into pieces anew each epoch: the share of merges skipped for a BPE tokenizer
    (BPE-dropout; Provilkov et al. 2020, 3), the smoothing alpha for a unigram one (Kudo 2018, 3);
    0 always takes the best pieces. Training text only."""
    curriculum_epochs: int = Field(0, ge=0, le=1000, exclude_if=operator.not_)
    """Epochs of short sources first: number n of k sees the shortest n / (k + 1) of the pairs,
    later ones see all (Kocmi and Bojar 2017; Platanias et al. 2019, 2.2, whose share grows with
    the update). What long sources need of a model may be learned from short ones long before."""
    joined_share: float = Field(0.0, ge=0, le=1)
    """Share of the training pairs that are joined to others each epoch, up to a length drawn below
    `max_pieces`, so that a model of short sentences learns long inputs (Kondo et al. 2021)."""
    numbers_share: float = Field(0.0, ge=0, le=1, exclude_if=operator.not_)
    """Copies of pairs with other numbers in them, others each epoch, as a share of the pairs; only
    pairs are copied that have the same numbers on both sides. So a model learns to copy digits
    (after Fadaee et al. 2017, who draw rare words). Best with `tokenizer.split_digits`."""
    noise_drop: float = Field(0.0, ge=0, lt=1)
    """Share of the source words left out, others each epoch. With target text as its own source and
    `noise_shuffle`, a model becomes a denoising autoencoder (Hill et al. 2016, 2.2; Lample et al.
    2018, 2.3, who take 0.1 and 3). Training text only."""
    noise_shuffle: int = Field(0, ge=0, le=100)
    """Words that a source word may move past, either way, anew each epoch; 0 leaves their order."""
    prepared: TextFile | None = None
    """Folder of the tokenised training text, which runs may share: the first makes it, others
    find it ready. Refused if it was made of anything else. Without one, each run has its own."""
    licence: str = "not stated"
    """Licence and attribution of the text, written into the model card."""

    @property
    def needs_text(self) -> bool:
        """Whether epochs are made of the text, not of its ids alone."""
        return self.subword_sampling > 0 or self.numbers_share > 0

    @model_validator(mode="after")
    def _sides_match(self) -> Self:
        if len(self.train_source) != len(self.train_target):
            raise ValueError(
                f"train_source names {len(self.train_source)} files and train_target "
                f"{len(self.train_target)}: they pair up in order"
            )
        if self.repeat is not None and len(self.repeat) != len(self.train_source):
            raise ValueError(
                f"repeat has {len(self.repeat)} numbers and train_source {len(self.train_source)} "
                "files: they pair up in order"
            )
        if (self.valid_source is None) != (self.valid_target is None):
            raise ValueError("valid_source and valid_target go together")
        return self


SIDES = {
    "source_language": "target_language",
    "train_source": "train_target",
    "valid_source": "valid_target",
}
"""What [data] names for each side of a text."""

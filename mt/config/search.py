"""[search]: how a text is looked for; and by options of programs, what else has a say in it.

Knows lengths, weights and names of model folders. Does not know what stands in one.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from mt.config.options import Options, TextFile

LONGEST_PIECES = 2000
"""The most that `max_source_pieces` may be."""


class SearchConfig(Options):
    """[search]: how a translation is looked for; a bundle carries these as its own defaults."""

    beam_size: int = Field(5, ge=1, le=64)
    """Hypotheses kept per sentence; 1 is greedy search (Graves 2012)."""
    length_penalty: float = Field(1.0, ge=0, le=5)
    """Exponent alpha of ((5 + length) / 6) ** alpha, which divides the log-probability (Wu et al.
    2016, eq. 14); 0 ranks by raw log-probability."""
    max_length_ratio: float = Field(2.0, gt=0, le=20)
    """Longest translation, in pieces per source piece, to which `max_length_extra` is added."""
    max_length_extra: int = Field(10, ge=1, le=1000)
    """Pieces a translation may always have beyond `max_length_ratio`."""
    min_length_ratio: float = Field(0.0, ge=0, le=20)
    """Shortest translation, in pieces per source piece, rounded down; the limit on the longest one
    goes before it."""
    min_length: int = Field(0, ge=0, le=1000)
    """Pieces of the shortest translation, where that is more than `min_length_ratio` asks for."""
    no_repeat_ngram_size: int = Field(0, ge=0, le=100)
    """No sequence of this many pieces stands twice in a translated segment (Paulus et al. 2018,
    2.5); 0 allows any."""
    shortlist: int = Field(0, ge=0, le=40)
    """Target pieces considered for each piece of the source, the likeliest ones by the model's
    lexical table, besides the most frequent 500 (L'Hostis et al. 2016); 0 considers all. Not where
    a prefix is given."""
    temperature: float = Field(0.0, ge=0, le=100)
    """Above 0, translations are drawn piece by piece instead of searched for, from the model's
    probabilities to the power of 1 / temperature (Holtzman et al. 2020, 3.3); less than 1 keeps
    closer to what the model finds likely. 0 searches with a beam."""
    top_k: int = Field(0, ge=0)
    """Draw each piece from the most probable this many (Fan et al. 2018, 5.4); 0 draws from all.
    Needs a temperature above 0."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Decides the draws, together with the segment itself: the same segment is translated alike
    wherever it stands, and alike again with the same seed."""
    max_source_pieces: int = Field(100, ge=2, le=LONGEST_PIECES)
    """Longer segments are split at white space before translation and flagged."""
    truecase: bool = True
    """Show the model segments in ALL CAPS, Title Case or all lower case as ordinary text, and put
    the first two back into their case after translation (`mt.text.casing`; Lita et al. 2003)."""
    copy_digits: bool = False
    """Where the source has digits, write no others, and of those a number whole or not at all
    (`mt.search.copying`; compare Hokamp and Liu 2017). Not where a prefix is given."""
    keep_verbatim: bool = True
    """Leave addresses, placeholders such as {name} and %d, and emoji out of what the model is
    shown, and put them back beside what the words around them became (`mt.text.verbatim`). Not
    where a prefix is given."""
    batch_rows: int = Field(100, ge=1)
    """Most hypotheses scored at once, of all sentences together; each needs a row of numbers as
    long as the vocabulary. A single sentence may take more."""
    batch_tokens: int = Field(2000, ge=1)
    """Upper bound on source pieces translated at once, padding included."""

    @model_validator(mode="after")
    def _draws_or_searches(self) -> Self:
        if self.top_k and not self.temperature:
            raise ValueError(
                f"top_k = {self.top_k} needs a temperature above 0: a beam search draws nothing"
            )
        return self


class ContinuationConfig(Options):
    """How a language model goes on with a text (`mt-continue`); in no recipe."""

    temperature: float = Field(1.0, gt=0, le=100)
    """Texts are drawn from the model's probabilities to the power of 1 / temperature; less than 1
    keeps closer to what the model finds likely (Holtzman et al. 2020, 3.3)."""
    top_k: int = Field(0, ge=0)
    """Draw each piece from the most probable this many (Fan et al. 2018, 5.4); 0 draws from all."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Decides the draws, together with the beginning of the text."""
    most_pieces: int = Field(100, ge=1, le=2000)
    """Pieces that are added at most."""


class RerankConfig(Options):
    """How a translation is chosen among candidates, other than as search ranks them: no table of a
    recipe, and no part of a model folder."""

    mbr_samples: int = Field(0, ge=0, le=1000)
    """Draw this many candidates from the model, and take the one most like all others (minimum
    Bayes risk; Eikema and Aziz 2020). One that is drawn twice counts twice. 0 draws none."""
    mbr_beam: bool = False
    """Minimum Bayes risk with the hypotheses of the beam as candidates (Kumar and Byrne 2004),
    besides those that `mbr_samples` draws."""
    mbr_utility: Literal["chrf", "bleu"] = "chrf"
    """What says how alike two candidates are: sentence chrF2 (Popović 2015) or sentence BLEU."""
    mbr_weights: Literal["uniform", "model"] = "uniform"
    """What a candidate counts: the same as any other, which is right for draws, or by the model's
    probability (Kumar and Byrne 2004), once however often it was drawn."""
    mbr_temperature: float = Field(1.0, gt=0, le=100)
    """Temperature of the draws, as `temperature`; 1 draws from the model as it is."""
    reverse_model: TextFile | None = None
    """Model folder, or name of a bundled one, that translates the other way: all hypotheses of the
    beam are scored by how likely it finds the source, given each (Li and Jurafsky 2016)."""
    right_to_left_model: TextFile | None = None
    """Model folder that translates the same way but writes in the other order
    (`model.reverse_target`): all hypotheses of the beam are scored by it too (Liu et al. 2016)."""
    language_model: TextFile | None = None
    """Model folder of a language model of the target language, of whatever vocabulary: all
    hypotheses of the beam are scored by it too, as text."""
    reverse_weight: float = Field(0.3, ge=0, le=100)
    """Weight of the reverse model's score; the model's own has 1."""
    right_to_left_weight: float = Field(1.0, ge=0, le=100)
    """Weight of the right-to-left model's score; the model's own has 1."""
    language_weight: float = Field(0.2, ge=0, le=100)
    """Weight of the rescoring language model's score; the model's own has 1."""
    length_weight: float = Field(0.0, ge=-100, le=100)
    """What each piece of a translation adds to its score where models rescore it."""

    @property
    def chooses_by_risk(self) -> bool:
        """Whether candidates are compared with each other."""
        return self.mbr_samples > 0 or self.mbr_beam

    @property
    def rescores(self) -> bool:
        """Whether other models have a say."""
        models = self.reverse_model, self.right_to_left_model, self.language_model
        return any(model is not None for model in models)

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.chooses_by_risk and self.rescores:
            raise ValueError("choose by minimum Bayes risk or by rescoring models, not by both")
        needs = {
            "mbr_utility": ("mbr_samples or mbr_beam", self.chooses_by_risk),
            "mbr_weights": ("mbr_samples or mbr_beam", self.chooses_by_risk),
            "mbr_temperature": ("mbr_samples", self.mbr_samples > 0),
            "reverse_weight": ("reverse_model", self.reverse_model is not None),
            "right_to_left_weight": ("right_to_left_model", self.right_to_left_model is not None),
            "language_weight": ("language_model", self.language_model is not None),
            "length_weight": ("a model that rescores", self.rescores),
        }
        for name, (needed, given) in needs.items():
            if name in self.model_fields_set and not given:
                raise ValueError(f"{name} needs {needed}")
        return self


class FusionConfig(Options):
    """A language model that takes part in the search for a translation: no table of a recipe, and
    no part of a model folder."""

    fusion_model: TextFile | None = None
    """Model folder of a language model of the target language whose tokenizer is the target one of
    the model (a recipe's `tokenizers_from`): its log-probability of every next piece, times
    `fusion_weight`, is added to the model's own (shallow fusion; Gulcehre et al. 2015, 4.1). Scores
    are then of that sum."""
    fusion_weight: float = Field(0.1, gt=0, le=10)
    """Weight of what the language model says; the model's own log-probability has 1."""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if "fusion_weight" in self.model_fields_set and self.fusion_model is None:
            raise ValueError("fusion_weight needs fusion_model")
        return self

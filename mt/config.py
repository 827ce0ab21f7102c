"""Every option of a recipe and of a model folder, defined once: unit, range, default, source.

Knows names, ranges and defaults, and how to read a recipe. Does not know how an option is
carried out. Each field's docstring is its documentation: the command line's help and the
generated tables read it from here, nowhere else.

A recipe is a TOML file with the tables [data] [tokenizer] [model] [training] [search].
"""

from __future__ import annotations

import difflib
import operator
import tomllib
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mt.errors import ConfigError


class Options(BaseModel):
    """Base of all option tables: immutable, unknown keys and other types refused, docstrings kept.

    Strict, since `updates = true` or `joint = "no"` would else mean 1 and false.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


T = TypeVar("T", bound=Options)

# Not strict: TOML and JSON have strings and lists where Python has paths and tuples.
TextFile = Annotated[Path, Field(strict=False)]
TextFiles = Annotated[tuple[TextFile, ...], Field(strict=False, min_length=1)]
WholeNumbers = Annotated[tuple[int, ...], Field(strict=False, min_length=1)]
Times = Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(strict=False)]


Task = Literal["translate", "answer", "continue"]
Segmentation = Literal["sentences", "whole"]


class Purpose(Options):
    """What a model is for: at the head of a recipe, and in the model folder that comes of it."""

    task: Task = Field("translate", exclude_if=partial(operator.eq, "translate"))
    """What the model does with a text: translate it, answer it (`mt-answer`; source and target
    language may be the same), or continue it (`mt-continue`). What continues texts is a language
    model, a decoder without an encoder: its recipe names the target side of [data] alone, and needs
    no size of an encoder."""
    segmentation: Segmentation = Field("sentences", exclude_if=partial(operator.eq, "sentences"))
    """What a model is given at a time: each sentence of a text by itself, or the text as a whole,
    with its line ends as spaces. A whole text that is longer than `search.max_source_pieces` is
    refused, since nothing may be cut out of it."""


class DataConfig(Options):
    """[data]: the parallel text and the filters it passes.

    A language model has text of one side: its recipe leaves out what has source in its name, and
    each line is paired with itself.
    """

    source_language: str = Field(pattern=r"^[a-z]{2,3}$")
    """Language translated from, as an ISO 639 code."""
    target_language: str = Field(pattern=r"^[a-z]{2,3}$")
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
    joined_share: float = Field(0.0, ge=0, le=1)
    """Share of the training pairs that are joined to others each epoch, up to a length drawn below
    `max_pieces`, so that a model of short sentences learns long inputs (Kondo et al. 2021)."""
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


_SIDES = {
    "source_language": "target_language",
    "train_source": "train_target",
    "valid_source": "valid_target",
}
"""What [data] names for each side of a text."""


class TokenizerConfig(Options):
    """[tokenizer]: subword models, trained by SentencePiece on the training text."""

    kind: Literal["bpe", "unigram"] = "bpe"
    """Byte-pair encoding (Sennrich et al. 2016) or a unigram language model (Kudo 2018)."""
    joint: bool = False
    """One model for both languages instead of one each."""
    vocabulary_size: int = Field(8000, ge=16, le=64000)
    """Pieces per model, special symbols included."""
    character_coverage: float = Field(0.9999, gt=0.9, le=1.0)
    """Share of the training characters that get a piece; the rest are unknown characters."""
    training_pairs: int = Field(1_000_000, ge=1)
    """Most pairs that pieces are learned from, evenly spread over the training text; SentencePiece
    holds them in memory."""
    normalization: Literal["nmt_nfkc", "nfkc", "identity"] = "nmt_nfkc"
    """Unicode normalisation inside the tokenizer; text outside of segments is never touched."""


def _is_none(value: str) -> bool:
    return value == "none"


class ModelConfig(Options):
    """[model]: the encoder-decoder. Sizes are numbers of units."""

    embedding_size: int = Field(256, ge=1, le=4096)
    """Width of the token embeddings."""
    encoder_hidden_size: int = Field(256, ge=1, le=8192)
    """Width of the encoder's hidden and cell state, per direction."""
    encoder_layers: int = Field(2, ge=0, le=16)
    """Stacked LSTM layers of the encoder; 0 makes a language model, whose decoder starts from
    zeros, and which no other option of an encoder has a meaning for."""
    bidirectional: bool = True
    """Read the source in both directions (Schuster and Paliwal 1997)."""
    reverse_source: bool = False
    """Feed the source last token first (Sutskever et al. 2014, 3.3); not with `bidirectional`."""
    reverse_target: bool = Field(False, exclude_if=operator.not_)
    """Write the target last token first: a right-to-left model, which makes other mistakes than a
    left-to-right one and can rescore its hypotheses (Liu et al. 2016). Text goes in and comes out
    in its own order; no translation can be made to begin with a prefix."""
    decoder_hidden_size: int = Field(512, ge=1, le=8192)
    """Width of the decoder's hidden and cell state."""
    decoder_layers: int = Field(2, ge=1, le=16)
    """Stacked LSTM layers of the decoder."""
    bridge: Literal["copy", "linear"] = "linear"
    """How the encoder's final states become the decoder's first: copied layer by layer (Sutskever
    et al. 2014; sizes and layers must match) or through one learned map per layer and state, with
    tanh for the hidden state."""
    context_size: int = Field(512, ge=0, le=8192)
    """Width of a summary of all final states that is fed to the decoder at every step (Cho et al.
    2014); 0 leaves the initial states as the only thing the decoder sees of the source."""
    attention: Literal["none", "dot", "general", "additive"] = Field("none", exclude_if=_is_none)
    """Let the output look back at every source position, weighted by its fit to the top decoder
    state: dot and general (Luong et al. 2015, 3.1), additive (Bahdanau et al. 2015, A.1.2); nothing
    is fed back into the decoder. dot takes a decoder as wide as the encoder, both directions
    counted. none leaves the final states as all that the decoder sees. A training step takes about
    1.1 times as long on a CPU, with additive 1.4 times."""
    deep_output: bool = True
    """Compare with every piece a map of hidden state, context and input embedding (Bahdanau et al.
    2015, A.2.2, without its maxout); false compares the hidden state itself (Sutskever et al. 2014,
    2) or, with attention, the attentional state tanh(W [h; c]) (Luong et al. 2015, eq. 5), which
    takes a decoder as wide as the embeddings."""
    tied_output: bool = True
    """Use the target embedding as the output layer (Press and Wolf 2017)."""
    forget_bias: float = Field(1.0, ge=-10, le=10)
    """Initial bias of every forget gate (Gers et al. 2000; Jozefowicz et al. 2015)."""
    chrono_length: int = Field(0, ge=0, le=100_000)
    """Longest expected dependency in steps, at least 3: each unit draws from up to it how long it
    remembers at first (chrono initialisation; Tallec and Ollivier 2018, 2), which replaces
    `forget_bias`; 0 is off. Costs no time."""
    output_tanh: bool = True
    """Squash the cell on its way out, h = o * tanh(c); false gives h = o * c (Greff et al. 2017,
    IV.C, NOAF), which has no bound unless `coupled_gates` gives it one. False leaves the fused
    path: a training step of the layers takes about 1.9 times as long on a CPU."""
    coupled_gates: bool = False
    """Forget as much as is written, f = 1 - i, without parameters for f (Greff et al. 2017, IV.C,
    CIFG). Leaves the fused path: a training step of the layers takes about 1.4 times as long on a
    CPU."""
    peepholes: bool = False
    """Let the gates see the cell, each unit its own (Gers and Schmidhuber 2000; Graves 2013, eqs.
    7-11). Leaves the fused path: a training step of the layers takes about 2 times as long on a
    CPU."""
    layer_norm: bool = False
    """Normalise what the gates sum up and the cell that is shown (Ba et al. 2016, supplement).
    Leaves the fused path: a training step of the layers takes about 2.1 times as long on a CPU."""
    residual: bool = False
    """Add to the output of a layer its input (He et al. 2016; Wu et al. 2016, 3.1), from the second
    layer on: the first has another width below it. States stay as they are, so in the encoder, of
    which nothing else is kept, it takes three layers to matter."""
    embedding_dropout: float = Field(0.2, ge=0, lt=1)
    """Share of embedding units dropped, one mask per sequence (Gal and Ghahramani 2016)."""
    layer_dropout: float = Field(0.2, ge=0, lt=1)
    """Share of units dropped between layers, and of what attention looks back at, one mask per
    sequence."""
    weight_drop: float = Field(0.0, ge=0, lt=1)
    """Share of the weights between hidden states dropped, one mask per batch (DropConnect; Merity
    et al. 2018, 2)."""
    output_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of units dropped before the output layer, one mask per sequence."""
    word_dropout: float = Field(0.1, ge=0, lt=1)
    """Share of input tokens replaced by the unknown token on both sides (Iyyer et al. 2015;
    Bowman et al. 2016)."""

    @property
    def encoder_width(self) -> int:
        """Units of the encoder's state, both directions counted."""
        return self.encoder_hidden_size * (2 if self.bidirectional else 1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.encoder_layers == 0:
            self._reads_no_source()
        if self.bidirectional and self.reverse_source:
            raise ValueError("reverse_source needs bidirectional = false")
        if self.chrono_length in (1, 2):
            raise ValueError(f"chrono_length is 0 or at least 3 (found {self.chrono_length})")
        if self.chrono_length and self.forget_bias != 1.0:
            raise ValueError(
                "chrono_length sets the forget biases: leave forget_bias at 1.0 "
                f"(found {self.forget_bias})"
            )
        if self.layer_norm and min(self.encoder_hidden_size, self.decoder_hidden_size) < 2:
            raise ValueError(
                "layer_norm needs hidden sizes of at least 2 "
                f"(found {self.encoder_hidden_size} and {self.decoder_hidden_size})"
            )
        if self.residual and self.encoder_layers < 3 and self.decoder_layers < 2:
            raise ValueError(
                "residual needs 3 encoder layers or 2 decoder layers "
                f"(found {self.encoder_layers} and {self.decoder_layers})"
            )
        if not self.deep_output and self.decoder_hidden_size != self.embedding_size:
            raise ValueError(
                "deep_output = false needs a decoder as wide as the embeddings "
                f"(found {self.decoder_hidden_size} and {self.embedding_size})"
            )
        if self.attention == "dot" and self.decoder_hidden_size != self.encoder_width:
            raise ValueError(
                'attention = "dot" needs a decoder as wide as the encoder, both directions counted '
                f"(found {self.decoder_hidden_size} and {self.encoder_width}); general and "
                "additive do not"
            )
        if self.bridge == "copy":
            width = self.encoder_width
            if (self.encoder_layers, width) != (self.decoder_layers, self.decoder_hidden_size):
                raise ValueError(
                    'bridge = "copy" needs equal layers and widths: the encoder has '
                    f"{self.encoder_layers} layers of {width}, the decoder {self.decoder_layers} "
                    f"of {self.decoder_hidden_size}"
                )
        return self

    def _reads_no_source(self) -> None:
        nothing = {"context_size": 0, "attention": "none", "bridge": "linear"}
        for name, needed in {**nothing, "reverse_target": False}.items():
            if (found := getattr(self, name)) != needed:
                raise ValueError(
                    f"encoder_layers = 0, a language model, needs {name} = "
                    f"{str(needed).lower()} (found {str(found).lower()})"
                )


class TrainingConfig(Options):
    """[training]: optimisation, schedule, and when to look and to stop."""

    updates: int = Field(10_000, ge=1)
    """Optimiser steps of the whole run."""
    batch_tokens: int = Field(2048, ge=1)
    """Upper bound on target positions of a batch, padding included."""
    learning_rate: float = Field(2e-3, gt=0, le=1)
    """Peak step size of Adam (Kingma and Ba 2015)."""
    adam_beta2: float = Field(0.98, gt=0, lt=1)
    """Decay of Adam's second moment; the first is 0.9 (Vaswani et al. 2017, 5.3)."""
    warmup_updates: int = Field(300, ge=0)
    """Updates over which the step size rises linearly from 0 to its peak."""
    schedule: Literal["cosine", "plateau"] = "cosine"
    """How the step size falls from its peak: over the last part of the run (`decay_from`), or
    whenever the validation text says so (`plateau_patience`)."""
    decay_from: float = Field(0.4, ge=0, le=1)
    """Share of the run after which a cosine schedule falls, along half a cosine, to 1 % of its peak
    (Loshchilov and Hutter 2017, without restarts)."""
    plateau_patience: int = Field(2, ge=1)
    """Validations without a lower validation loss after which a plateau schedule cuts the step
    size."""
    plateau_factor: float = Field(0.5, gt=0, lt=1)
    """What a plateau schedule multiplies the step size by."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this Euclidean norm (Pascanu et al. 2013)."""
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Probability mass spread evenly over the vocabulary (Szegedy et al. 2016)."""
    r_drop: float = Field(0.0, ge=0, le=100)
    """Weight alpha of R-Drop (Liang et al. 2021, eq. 4): each batch goes through the model twice,
    and predictions under different dropout are drawn together. Their 5 was for translation. 0 is
    off; on, an update takes about 2.2 times as long on a CPU."""
    bag_of_words: float = Field(0.0, ge=0, le=10)
    """Weight of a second task: foretell the tokens of a translation, in no order, from the context
    or the decoder's first states (Ma et al. 2018). Its parameters are not kept in the model folder.
    0 is off."""
    averaging: Literal["none", "exponential", "checkpoints"] = "exponential"
    """Which average of the weights is validated and kept: none, an exponential one over updates
    (Polyak and Juditsky 1992), or the mean of the last validations (Vaswani et al. 2017, 6.1)."""
    ema_decay: float = Field(0.998, ge=0, lt=1)
    """Share of the exponential average that stays at each update: it spans about 1 / (1 - decay)
    updates."""
    average_checkpoints: int = Field(5, ge=1, le=50)
    """Validations whose weights `averaging = "checkpoints"` takes the mean of."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Decides initial weights, order and dropout; the same seed repeats the run."""
    threads: int = Field(1, ge=1, le=256)
    """CPU threads; part of what makes a run repeat bit for bit."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the matrix products; auto takes bf16 where the processor has it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a CUDA GPU where there is one."""
    validate_every: int = Field(500, ge=1)
    """Updates between validations; each may renew the bundle."""
    validate_sentences: int = Field(1000, ge=1)
    """Validation sentences used while training, evenly spread over the file."""
    patience: int = Field(20, ge=1)
    """Validations without a better BLEU, exact match or perplexity after which the run stops
    early."""
    checkpoint_every: int = Field(500, ge=1)
    """Updates between checkpoints in run/."""
    log_every: int = Field(50, ge=1)
    """Updates between lines of run/metrics.jsonl."""


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
    max_source_pieces: int = Field(100, ge=2, le=2000)
    """Longer segments are split at white space before translation and flagged."""
    truecase: bool = True
    """Show the model segments in ALL CAPS, Title Case or all lower case as ordinary text, and put
    the first two back into their case after translation (`mt.casing`; Lita et al. 2003)."""
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


class EvaluationConfig(Options):
    """How translations are compared: no table of a recipe, and no part of a model folder."""

    paired_test: Literal["randomization", "bootstrap"] = "randomization"
    """Paired test behind the p-values: "randomization" (approximate; Riezler and Maxwell 2005) or
    "bootstrap" (Koehn 2004), which takes more chance differences for real ones."""
    length_edges: WholeNumbers = (10, 15, 20, 30)
    """Longest sources, in words, of each bucket but the last."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        edges = self.length_edges
        if any(low >= high for low, high in zip((0, *edges), edges, strict=False)):
            raise ValueError(f"length_edges rise from 1 on (found {list(edges)})")
        return self


EngineName = Literal["auto", "int8", "fp32", "bf16", "cuda"]


class EngineConfig(Options):
    """What does a model's arithmetic; no part of the model."""

    engine: EngineName = "auto"
    """int8: 8-bit integers by ONNX Runtime, the fastest on a CPU and the first to start. fp32:
    torch, the reference. bf16: torch with half the precision, for processors that multiply in it.
    cuda: torch in half precision on an NVIDIA GPU. auto: cuda where there is such a GPU, else
    int8."""


class JobConfig(Options):
    """How `mt.jobs` reads the lines of a file and writes their translations; in no recipe."""

    column: int | None = Field(None, ge=1)
    """Column to translate, counted from 1, of lines with columns between tabs. The translation
    becomes a new last column. Else the whole line is translated."""
    replace: bool = False
    """The translation takes the place of its column."""
    format: Literal["text", "jsonl"] = "text"
    """What is written for a line: its translation, or a JSON object with line (its number), source,
    translation, score and flags, and with a column also columns (all of the line)."""
    n_best: int = Field(1, ge=1, le=64)
    """Translations of each line. All but the best are in alternatives of its JSON object, with
    their scores; there may be fewer."""
    min_score: float = Field(0.0, ge=0, le=1)
    """A line whose translation scores less is flagged low_score, and kept as it is. A score is the
    geometric mean of the probabilities of the pieces written, from 0 to 1."""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.replace and (self.column is None or self.format == "jsonl"):
            raise ValueError("replace needs a column and format text")
        if self.n_best > 1 and self.format == "text":
            raise ValueError(f"n_best = {self.n_best} needs format jsonl: text has one a line")
        return self


class ProbeConfig(Options):
    """How `mt.explain.probe` looks for units that keep track of something; in no recipe."""

    sentences: int = Field(2000, ge=20, le=100_000)
    """Most sentences for each thing to keep track of, drawn from those that tell something of it;
    one half fits, the other measures."""
    units: int = Field(3, ge=1, le=100)
    """Units shown of each, best first."""
    seed: int = Field(1, ge=0, lt=2**31)
    """Of the draw of sentences."""


_LANGUAGE_MODEL: dict[str, dict[str, Any]] = {
    "tokenizer": {"joint": True},
    "model": {"encoder_layers": 0, "context_size": 0},
}
"""What the tables of a recipe of task "continue" have where they do not say."""


class Recipe(Purpose):
    """A whole training run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the model, for its card and for logs."""
    init_from: TextFile | None = None
    """Model folder to start from (fine-tuning): its weights, which [model] has to fit, and its
    tokenizers, so that [tokenizer] has no say. Relative to the recipe's own folder."""
    init_encoder: TextFile | None = None
    """Model folder to take the encoder and the source tokenizer from (Ramachandran et al. 2017),
    and the target tokenizer if `init_decoder` names no other; the rest starts anew."""
    init_decoder: TextFile | None = None
    """Model folder to take the decoder with its output layer and the target tokenizer from, and the
    source tokenizer if `init_encoder` names no other; the rest starts anew."""
    tokenizers_from: TextFile | None = None
    """Model folder to take the tokenizers from and nothing else, so that [tokenizer] has no say; a
    language model takes the target one, and can then take part in that model's search."""
    data: DataConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    search: SearchConfig = SearchConfig()

    @property
    def initialised(self) -> bool:
        """Whether tokenizers come from other models, and perhaps weights."""
        starts = self.init_from, self.init_encoder, self.init_decoder, self.tokenizers_from
        return any(starts)

    @model_validator(mode="before")
    @classmethod
    def _one_sided(cls, recipe: Any) -> Any:
        """A language model's text stands for both sides, and whatever has two sides has one."""
        if not isinstance(recipe, dict) or recipe.get("task") != "continue":
            return recipe
        data = recipe.get("data")
        if not isinstance(data, dict):
            return recipe
        target = {name: value for name, value in data.items() if name in _SIDES.values()}
        source = {name: target[other] for name, other in _SIDES.items() if other in target}
        tables = {name: recipe.get(name, {}) for name in _LANGUAGE_MODEL}
        filled = {
            name: _LANGUAGE_MODEL[name] | table
            for name, table in tables.items()
            if isinstance(table, dict)
        }
        return recipe | filled | {"data": source | data}

    @model_validator(mode="after")
    def _sides_of_task(self) -> Self:
        check_task(self.task, self.model)
        if self.task != "continue":
            return self
        for name, other in _SIDES.items():
            if getattr(self.data, name) != getattr(self.data, other):
                raise ValueError(
                    f"data.{name} is of no use: a language model reads no source, and learns from "
                    f"data.{other} alone"
                )
        useless = {
            "tokenizer.joint = false": not self.tokenizer.joint,
            "data.noise_drop": self.data.noise_drop,
            "data.noise_shuffle": self.data.noise_shuffle,
            "training.bag_of_words": self.training.bag_of_words,
            "init_encoder": self.init_encoder,
        }
        for name, given in useless.items():
            if given:
                raise ValueError(f"{name} has no meaning for a language model, which has one side")
        return self

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.init_from and (self.init_encoder or self.init_decoder):
            raise ValueError("init_from is a whole model: leave out init_encoder and init_decoder")
        if self.tokenizers_from and (self.init_from or self.init_encoder or self.init_decoder):
            raise ValueError("init_* bring tokenizers of their own: leave out tokenizers_from")
        return self


def check_task(task: Task, model: ModelConfig) -> None:
    """Refuse a language model with an encoder, and a translator or answerer without one.

    Raises:
        ValueError: they do not go together.
    """
    if (task == "continue") != (model.encoder_layers == 0):
        raise ValueError(
            'task = "continue" and model.encoder_layers = 0 go together: both say that it is a '
            f"language model (found {task!r} and {model.encoder_layers})"
        )


def load_recipe(path: Path, data_folder: Path | None = None) -> Recipe:
    """Read a TOML recipe.

    Args:
        path: the recipe.
        data_folder: where relative paths in [data] start; the recipe's own folder if None.

    Raises:
        ConfigError: the file is missing, not TOML, or has an unknown key or a value out of range.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe {path} is not TOML: {error}") from error
    recipe = parse(Recipe, table, where=f"recipe {path}")
    own = path.parent.resolve()
    base = own if data_folder is None else data_folder.resolve()
    folders = {
        name: own / folder
        for name in ("init_from", "init_encoder", "init_decoder", "tokenizers_from")
        if (folder := getattr(recipe, name)) is not None
    }
    return recipe.model_copy(update={"data": _absolute(recipe.data, base), **folders})


def parse(options: type[T], table: Any, where: str) -> T:
    """Check a table of plain values against its options.

    Raises:
        ConfigError: one line with the first thing wrong; for an unknown key, the nearest known.
    """
    try:
        return options.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first_mistake(options, error)}") from error


def _absolute(data: DataConfig, base: Path) -> DataConfig:
    return data.model_copy(
        update={
            "train_source": tuple(base / path for path in data.train_source),
            "train_target": tuple(base / path for path in data.train_target),
            "valid_source": data.valid_source and base / data.valid_source,
            "valid_target": data.valid_target and base / data.valid_target,
            "exclude": data.exclude and tuple(base / path for path in data.exclude),
            "prepared": data.prepared and base / data.prepared,
        }
    )


def _first_mistake(options: type[Options], error: ValidationError) -> str:
    # An unknown key is told before a missing one: the first is usually a misspelling of the second.
    mistakes = sorted(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")
    mistake = mistakes[0]
    location = ".".join(_printable(str(part)) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        known = _known_keys(options, mistake["loc"][:-1])
        near = difflib.get_close_matches(str(mistake["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
        return f"unknown key {location}; {hint}"
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "missing":
        return f"{location} is required"
    found = f" (found {mistake['input']!r})" if not isinstance(mistake["input"], dict) else ""
    return f"{location}: {message}{found}" if location else message


def _printable(key: str) -> str:
    # A quoted key of TOML may hold anything, line ends among it.
    return key if key.isprintable() else repr(key)


def _known_keys(options: type[Options], path: tuple[int | str, ...]) -> list[str]:
    table: Any = options
    for part in path:
        table = table.model_fields[part].annotation
    return list(table.model_fields)

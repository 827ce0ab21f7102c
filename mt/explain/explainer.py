"""A sentence in, what the cells of a model did with it out.

Knows the order of the steps: truecase and tokenise as a translation does, translate, have the cells
of the same model read and write the same tokens, measure. Does not know how any of it is shown.

The translation is that of the model in fp32 with its own decoding options: of another engine it may
differ, rarely, as its last digits do.

Shapes: S source positions, T target positions, H hidden units of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mt.bundle import Bundle, find_model, load_bundle
from mt.copying import digit_rules
from mt.decoding import SearchTask, decode
from mt.engine.reference import TorchEngine
from mt.errors import BundleError, InputError
from mt.explain.activations import ObservedLayer, observe
from mt.explain.dependence import gradient_norms, kept
from mt.explain.watched import watch
from mt.model import Seq2Seq
from mt.parameters import load_model
from mt.reading import Reading, read_segment
from mt.text import cut_document
from mt.text.casing import restore
from mt.tokens import BEGIN, END


@dataclass(frozen=True)
class Dependence:
    """How much the final states of one layer and direction depend on each source token."""

    layer: str
    """Its name."""
    gradient: Tensor
    """[S]"""
    kept: Tensor
    """[S, H]; both as in `mt.explain.dependence`."""


@dataclass(frozen=True)
class Explanation:
    """One sentence, its translation, and everything the model's cells computed on the way."""

    model: str
    identity: str
    """SHA-256 of the model's weights; empty for a model that was never stored."""
    source: str
    translation: str
    log_probability: float
    """Of the translation, natural logarithm."""
    source_pieces: tuple[str, ...]
    """[S] what the encoder reads; the end token last."""
    read: tuple[str, ...]
    """[T] what the decoder reads: the begin token first."""
    written: tuple[str, ...]
    """[T] what it writes having read that."""
    layers: tuple[ObservedLayer, ...]
    dependence: tuple[Dependence, ...]
    """Of each layer and direction of the encoder, in their order."""
    attention: Tensor | None
    """[T, S]: where the output looked; None for a model without attention."""

    def pieces(self, layer: ObservedLayer) -> tuple[str, ...]:
        """What a layer reads, position by position."""
        return self.source_pieces if layer.side == "encoder" else self.read


class Explainer:
    """A loaded model and its twin whose layers are reference cells."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises: BundleError, it is no model that translates, or its weights do not fit."""
        if bundle.config.task != "translate":
            raise BundleError(
                f"{bundle.config.name}: task = {bundle.config.task!r}: only a model that "
                "translates can be explained"
            )
        model = load_model(bundle).eval()
        assert isinstance(model, Seq2Seq)
        self.config = bundle.config
        self.tokenizers = bundle.tokenizers.writing(
            right_to_left=bundle.config.model.reverse_target
        )
        self.watched = watch(model)
        self._identity = bundle.identity
        self._engine = TorchEngine(model, "fp32", bundle.lexicon)

    @classmethod
    def load(cls, path: Path | str | None = None) -> Explainer:
        """Load a model folder, by path or bundled name; without one the bundled de-en.

        Raises:
            BundleError: the folder cannot be used, or holds no model that translates.
        """
        return cls(load_bundle(find_model(path)))

    def explain(self, text: str) -> Explanation:
        """Translate one sentence and look at every activation on the way.

        Raises:
            InputError: the text is not one sentence, or longer than a model reads at once.

        Example:
            >>> from mt.explain import Explainer
            >>> Explainer.load().explain("Guten Morgen.").source_pieces
            ('▁Guten', '▁Morgen', '.', '</s>')
        """
        segment, (case, _, source) = self._read(text)
        languages = self.config.source_language, self.config.target_language
        search = self.config.search
        (rule,) = digit_rules(self.tokenizers, languages, [source], search)
        (hypothesis,) = decode(self._engine, [SearchTask(source, (), rule)], search)[0]
        written = [*hypothesis.tokens, *([END] if hypothesis.finished else [])]
        norms = gradient_norms(self.watched, source)
        layers, attention = observe(self.watched, source, written)
        (translation,) = self.tokenizers.target.decode([hypothesis.tokens])
        names = self.tokenizers.target.pieces
        return Explanation(
            model=self.config.name,
            identity=self._identity,
            source=segment,
            translation=restore(translation, case),
            log_probability=hypothesis.log_probability,
            source_pieces=tuple(self.tokenizers.source.pieces([*source, END])),
            read=tuple(names([BEGIN, *written[:-1]])),
            written=tuple(names(written)),
            layers=layers,
            dependence=tuple(
                Dependence(layer.name, norm, kept(layer))
                for layer, norm in zip(layers, norms, strict=False)  # the encoder's come first
            ),
            attention=attention,
        )

    def _read(self, text: str) -> tuple[str, Reading]:
        """The segment, and what the model is shown of it."""
        config = self.config
        document = cut_document(text, config.source_language, config.segmentation, config.task)
        segments = document.segments
        if not segments:
            raise InputError("there is nothing to explain: the sentence has no words")
        if len(segments) > 1:
            raise InputError(
                f"the text is {len(segments)} sentences, which are translated one by one; "
                "one can be explained at a time"
            )
        (segment,) = segments
        search = config.search
        reading = read_segment(segment, self.tokenizers.source, truecases=search.truecase)
        if not reading.tokens:
            raise InputError("there is nothing to explain: the sentence has no words")
        if len(reading.tokens) > search.max_source_pieces:
            raise InputError(
                f"the sentence has {len(reading.tokens)} pieces, and would be translated in parts; "
                f"at most {search.max_source_pieces} can be explained "
                "(search.max_source_pieces of the model)"
            )
        return segment, reading

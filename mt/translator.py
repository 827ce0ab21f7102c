"""Texts in, translations out: the one way through the library.

Knows the order of the steps and nothing of how each is done:

    text -> segments (`mt.text`) -> token ids (`mt.tokenizer`) -> states and next-token
    log-probabilities (`mt.engine`) -> hypotheses (`mt.decoding`) -> segments -> text

`translate` does it all. Its three parts are there too: `plan` cuts and tokenises one text, `search`
translates token ids of any number of texts together, `finish` puts one text's results back in their
places. A server that cuts texts itself, to have the segments of all its requests translated
together, calls `translate_segments` and puts them together with `mt.translation.join`. `score` goes
the other way: it says how likely the model finds translations that are there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mt.alignment import WordAligner
from mt.bundle import Bundle, find_model, load_bundle
from mt.casing import Case, restore
from mt.config import EngineName, RerankConfig, SearchConfig, Segmentation, Task
from mt.copying import digit_rules
from mt.decoding import SearchTask, decode
from mt.engine import Engine, load_engine, watchful
from mt.ensemble import EnsembleEngine, check_alike, joint_identity
from mt.errors import BundleError, InputError
from mt.flags import Segment, find_flags
from mt.fusion import FusionEngine, check_fits
from mt.language import has_letters
from mt.likelihood import PairScore, score_pairs
from mt.reading import Reading, read_segment
from mt.reranking import Reranker, Rescored
from mt.search import Hypothesis
from mt.text import Document, cut_document, split_long
from mt.tokenizer import RightToLeft, TokenizerPair
from mt.tokens import UNKNOWN
from mt.translation import Candidate, SegmentTranslation, Translation, given, join


@dataclass(frozen=True)
class SegmentPlan:
    """One segment, tokenised."""

    segment: str
    sources: tuple[tuple[int, ...], ...]
    """Token ids of each part to translate: one, more if the segment was split, none if it has no
    letter or no token and passes through as it is."""
    case: Case
    """The case that the translation is put into; `sources` are truecased."""


@dataclass(frozen=True)
class Plan:
    """One text, cut and tokenised, ready to be searched."""

    document: Document
    segments: tuple[SegmentPlan, ...]

    @property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """Token ids of each part to translate; empty for a text without words."""
        return tuple(source for segment in self.segments for source in segment.sources)


class Translator:
    """A loaded model. Calls do not change it, so threads may share one."""

    def __init__(
        self,
        engine: Engine[Any],
        tokenizers: TokenizerPair,
        search_config: SearchConfig,
        *,
        name: str,
        source_language: str,
        target_language: str,
        identity: str = "",
        task: Task = "translate",
        segmentation: Segmentation = "sentences",
        reranker: Reranker | None = None,
        lexicon_identity: str = "",
        aligner: WordAligner | None = None,
    ) -> None:
        """Of an engine and the tokenizers it speaks, as `TokenizerPair.writing` gives them."""
        self.name = name
        self.source_language = source_language
        self.target_language = target_language
        self.task = task
        self.segmentation = segmentation
        self.search_config = search_config
        self._engine = engine
        self._tokenizers = tokenizers
        self._identity = identity
        self._reranker = reranker
        self._lexicon_identity = lexicon_identity
        self._aligner = aligner

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        engine: EngineName = "auto",
        threads: int | None = None,
        shared: Path | None = None,
    ) -> Translator:
        """Load a model folder, or by its name ("de-en") one that comes with the library.

        A folder of that name goes first; without a path it is the bundled German to English one.

        Args:
            engine: what does the arithmetic; see `mt.config.EngineConfig`.
            threads: CPU threads to compute with; None leaves it to the engine.
            shared: from `mt.shared_arrays.shared_file`, for processes that load the same model and
                are to have the larger half of its memory once.

        Raises:
            BundleError: the folder is missing, incomplete, damaged or of a newer format.
            ConfigError: the machine lacks what the engine needs.
        """
        bundle = load_bundle(find_model(path))
        return cls.from_bundle(bundle, engine=engine, threads=threads, shared=shared)

    @classmethod
    def load_ensemble(
        cls,
        paths: Sequence[Path | str],
        *,
        engine: EngineName = "auto",
        threads: int | None = None,
    ) -> Translator:
        """Load several model folders as one model; `mt.ensemble` says how they are averaged.

        Decoding options are those of the first folder. The identity is made of the members' own.

        Args:
            engine: as of `load`, for every member; threads likewise.

        Raises:
            BundleError: a folder cannot be used, or does not go together with the first.
            ConfigError: the machine lacks what the engine needs.
        """
        bundles = [load_bundle(find_model(path)) for path in paths]
        check_alike([str(path) for path in paths], bundles)
        config = bundles[0].config
        _check_task(config.name, config.task)
        return cls(
            EnsembleEngine([load_engine(bundle, engine, threads) for bundle in bundles]),
            bundles[0].tokenizers.writing(right_to_left=config.model.reverse_target),
            config.search,
            name=" + ".join(bundle.config.name for bundle in bundles),
            source_language=config.source_language,
            target_language=config.target_language,
            identity=joint_identity([bundle.identity for bundle in bundles]),
            task=config.task,
            segmentation=config.segmentation,
            lexicon_identity=joint_identity([bundle.lexicon_identity for bundle in bundles]),
            aligner=_aligner(bundles[0]),
        )

    @classmethod
    def from_bundle(
        cls,
        bundle: Bundle,
        *,
        engine: EngineName = "auto",
        threads: int | None = None,
        shared: Path | None = None,
    ) -> Translator:
        """Make a translator of a bundle in memory; arguments as of `load`.

        Raises:
            BundleError: the weights do not fit the configuration, or it is a language model's.
            ConfigError: the machine lacks what the engine needs.
        """
        config = bundle.config
        _check_task(config.name, config.task)
        return cls(
            load_engine(bundle, engine, threads, shared),
            bundle.tokenizers.writing(right_to_left=config.model.reverse_target),
            config.search,
            name=config.name,
            source_language=config.source_language,
            target_language=config.target_language,
            identity=bundle.identity,
            task=config.task,
            segmentation=config.segmentation,
            lexicon_identity=bundle.lexicon_identity,
            aligner=_aligner(bundle),
        )

    @property
    def identity(self) -> str:
        """SHA-256 of the stored weights, for records; empty for a model that was never stored."""
        return self._identity

    @property
    def lexicon_identity(self) -> str:
        """SHA-256 of the lexical table, which decides where there is a shortlist; empty without."""
        return self._lexicon_identity

    @property
    def engine(self) -> str:
        """Name of what does the arithmetic, for records."""
        return self._engine.name

    @property
    def environment(self) -> Mapping[str, Any]:
        """What else the last digits of a result may depend on: versions, perhaps threads."""
        return self._engine.environment

    @property
    def right_to_left(self) -> bool:
        """Whether it writes a translation from its last piece to its first."""
        return isinstance(self._tokenizers.target, RightToLeft)

    @property
    def reranker(self) -> Reranker | None:
        """What chooses among candidates, if not search alone."""
        return self._reranker

    def with_search(self, config: SearchConfig) -> Translator:
        """The same model with other decoding options.

        Raises:
            ConfigError: they leave nothing to choose among where there is a reranker.
        """
        return self._with(config, self._reranker)

    def with_length_penalty(self, alpha: float) -> Translator:
        """The same model with another length penalty, as `PairScorer` asks for it."""
        return self.with_search(self.search_config.model_copy(update={"length_penalty": alpha}))

    def with_reranker(self, reranker: Reranker | None) -> Translator:
        """The same model, its candidates chosen by the reranker; None leaves it to search alone.

        Raises:
            ConfigError: the decoding options leave nothing to choose among.
        """
        return self._with(self.search_config, reranker)

    def rescored_by(self, reverse: Translator) -> Translator:
        """The same model, its candidates rescored by one that translates back; `RerankConfig` says
        how much that counts.

        Raises:
            ConfigError: the decoding options leave nothing to choose among.
        """
        config = RerankConfig(reverse_model=Path(reverse.name))
        return self.with_reranker(Reranker(config, reverse=reverse))

    def with_language_model(
        self,
        path: Path | str,
        weight: float,
        *,
        engine: EngineName = "auto",
        threads: int | None = None,
    ) -> Translator:
        """The same model with a language model that has a say in its search; see `mt.fusion`.

        Args:
            path: model folder of the language model.
            weight: as `FusionConfig.fusion_weight`.
            engine: as of `load`, for the language model; threads likewise.

        Raises:
            BundleError: the folder cannot be used, or its model does not go together with this one.
            ConfigError: the machine lacks what the engine needs.
        """
        bundle = load_bundle(find_model(path))
        check_fits(str(path), bundle, self._tokenizers.target, self.target_language)
        language = load_engine(bundle, engine, threads)
        fused = FusionEngine(self._engine, language, weight, identity=bundle.identity)
        return self._with(self.search_config, self._reranker, engine=fused)

    def with_segmentation(self, segmentation: Segmentation) -> Translator:
        """The same model, its texts cut into sentences or taken as a whole."""
        return self._with(self.search_config, self._reranker, segmentation)

    def with_check(self, check: Callable[[], None]) -> Translator:
        """The same model, which calls `check` before each step of a search.

        What that raises ends the call: for callers that may lose interest meanwhile.
        """
        engine = watchful(self._engine, check)
        return self._with(self.search_config, self._reranker, engine=engine)

    def _with(
        self,
        config: SearchConfig,
        reranker: Reranker | None,
        segmentation: Segmentation | None = None,
        engine: Engine[Any] | None = None,
    ) -> Translator:
        return Translator(
            engine or self._engine,
            self._tokenizers,
            config,
            name=self.name,
            source_language=self.source_language,
            target_language=self.target_language,
            identity=self._identity,
            task=self.task,
            segmentation=segmentation or self.segmentation,
            reranker=reranker and reranker.under(config),
            lexicon_identity=self._lexicon_identity,
            aligner=self._aligner,
        )

    def translate(
        self,
        texts: Sequence[str],
        *,
        alternatives: int = 0,
        prefixes: Sequence[str] | None = None,
    ) -> list[Translation]:
        """Translate texts, one Translation each, in the same order.

        A translation with a prefix begins with it, as the tokenizer writes it: white space at its
        ends is dropped, and more than one space within is one. The model goes on after its last
        piece as it likes, with a new word, punctuation, or more letters of the last word.

        Args:
            texts: documents of any length; each is cut into sentences and put together again.
            alternatives: further translations wanted of each text.
            prefixes: what the translation of each text is to begin with, "" for nothing in
                particular; a text with a prefix is one sentence.

        Raises:
            ConfigError: more alternatives than the beam can hold.
            InputError: a text with a prefix is not one sentence, its prefix has characters that
                the model cannot write, or the model writes from right to left.

        Example:
            >>> from mt import Translator
            >>> Translator.load().translate(["Guten Morgen."])[0].text
            'Good morning.'
        """
        assert not isinstance(texts, str), "texts is a list of texts, not one text"
        plans = [self.plan(text) for text in texts]
        forced = None
        if prefixes is not None:
            begun = self._prefixes(plans, prefixes)
            forced = [ids for plan, ids in zip(plans, begun, strict=True) for _ in plan.sources]
            plans = [_unrestored(p) if ids else p for p, ids in zip(plans, begun, strict=True)]
        sources = [source for plan in plans for source in plan.sources]
        results = iter(self.search(sources, n_best=1 + alternatives, prefixes=forced))
        return [self.finish(plan, [next(results) for _ in plan.sources]) for plan in plans]

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> list[PairScore]:
        """How likely the model finds each target as the translation of its source.

        A pair is one sequence a side and is not split; `mt.likelihood` names those that cannot be
        scored. A result does not depend on the other pairs.
        """
        return score_pairs(self._engine, self._tokenizers, self.search_config, sources, targets)

    def translate_segments(
        self, segments: Sequence[str], *, alternatives: int = 0, links: bool = False
    ) -> list[SegmentTranslation]:
        """Translate what somebody else has cut, one SegmentTranslation each, in the same order.

        Args:
            segments: as in `mt.text.Document`, of any number of texts.
            alternatives: further translations wanted of each segment.
            links: whether words are to be linked, as far as a lexical table of the model can tell
                which belong together; there are none without such a table.

        Raises:
            ConfigError: more alternatives than the beam can hold.
        """
        plans = [self._plan_segment(segment) for segment in segments]
        sources = [source for plan in plans for source in plan.sources]
        results = iter(self.search(sources, n_best=1 + alternatives))
        translations = [self._finish_segment(plan, results) for plan in plans]
        if not links or self._aligner is None:
            return translations
        return [
            _linked(self._aligner, segment, translation)
            for segment, translation in zip(segments, translations, strict=True)
        ]

    def plan(self, text: str) -> Plan:
        """Cut a text into segments and tokenise them."""
        document = cut_document(text, self.source_language, self.segmentation, self.task)
        return Plan(document, tuple(map(self._plan_segment, document.segments)))

    def search(
        self,
        sources: Sequence[Sequence[int]],
        *,
        n_best: int = 1,
        prefixes: Sequence[Sequence[int]] | None = None,
    ) -> list[list[Hypothesis]]:
        """Up to n_best hypotheses for each list of token ids, in the same order.

        They come best first, or as drawn; with a prefix, all begin with its token ids. A result
        does not depend on what else is in the list.

        Raises:
            ConfigError: n_best is more than the beam can hold, or than there are candidates.
        """
        engine, config, tasks = self._engine, self.search_config, self._tasks(sources, prefixes)
        if self._reranker is None:
            return decode(engine, tasks, config, n_best=n_best)
        return self._reranker.decode(engine, self._tokenizers, config, tasks, n_best=n_best)

    def rescore(self, sources: Sequence[Sequence[int]]) -> list[Rescored]:
        """The candidates for each list of token ids and what each model says of them.

        For finding weights: `Rescored.ranked` puts them in order by any. Needs a reranker.
        """
        assert self._reranker is not None
        tasks, config = self._tasks(sources), self.search_config
        return self._reranker.rescore(self._engine, self._tokenizers, config, tasks)

    def finish(self, plan: Plan, results: Sequence[Sequence[Hypothesis]]) -> Translation:
        """Put the results of a plan's sources, one list of hypotheses each, in their places."""
        assert len(results) == len(plan.sources)
        rest = iter(results)
        return join(plan.document, [self._finish_segment(each, rest) for each in plan.segments])

    def _tasks(
        self, sources: Sequence[Sequence[int]], prefixes: Sequence[Sequence[int]] | None = None
    ) -> list[SearchTask]:
        languages = self.source_language, self.target_language
        rules = digit_rules(self._tokenizers, languages, sources, self.search_config)
        # A prefix may have other digits.
        each = zip(sources, prefixes or [()] * len(sources), rules, strict=True)
        return [SearchTask(source, begun, None if begun else rule) for source, begun, rule in each]

    def _plan_segment(self, segment: str) -> SegmentPlan:
        if self.task == "translate" and not has_letters(segment):  # cut by somebody else
            return SegmentPlan(segment, (), Case.ORDINARY)
        truecases = self.search_config.truecase
        reading = read_segment(segment, self._tokenizers.source, truecases=truecases)
        return SegmentPlan(segment, tuple(map(tuple, self._parts(reading))), reading.case)

    def _finish_segment(
        self, plan: SegmentPlan, results: Iterator[Sequence[Hypothesis]]
    ) -> SegmentTranslation:
        """The n-th candidate takes every part's n-th hypothesis, or the last a part has."""
        if not plan.sources:
            return given(plan.segment)  # passes through as it is
        parts = list(islice(results, len(plan.sources)))
        ranks = range(max(map(len, parts)))
        nth = [[found[min(n, len(found) - 1)] for found in parts] for n in ranks]
        candidates = tuple(self._candidate(hypotheses, plan.case) for hypotheses in nth)
        outcome = Segment(
            plan.segment,
            candidates[0].text,
            list(zip(plan.sources, nth[0], strict=True)),
            self._suspicious(plan.segment),
        )
        flags = find_flags([outcome], self.source_language, self.target_language, self.task)
        return SegmentTranslation(candidates, frozenset(flags))

    def _candidate(self, hypotheses: Sequence[Hypothesis], case: Case) -> Candidate:
        texts = self._tokenizers.target.decode([hypothesis.tokens for hypothesis in hypotheses])
        return Candidate(
            restore(" ".join(filter(None, texts)), case),
            sum(hypothesis.log_probability for hypothesis in hypotheses),
            sum(hypothesis.length for hypothesis in hypotheses),
        )

    def _parts(self, reading: Reading) -> list[list[int]]:
        ids = reading.tokens
        limit = self.search_config.max_source_pieces
        if len(ids) <= limit:
            return [ids] if ids else []
        if self.segmentation == "whole":
            raise InputError(
                f"a text of {len(ids)} pieces is too long: {self.name} takes texts as a whole, of "
                f"at most {limit} (search.max_source_pieces)"
            )
        texts, _ = split_long(reading.text, self._length, limit)
        return [part for part in self._tokenizers.source.encode(texts) if part]

    def _length(self, text: str) -> int:
        return len(self._tokenizers.source.encode([text])[0])

    def _suspicious(self, segment: str) -> bool:
        """Whether the target's vocabulary spells a segment much more shortly than the source's.

        None of 1,653 German sentences is, of their English translations all but 22. One vocabulary
        for both tells nothing.
        """
        source, target = self._tokenizers
        if self.source_language == self.target_language:
            return False
        if self._tokenizers.joint:
            return True
        return 4 * len(target.encode([segment])[0]) <= 3 * len(source.encode([segment])[0])

    def _one_piece(self, plan: Plan) -> str:
        """What a text would have to be to be one, and why it is not."""
        sentences = sum(bool(segment.sources) for segment in plan.segments)
        if sentences != 1:
            return f"a text of one sentence; its text has {sentences}"
        longest = self.search_config.max_source_pieces
        return f"a sentence of at most {longest} pieces; its text is cut into {len(plan.sources)}"

    def _prefixes(self, plans: Sequence[Plan], prefixes: Sequence[str]) -> list[list[int]]:
        """The tokens of each plan's prefix."""
        encoded = self._tokenizers.target.encode(prefixes)
        if self.right_to_left and any(encoded):
            raise InputError("a right-to-left model, which ends with the first word, has no prefix")
        for plan, prefix, ids in zip(plans, prefixes, encoded, strict=True):
            if ids and len(plan.sources) != 1:
                raise InputError(f"the prefix {prefix!r} needs {self._one_piece(plan)}")
            if UNKNOWN in ids:
                raise InputError(f"the prefix {prefix!r} has characters the model cannot write")
        return encoded


def _check_task(name: str, task: Task) -> None:
    if task == "continue":
        raise BundleError(
            f"{name} is a language model, it translates nothing: use mt-continue, or mt-score "
            "without --source"
        )


def _aligner(bundle: Bundle) -> WordAligner | None:
    return None if bundle.lexicon is None else WordAligner(bundle.lexicon, bundle.tokenizers)


def _linked(
    aligner: WordAligner, segment: str, translation: SegmentTranslation
) -> SegmentTranslation:
    candidates = (
        each._replace(links=aligner.align(segment, each.text)) for each in translation.candidates
    )
    return translation._replace(candidates=tuple(candidates))


def _unrestored(plan: Plan) -> Plan:
    """What has a prefix goes on as ordinary text, since ALL CAPS would change the prefix too."""
    ordinary = (replace(segment, case=Case.ORDINARY) for segment in plan.segments)
    return replace(plan, segments=tuple(ordinary))

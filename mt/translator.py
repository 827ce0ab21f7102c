"""Texts in, translations out: the one way through the library.

Knows the order of the steps and nothing of how each is done:

    text -> token ids of its segments (`mt.planning`) -> states and next-token log-probabilities
    (`mt.engine`) -> hypotheses (`mt.decoding`) -> segments -> text (`mt.planning`)

`translate` does it all. Its three parts are there too: `plan` cuts and tokenises one text, `search`
translates token ids of any number of texts together, `finish` puts one text's results back in their
places. A server that cuts texts itself, to have the segments of all its requests translated
together, calls `translate_segments` and puts them together with `mt.translation.join`. `score` goes
the other way: it says how likely the model finds translations that are there already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mt.alignment import WordAligner
from mt.bundle import Bundle, find_model, load_bundle
from mt.config import EngineName, RerankConfig, SearchConfig, Segmentation, Task
from mt.copying import digit_rules
from mt.decoding import SearchTask, decode
from mt.engine import Engine, load_engine, watchful
from mt.ensemble import EnsembleEngine, check_alike, joint_identity
from mt.errors import BundleError, ConfigError
from mt.fusion import FusionEngine, check_fits
from mt.likelihood import PairScore, score_pairs
from mt.planning import Plan, Planner
from mt.reranking import Reranker, Rescored
from mt.search import Hypothesis
from mt.translation import SegmentTranslation, Translation


class Translator:
    """A loaded model. Calls do not change it, so threads may share one."""

    def __init__(
        self,
        engine: Engine[Any],
        planner: Planner,
        *,
        identity: str = "",
        lexicon_identity: str = "",
        reranker: Reranker | None = None,
    ) -> None:
        """Of an engine, and what plans texts for the model that it runs."""
        self._engine = engine
        self._planner = planner
        self._identity = identity
        self._lexicon_identity = lexicon_identity
        self._reranker = reranker

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
            shared: from `mt.system.shared_arrays.shared_file`, for processes that load the same
                model and are to have the larger half of its memory once.

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
        first = bundles[0]
        _check_task(first.config.name, first.config.task)
        names = " + ".join(bundle.config.name for bundle in bundles)
        return cls(
            EnsembleEngine([load_engine(bundle, engine, threads) for bundle in bundles]),
            replace(Planner.of(first), name=names),
            identity=joint_identity([bundle.identity for bundle in bundles]),
            lexicon_identity=joint_identity([bundle.lexicon_identity for bundle in bundles]),
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
        _check_task(bundle.config.name, bundle.config.task)
        return cls(
            load_engine(bundle, engine, threads, shared),
            Planner.of(bundle),
            identity=bundle.identity,
            lexicon_identity=bundle.lexicon_identity,
        )

    @property
    def name(self) -> str:
        """Of the model, for records and messages; of an ensemble, those of its members."""
        return self._planner.name

    @property
    def source_language(self) -> str:
        """What it translates from."""
        return self._planner.source_language

    @property
    def target_language(self) -> str:
        """What it translates to."""
        return self._planner.target_language

    @property
    def task(self) -> Task:
        """Whether it translates or answers."""
        return self._planner.task

    @property
    def segmentation(self) -> Segmentation:
        """Whether a text is cut into sentences."""
        return self._planner.segmentation

    @property
    def search_config(self) -> SearchConfig:
        """The decoding options."""
        return self._planner.search_config

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
        return self._planner.right_to_left

    @property
    def reranker(self) -> Reranker | None:
        """What chooses among candidates, if not search alone."""
        return self._reranker

    def with_search(self, config: SearchConfig) -> Translator:
        """The same model with other decoding options.

        Raises:
            ConfigError: they leave nothing to choose among where there is a reranker.
        """
        return self._with(replace(self._planner, search_config=config), self._reranker)

    def with_length_penalty(self, alpha: float) -> Translator:
        """The same model with another length penalty, as `PairScorer` asks for it."""
        return self.with_search(self.search_config.model_copy(update={"length_penalty": alpha}))

    def with_reranker(self, reranker: Reranker | None) -> Translator:
        """The same model, its candidates chosen by the reranker; None leaves it to search alone.

        Raises:
            ConfigError: the decoding options leave nothing to choose among.
        """
        return self._with(self._planner, reranker)

    def rescored_by(self, reverse: Translator) -> Translator:
        """The same model, its candidates rescored by one that translates back; `RerankConfig` says
        how much that counts.

        Raises:
            ConfigError: that model translates another way, or the decoding options leave nothing to
                choose among.
        """
        back = self.target_language, self.source_language
        found = reverse.source_language, reverse.target_language
        if found != back:
            raise ConfigError(
                f"{reverse.name} translates {' to '.join(found)}; what rescores {self.name} has to "
                f"translate {' to '.join(back)}"
            )
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
        check_fits(str(path), bundle, self._planner.tokenizers.target, self.target_language)
        language = load_engine(bundle, engine, threads)
        fused = FusionEngine(self._engine, language, weight, identity=bundle.identity)
        return self._with(self._planner, self._reranker, fused)

    def with_segmentation(self, segmentation: Segmentation) -> Translator:
        """The same model, its texts cut into sentences or taken as a whole."""
        return self._with(replace(self._planner, segmentation=segmentation), self._reranker)

    def with_check(self, check: Callable[[], None]) -> Translator:
        """The same model, which calls `check` before each step of a search.

        What that raises ends the call: for callers that may lose interest meanwhile.
        """
        return self._with(self._planner, self._reranker, watchful(self._engine, check))

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
        forced = None
        if prefixes is None:
            plans = [self.plan(text) for text in texts]
        else:
            begin = self._planner.keeping_nothing()
            plans = [
                (begin if prefix else self._planner).plan(text)
                for text, prefix in zip(texts, prefixes, strict=True)
            ]
            begun = self._planner.prefixes(plans, prefixes)
            forced = [ids for plan, ids in zip(plans, begun, strict=True) for _ in plan.sources]
            # What has a prefix goes on as ordinary text: ALL CAPS would change the prefix too.
            plans = [p.unrestored() if ids else p for p, ids in zip(plans, begun, strict=True)]
        sources = [source for plan in plans for source in plan.sources]
        results = iter(self.search(sources, n_best=1 + alternatives, prefixes=forced))
        return [self.finish(plan, [next(results) for _ in plan.sources]) for plan in plans]

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> list[PairScore]:
        """How likely the model finds each target as the translation of its source.

        A pair is one sequence a side and is not split; `mt.likelihood` names those that cannot be
        scored. A result does not depend on the other pairs, but for rounding.
        """
        tokenizers, config = self._planner.tokenizers, self.search_config
        return score_pairs(self._engine, tokenizers, config, sources, targets)

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
        plans = [self._planner.plan_segment(segment) for segment in segments]
        sources = [source for plan in plans for source in plan.sources]
        results = iter(self.search(sources, n_best=1 + alternatives))
        translations = [self._planner.finish_segment(plan, results) for plan in plans]
        aligner = self._planner.aligner
        if not links or aligner is None:
            return translations
        return [
            _linked(aligner, segment, translation)
            for segment, translation in zip(segments, translations, strict=True)
        ]

    def plan(self, text: str) -> Plan:
        """Cut a text into segments and tokenise them."""
        return self._planner.plan(text)

    def search(
        self,
        sources: Sequence[Sequence[int]],
        *,
        n_best: int = 1,
        prefixes: Sequence[Sequence[int]] | None = None,
    ) -> list[list[Hypothesis]]:
        """Up to n_best hypotheses for each list of token ids, in the same order.

        They come best first, or as drawn; with a prefix, all begin with its token ids. A result
        does not depend on what else is in the list, but for rounding.

        Raises:
            ConfigError: n_best is more than the beam can hold, or than there are candidates.
        """
        engine, config, tasks = self._engine, self.search_config, self._tasks(sources, prefixes)
        if self._reranker is None:
            return decode(engine, tasks, config, n_best=n_best)
        tokenizers = self._planner.tokenizers
        return self._reranker.decode(engine, tokenizers, config, tasks, n_best=n_best)

    def rescore(self, sources: Sequence[Sequence[int]]) -> list[Rescored]:
        """The candidates for each list of token ids and what each model says of them.

        For finding weights: `Rescored.ranked` puts them in order by any. Needs a reranker.
        """
        assert self._reranker is not None
        tasks, config = self._tasks(sources), self.search_config
        return self._reranker.rescore(self._engine, self._planner.tokenizers, config, tasks)

    def finish(self, plan: Plan, results: Sequence[Sequence[Hypothesis]]) -> Translation:
        """Put the results of a plan's sources, one list of hypotheses each, in their places."""
        return self._planner.finish(plan, results)

    def _with(
        self, planner: Planner, reranker: Reranker | None, engine: Engine[Any] | None = None
    ) -> Translator:
        return Translator(
            engine or self._engine,
            planner,
            identity=self._identity,
            lexicon_identity=self._lexicon_identity,
            reranker=reranker and reranker.under(planner.search_config),
        )

    def _tasks(
        self, sources: Sequence[Sequence[int]], prefixes: Sequence[Sequence[int]] | None = None
    ) -> list[SearchTask]:
        languages = self.source_language, self.target_language
        rules = digit_rules(self._planner.tokenizers, languages, sources, self.search_config)
        # A prefix may have other digits.
        each = zip(sources, prefixes or [()] * len(sources), rules, strict=True)
        return [SearchTask(source, begun, None if begun else rule) for source, begun, rule in each]


def _check_task(name: str, task: Task) -> None:
    if task == "continue":
        raise BundleError(
            f"{name} is a language model, it translates nothing: use mt-continue, or mt-score "
            "without --source"
        )


def _linked(
    aligner: WordAligner, segment: str, translation: SegmentTranslation
) -> SegmentTranslation:
    candidates = (
        each._replace(links=aligner.align(segment, each.text)) for each in translation.candidates
    )
    return translation._replace(candidates=tuple(candidates))

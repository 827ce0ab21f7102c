"""Texts in, translations out: the one way through the library.

Knows the order of the steps and nothing of how each is done:

    text -> segments (`mt.text`) -> token ids (`mt.tokenizer`) -> states and next-token
    log-probabilities (`mt.engine`) -> hypotheses (`mt.decoding`) -> segments -> text

`translate` does it all. A server that wants to batch across its requests uses the three parts:
`plan` cuts and tokenises one text, `search` translates token ids of any number of texts
together, `finish` puts one text's results back in their places. `score` goes the other way: it says
how likely the model finds translations that are there already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from mt.bundle import Bundle, find_model, load_bundle
from mt.casing import Case, find_case, restore, truecase
from mt.config import EngineName, SearchConfig
from mt.decoding import decode
from mt.engine import Engine, load_engine
from mt.ensemble import EnsembleEngine, check_alike, joint_identity
from mt.errors import InputError
from mt.flags import Segment, find_flags
from mt.likelihood import PairScore, score_pairs
from mt.search import Hypothesis
from mt.text import Document, split_document, split_long
from mt.tokenizer import TokenizerPair
from mt.tokens import UNKNOWN


class Alternative(NamedTuple):
    """Another translation of a text."""

    text: str
    score: float
    """As `Translation.score`."""


@dataclass(frozen=True)
class Translation:
    """What became of one text."""

    text: str
    """The translation, with the white space and line ends of the source."""
    score: float
    """exp of the mean log-probability of the tokens written, from 0 to 1; 1 if none had to be."""
    flags: frozenset[str] = frozenset()
    """Reasons for a closer look; `mt.flags` names and defines each."""
    alternatives: tuple[Alternative, ...] = ()
    """Further translations of the whole text, as many as asked for and found: as the search ranks
    them, better ones first (`length_penalty` has a say in that, not in `score`), or as drawn."""


@dataclass(frozen=True)
class Plan:
    """One text, cut and tokenised, ready to be searched."""

    document: Document
    sources: tuple[tuple[int, ...], ...]
    """Token ids of each part to translate; empty for a text without words."""
    counts: tuple[int, ...]
    """How many of `sources` each segment has: 1, more if it was split, 0 if it has no token and
    passes through as it is."""
    cases: tuple[Case, ...]
    """The case that the translation of each segment is put into; `sources` are truecased."""


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
    ) -> None:
        self.name = name
        self.source_language = source_language
        self.target_language = target_language
        self.search_config = search_config
        self._engine = engine
        self._tokenizers = tokenizers
        self._identity = identity

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        engine: EngineName = "auto",
        threads: int | None = None,
    ) -> Translator:
        """Load a model folder, or by its name ("de-en") one that comes with the library.

        A folder of that name goes first; without a path it is the bundled German to English one.

        Args:
            engine: what does the arithmetic; see `mt.config.EngineConfig`.
            threads: CPU threads to compute with; None leaves it to the engine.

        Raises:
            BundleError: the folder is missing, incomplete, damaged or of a newer format.
            ConfigError: the machine lacks what the engine needs.
        """
        return cls.from_bundle(load_bundle(find_model(path)), engine=engine, threads=threads)

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
        return cls(
            EnsembleEngine([load_engine(bundle, engine, threads) for bundle in bundles]),
            bundles[0].tokenizers,
            config.search,
            name=" + ".join(bundle.config.name for bundle in bundles),
            source_language=config.source_language,
            target_language=config.target_language,
            identity=joint_identity(bundles),
        )

    @classmethod
    def from_bundle(
        cls, bundle: Bundle, *, engine: EngineName = "auto", threads: int | None = None
    ) -> Translator:
        """Make a translator of a bundle in memory; arguments as of `load`.

        Raises:
            BundleError: the weights do not fit the configuration.
            ConfigError: the machine lacks what the engine needs.
        """
        config = bundle.config
        return cls(
            load_engine(bundle, engine, threads),
            bundle.tokenizers,
            config.search,
            name=config.name,
            source_language=config.source_language,
            target_language=config.target_language,
            identity=bundle.identity,
        )

    @property
    def identity(self) -> str:
        """SHA-256 of the stored weights, for records; empty for a model that was never stored."""
        return self._identity

    @property
    def engine(self) -> str:
        """Name of what does the arithmetic, for records."""
        return self._engine.name

    @property
    def environment(self) -> Mapping[str, Any]:
        """What else the last digits of a result may depend on: versions, perhaps threads."""
        return self._engine.environment

    def with_search(self, config: SearchConfig) -> Translator:
        """The same model with other decoding options."""
        return Translator(
            self._engine,
            self._tokenizers,
            config,
            name=self.name,
            source_language=self.source_language,
            target_language=self.target_language,
            identity=self._identity,
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
            InputError: a text with a prefix is not one sentence, or its prefix has characters that
                the model cannot write.

        Example:
            >>> from mt import Translator
            >>> Translator.load().translate(["Guten Morgen."])[0].text
            'Good morning.'
        """
        assert not isinstance(texts, str), "texts is a list of texts, not one text"
        plans = [self.plan(text) for text in texts]
        if prefixes is not None:
            plans = [_unrestored(*each) for each in zip(plans, prefixes, strict=True)]
        sources = [source for plan in plans for source in plan.sources]
        forced = None if prefixes is None else self._prefixes(plans, prefixes)
        results = iter(self.search(sources, n_best=1 + alternatives, prefixes=forced))
        return [self.finish(plan, [next(results) for _ in plan.sources]) for plan in plans]

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> list[PairScore]:
        """How likely the model finds each target as the translation of its source.

        A pair is one sequence a side and is not split; `mt.likelihood` names those that cannot be
        scored. A result does not depend on the other pairs.
        """
        return score_pairs(self._engine, self._tokenizers, self.search_config, sources, targets)

    def plan(self, text: str) -> Plan:
        """Cut a text into segments and tokenise them."""
        document = split_document(text, self.source_language)
        cases = tuple(self._case(segment) for segment in document.segments)
        parts = [
            self._parts(segment if case is Case.ORDINARY else truecase(segment, self._cost))
            for segment, case in zip(document.segments, cases, strict=True)
        ]
        sources = tuple(tuple(part) for segment in parts for part in segment)
        return Plan(document, sources, tuple(len(segment) for segment in parts), cases)

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
            ConfigError: n_best is more than the beam can hold.
        """
        return decode(self._engine, sources, self.search_config, n_best=n_best, prefixes=prefixes)

    def finish(self, plan: Plan, results: Sequence[Sequence[Hypothesis]]) -> Translation:
        """Put the results of a plan's sources, one list of hypotheses each, in their places."""
        assert len(results) == len(plan.sources)
        best = [hypotheses[0] for hypotheses in results]
        segments = self._segments(plan, best)
        return Translation(
            text=plan.document.join(segments),
            score=_mean_probability(best),
            flags=frozenset(
                find_flags(
                    self._outcomes(plan, best, segments), self.source_language, self.target_language
                )
            ),
            alternatives=self._alternatives(plan, results),
        )

    def _case(self, segment: str) -> Case:
        return find_case(segment, self._cost) if self.search_config.truecase else Case.ORDINARY

    def _cost(self, word: str) -> tuple[int, int]:
        """Unknown pieces first, then pieces: what the source vocabulary needs for a word."""
        ids = self._tokenizers.source.encode([word])[0]
        return ids.count(UNKNOWN), len(ids)

    def _parts(self, segment: str) -> list[list[int]]:
        ids = self._tokenizers.source.encode([segment])[0]
        limit = self.search_config.max_source_pieces
        if len(ids) <= limit:
            return [ids] if ids else []
        texts, _ = split_long(segment, self._length, limit)
        return [part for part in self._tokenizers.source.encode(texts) if part]

    def _length(self, text: str) -> int:
        return len(self._tokenizers.source.encode([text])[0])

    def _segments(self, plan: Plan, hypotheses: Sequence[Hypothesis]) -> list[str]:
        texts = iter(self._tokenizers.target.decode([h.tokens for h in hypotheses]))
        return [
            restore(" ".join(filter(None, islice(texts, count))), case) if count else segment
            for segment, count, case in zip(
                plan.document.segments, plan.counts, plan.cases, strict=True
            )
        ]

    def _outcomes(
        self, plan: Plan, best: Sequence[Hypothesis], translations: Sequence[str]
    ) -> list[Segment]:
        parts = zip(plan.sources, best, strict=True)
        return [
            Segment(source, translation, list(islice(parts, count)), self._suspicious(source))
            for source, translation, count in zip(
                plan.document.segments, translations, plan.counts, strict=True
            )
        ]

    def _suspicious(self, segment: str) -> bool:
        """Whether the target's vocabulary spells a segment much more shortly than the source's.

        None of 1,653 German sentences is, of their English translations all but 22. One vocabulary
        for both tells nothing.
        """
        source, target = self._tokenizers
        if source is target:
            return True
        return 4 * len(target.encode([segment])[0]) <= 3 * len(source.encode([segment])[0])

    def _prefixes(self, plans: Sequence[Plan], prefixes: Sequence[str]) -> list[list[int]]:
        """The tokens of each plan's prefix, for each of its sources."""
        tokens: list[list[int]] = []
        encoded = self._tokenizers.target.encode(prefixes)
        for plan, prefix, ids in zip(plans, prefixes, encoded, strict=True):
            if ids and len(plan.sources) != 1:
                raise InputError(
                    f"the prefix {prefix!r} needs a text of one sentence; its text has "
                    f"{len(plan.sources)}"
                )
            if UNKNOWN in ids:
                raise InputError(f"the prefix {prefix!r} has characters the model cannot write")
            tokens += [ids for _ in plan.sources]
        return tokens

    def _alternatives(
        self, plan: Plan, results: Sequence[Sequence[Hypothesis]]
    ) -> tuple[Alternative, ...]:
        """The n-th alternative takes every part's n-th hypothesis, or the last a part has."""
        scores: dict[str, float] = {}
        for n in range(max((len(hypotheses) for hypotheses in results), default=1)):
            nth = [hypotheses[min(n, len(hypotheses) - 1)] for hypotheses in results]
            # Different tokens can spell the same text; the first to do so counts.
            scores.setdefault(plan.document.join(self._segments(plan, nth)), _mean_probability(nth))
        return tuple(Alternative(*each) for each in scores.items())[1:]


def _unrestored(plan: Plan, prefix: str) -> Plan:
    """What has a prefix goes on as ordinary text, since ALL CAPS would change the prefix too."""
    return replace(plan, cases=(Case.ORDINARY,) * len(plan.cases)) if prefix else plan


def _mean_probability(hypotheses: Sequence[Hypothesis]) -> float:
    """The geometric mean of the probabilities of all tokens written; 1 if there is none."""
    written = sum(hypothesis.length for hypothesis in hypotheses)
    total = sum(hypothesis.log_probability for hypothesis in hypotheses)
    return math.exp(total / written) if written else 1.0

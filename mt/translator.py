"""Texts in, translations out: the one way through the library.

Knows the order of the steps and nothing of how each is done:

    text -> segments (`mt.text`) -> token ids (`mt.tokenizer`) -> states and next-token
    log-probabilities (`mt.engine`) -> hypotheses (`mt.search`) -> segments -> text

`translate` does it all. A server that wants to batch across its requests uses the three parts:
`plan` cuts and tokenises one text, `search` translates token ids of any number of texts
together, `finish` puts one text's results back in their places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from mt.bundle import Bundle, load_bundle
from mt.config import SearchConfig
from mt.engine import Engine, load_engine
from mt.errors import ConfigError
from mt.flags import Segment, find_flags
from mt.search import Hypothesis, search
from mt.text import Document, split_document, split_long
from mt.tokenizer import TokenizerPair

BUNDLED_MODEL = Path(__file__).parent / "models" / "de-en"
"""The model folder that comes with the library."""


@dataclass(frozen=True)
class Translation:
    """What became of one text."""

    text: str
    """The translation, with the white space and line ends of the source."""
    score: float
    """exp of the mean log-probability of the tokens written, from 0 to 1; 1 if none had to be."""
    flags: frozenset[str] = frozenset()
    """Reasons for a closer look; `mt.flags` names and defines each."""
    alternatives: tuple[str, ...] = ()
    """Further translations of the whole text, better ones first, as many as asked for and found."""


@dataclass(frozen=True)
class Plan:
    """One text, cut and tokenised, ready to be searched."""

    document: Document
    sources: tuple[tuple[int, ...], ...]
    """Token ids of each part to translate; empty for a text without words."""
    counts: tuple[int, ...]
    """How many of `sources` each segment has: 1, more if it was split, 0 if it has no token and
    passes through as it is."""


class Translator:
    """A loaded model. Calls do not change it, so threads may share one."""

    def __init__(
        self,
        engine: Engine,
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
    def load(cls, path: Path | str | None = None) -> Translator:
        """Load a model folder; the bundled German to English model if none is named.

        Raises:
            BundleError: the folder is missing, incomplete, damaged or of a newer format.
        """
        return cls.from_bundle(load_bundle(Path(path) if path is not None else BUNDLED_MODEL))

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Translator:
        """Make a translator of a bundle in memory.

        Raises:
            BundleError: the weights do not fit the configuration.
        """
        config = bundle.config
        return cls(
            load_engine(bundle),
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

    def translate(self, texts: Sequence[str], *, alternatives: int = 0) -> list[Translation]:
        """Translate texts, one Translation each, in the same order.

        Args:
            texts: documents of any length; each is cut into sentences and put together again.
            alternatives: further translations wanted of each text.

        Raises:
            ConfigError: more alternatives than the beam can hold.

        Example:
            >>> from mt import Translator
            >>> Translator.load().translate(["Guten Morgen."])[0].text
            'Good morning.'
        """
        assert not isinstance(texts, str), "texts is a list of texts, not one text"
        plans = [self.plan(text) for text in texts]
        sources = [source for plan in plans for source in plan.sources]
        results = iter(self.search(sources, n_best=1 + alternatives))
        return [self.finish(plan, [next(results) for _ in plan.sources]) for plan in plans]

    def plan(self, text: str) -> Plan:
        """Cut a text into segments and tokenise them."""
        document = split_document(text, self.source_language)
        parts = [self._parts(segment) for segment in document.segments]
        sources = tuple(tuple(part) for segment in parts for part in segment)
        return Plan(document, sources, tuple(len(segment) for segment in parts))

    def search(
        self, sources: Sequence[Sequence[int]], *, n_best: int = 1
    ) -> list[list[Hypothesis]]:
        """Up to n_best hypotheses for each list of token ids, best first, in the same order.

        A result does not depend on what else is in the list.

        Raises:
            ConfigError: n_best is more than the beam can hold.
        """
        config = self.search_config
        if n_best > config.beam_size:
            raise ConfigError(
                f"{n_best - 1} alternatives are more than a beam of {config.beam_size} can hold: "
                f"at most {config.beam_size - 1}"
            )
        results: list[list[Hypothesis]] = [[] for _ in sources]
        for numbers in _batches([len(source) for source in sources], config.batch_tokens):
            batch = [sources[number] for number in numbers]
            limits = [
                int(config.max_length_ratio * len(source)) + config.max_length_extra
                for source in batch
            ]
            found = search(
                self._engine,
                self._engine.start(batch),
                np.array(limits),
                beam_size=config.beam_size,
                alpha=config.length_penalty,
                n_best=n_best,
            )
            for number, hypotheses in zip(numbers, found, strict=True):
                results[number] = hypotheses
        return results

    def finish(self, plan: Plan, results: Sequence[Sequence[Hypothesis]]) -> Translation:
        """Put the results of a plan's sources, one list of hypotheses each, in their places."""
        assert len(results) == len(plan.sources)
        best = [hypotheses[0] for hypotheses in results]
        segments = self._segments(plan, best)
        written = sum(hypothesis.length for hypothesis in best)
        total = sum(hypothesis.log_probability for hypothesis in best)
        return Translation(
            text=plan.document.join(segments),
            score=math.exp(total / written) if written else 1.0,
            flags=frozenset(find_flags(_outcomes(plan, best, segments))),
            alternatives=self._alternatives(plan, results),
        )

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
            " ".join(filter(None, [next(texts) for _ in range(count)])) if count else segment
            for segment, count in zip(plan.document.segments, plan.counts, strict=True)
        ]

    def _alternatives(self, plan: Plan, results: Sequence[Sequence[Hypothesis]]) -> tuple[str, ...]:
        """The n-th alternative takes every part's n-th hypothesis, or the last a part has."""
        most = max((len(hypotheses) for hypotheses in results), default=1)
        texts = [
            plan.document.join(self._segments(plan, [h[min(n, len(h) - 1)] for h in results]))
            for n in range(most)
        ]
        # Different tokens can spell the same text.
        return tuple(dict.fromkeys(texts))[1:]


def _outcomes(plan: Plan, best: Sequence[Hypothesis], translations: Sequence[str]) -> list[Segment]:
    parts = zip(plan.sources, best, strict=True)
    return [
        Segment(source, translation, list(islice(parts, count)))
        for source, translation, count in zip(
            plan.document.segments, translations, plan.counts, strict=True
        )
    ]


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Positions of similar length together, longest first; rows x longest stays within budget."""
    batch: list[int] = []
    widest = 0
    for number in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        if batch and (len(batch) + 1) * widest > budget:
            yield batch
            batch = []
        if not batch:
            widest = lengths[number] + 1
        batch.append(number)
    if batch:
        yield batch

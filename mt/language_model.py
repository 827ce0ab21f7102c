"""A language model: how likely a line is, which word comes next, how a text may go on.

Knows a bundle of task "continue", its tokenizer and its engine. Does not know how a step is
computed (`mt.engine`), or texts of more than one sentence: a line is one sequence, as in training.

The model is a decoder without an encoder (Mikolov et al. 2010; Sundermeyer et al. 2012): its states
are zeros before the first token. It is a scorer as `mt.search` has it (`begin`, `end`, `step`), so
whatever works on a scorer works on it: a search, a draw, a sum with another scorer.

A word is what stands between white space, such as "mat." with its full stop. Perplexities, log P
being the sum over all lines, each with its end:

    per piece    exp(- log P / pieces)    pieces of this vocabulary, the ends counted
    per word     exp(- log P / words)     comparable between vocabularies

Shapes: N rows, V pieces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mt.bundle import Bundle, find_model, load_bundle
from mt.config import ContinuationConfig, EngineName, SearchConfig
from mt.engine import Engine, load_engine
from mt.errors import BundleError, InputError
from mt.likelihood import BLANK, SCORED, UNKNOWN_CHARACTERS, force_pairs
from mt.search import Hypothesis, Integers, LogProbabilities, next_words, sample, search
from mt.segmentation import SPACE
from mt.tokenizer import Tokenizer
from mt.tokens import UNKNOWN

LARGEST = 700.0
"""The most that `math.exp` is asked for: a line without spaces is one word of any size."""
_OPTIONS = ContinuationConfig()


@dataclass(frozen=True, slots=True)
class LineScore:
    """What a language model says of one line."""

    status: str
    """As in `mt.likelihood`: SCORED, BLANK, or UNKNOWN_CHARACTERS, which its vocabulary cannot
    spell, so that it could never write the line."""
    pieces: tuple[str, ...] = ()
    """The line as the vocabulary spells it, then the end token; empty if not scored."""
    log_probabilities: tuple[float, ...] = ()
    """Of each piece, given the pieces before it; natural logarithm."""
    words: int = 0
    """Between white space; 0 if not scored."""

    @property
    def log_probability(self) -> float:
        """Of the line as a whole, its end included; NaN if not scored."""
        return sum(self.log_probabilities) if self.status == SCORED else math.nan


class Perplexity(NamedTuple):
    """Of all scored lines together, as at the top of this file."""

    piece: float
    word: float
    pieces: int
    words: int
    lines: int
    signature: str
    """How it was measured."""


class Suggestion(NamedTuple):
    """What may come next, up to white space or the end."""

    text: str
    """Empty where the text ends here."""
    joined: bool
    """Whether it goes on in the last word there is, as a full stop does."""
    probability: float


class Continuation(NamedTuple):
    """One way in which a text may go on."""

    text: str
    """As a whole, the beginning as the tokenizer writes it."""
    log_probability: float
    """Of what was added, given the beginning; with its end, if it has one."""
    finished: bool
    """Whether the model ended it; else it was cut at the limit."""


class LanguageModel:
    """A loaded language model. Calls do not change it, so threads may share one."""

    def __init__(
        self,
        engine: Engine[Any],
        tokenizer: Tokenizer,
        search_config: SearchConfig | None = None,
        *,
        name: str,
        language: str,
        identity: str = "",
    ) -> None:
        """Of an engine and the tokenizer it speaks.

        Args:
            search_config: of its options, beam and length penalty, and how much is done at once.
        """
        self.name = name
        self.language = language
        self.identity = identity
        """SHA-256 of the stored weights; empty for a model that was never stored."""
        self.tokenizer = tokenizer
        self.begin, self.end = engine.begin, engine.end
        self._engine = engine
        self._search_config = search_config or SearchConfig()

    @classmethod
    def load(
        cls, path: Path | str, *, engine: EngineName = "auto", threads: int | None = None
    ) -> LanguageModel:
        """Load a model folder.

        Args:
            engine: what does the arithmetic; see `mt.config.EngineConfig`.
            threads: CPU threads to compute with; None leaves it to the engine.

        Raises:
            BundleError: the folder cannot be used, or holds no language model.
            ConfigError: the machine lacks what the engine needs.
        """
        return cls.from_bundle(load_bundle(find_model(path)), engine=engine, threads=threads)

    @classmethod
    def from_bundle(
        cls, bundle: Bundle, *, engine: EngineName = "auto", threads: int | None = None
    ) -> LanguageModel:
        """Make one of a bundle in memory; arguments and errors as of `load`."""
        config = bundle.config
        check_continues(bundle)
        return cls(
            load_engine(bundle, engine, threads),
            bundle.tokenizers.target,
            config.search,
            name=config.name,
            language=config.target_language,
            identity=bundle.identity,
        )

    @property
    def engine(self) -> str:
        """Name of what does the arithmetic, for records."""
        return self._engine.name

    @property
    def environment(self) -> Mapping[str, Any]:
        """What else the last digits of a result may depend on: versions, perhaps threads."""
        return self._engine.environment

    def start(self, rows: int) -> Any:
        """The state of so many rows before the first token, which follows `begin`."""
        return self._engine.start([()] * rows)

    def step(self, previous: Integers, state: Any) -> tuple[LogProbabilities, Any]:
        """[N] previous tokens, state of N rows -> [N, V] log-probabilities, state after.

        A token that is never written (`mt.tokens`) has -inf. No row looks at another.
        """
        return self._engine.step(previous, state)

    def score(self, lines: Sequence[str]) -> list[LineScore]:
        """How likely each line is; whatever the other lines, but for rounding."""
        encoded = self.tokenizer.encode(lines)
        results = [LineScore(_status(ids)) for ids in encoded]
        places = [place for place, result in enumerate(results) if result.status == SCORED]
        pairs = [((), encoded[place]) for place in places]
        found = force_pairs(self._engine, pairs, self._search_config)
        for place, log_probabilities in zip(places, found, strict=True):
            pieces = self.tokenizer.pieces([*encoded[place], self.end])
            words = len(lines[place].split())
            results[place] = LineScore(SCORED, tuple(pieces), log_probabilities, words)
        return results

    def suggest(self, beginning: str, count: int = 5) -> list[Suggestion]:
        """The likeliest next words, best first; `mt.search.words` says what is computed.

        After white space, and at the very beginning, a word begins for sure, and probabilities are
        given that. Else the last word may go on, or the text may end.

        Raises:
            InputError: the beginning has characters that the vocabulary cannot spell.
        """
        last, state = self._read(self._encode(beginning))
        words = next_words(
            self._engine,
            state,
            last,
            self.tokenizer.begins_word,
            lambda tokens: "".join(self.tokenizer.pieces(tokens)),
            count + 1,
            new=beginning == "" or beginning[-1].isspace(),
        )
        suggestions = [
            Suggestion(
                text.removeprefix(SPACE), not text.startswith(SPACE) and text != "", probability
            )
            for text, probability in words
            if text != SPACE  # white space and nothing behind it, which no text has
        ]
        return suggestions[:count]

    def sample(
        self,
        beginning: str = "",
        count: int = 1,
        *,
        temperature: float = _OPTIONS.temperature,
        top_k: int = _OPTIONS.top_k,
        seed: int = _OPTIONS.seed,
        most_pieces: int = _OPTIONS.most_pieces,
    ) -> list[Continuation]:
        """Draw ways to go on, piece by piece; always the same for the same arguments.

        Args:
            beginning: what there is of the text; white space at its end counts for nothing.
            temperature: as `ContinuationConfig` has it, and so the three below.

        Raises:
            InputError: the beginning has characters that the vocabulary cannot spell.
        """
        ids, scorer, state = self._going_on(beginning)
        (found,) = sample(
            scorer,
            state,
            np.array([most_pieces]),
            keys=[(seed, *ids)],
            draws=count,
            temperature=temperature,
            alpha=0.0,
            top_k=top_k,
        )
        return [self._continuation(ids, hypothesis) for hypothesis in found]

    def proceed(
        self, beginning: str = "", count: int = 1, *, most_pieces: int = _OPTIONS.most_pieces
    ) -> list[Continuation]:
        """The best ways to go on that a search finds, best first, by the model's own options.

        Args:
            count: ways wanted; the beam is at least as wide.

        Raises:
            InputError: the beginning has characters that the vocabulary cannot spell.
        """
        ids, scorer, state = self._going_on(beginning)
        (found,) = search(
            scorer,
            state,
            np.array([most_pieces]),
            beam_size=max(count, self._search_config.beam_size),
            alpha=self._search_config.length_penalty,
            n_best=count,
        )
        return [self._continuation(ids, hypothesis) for hypothesis in found]

    def _encode(self, beginning: str) -> list[int]:
        (ids,) = self.tokenizer.encode([beginning])
        if UNKNOWN in ids:
            raise InputError(f"{beginning!r} has characters that {self.name} cannot write")
        return ids

    def _read(self, ids: Sequence[int]) -> tuple[int, Any]:
        """The last token of a beginning, and the state that it is to be fed to."""
        state = self.start(1)
        *before, last = self.begin, *ids
        for token in before:
            _, state = self._engine.step(np.array([token]), state)
        return last, state

    def _going_on(self, beginning: str) -> tuple[list[int], _GoingOn, Any]:
        """A beginning's tokens, and the scorer that goes on from them with its state."""
        ids = self._encode(beginning)
        last, state = self._read(ids)
        return ids, _GoingOn(self._engine, last), state

    def _continuation(self, ids: Sequence[int], hypothesis: Hypothesis) -> Continuation:
        (text,) = self.tokenizer.decode([[*ids, *hypothesis.tokens]])
        return Continuation(text, hypothesis.log_probability, hypothesis.finished)


def check_continues(bundle: Bundle) -> None:
    """Refuse a model of another task.

    Raises:
        BundleError: it is no language model.
    """
    config = bundle.config
    if config.task != "continue":
        does = {"translate": "translates", "answer": "answers questions"}[config.task]
        raise BundleError(f"{config.name} {does}, it is no language model: use mt-{config.task}")


def perplexity(scores: Sequence[LineScore]) -> Perplexity:
    """Of the lines that are scored; at most exp(700), about the largest number there is.

    Raises:
        InputError: none is.
    """
    scored = [score for score in scores if score.status == SCORED]
    if not scored:
        raise InputError(f"none of {len(scores):,} lines has a probability")
    total = sum(score.log_probability for score in scored)
    pieces, words = (sum(counts) for counts in zip(*map(_counts, scored), strict=True))
    return Perplexity(
        math.exp(min(-total / pieces, LARGEST)),
        math.exp(min(-total / words, LARGEST)),
        pieces,
        words,
        len(scored),
        f"ends:counted|words:by white space|not scored:{len(scores) - len(scored)}",
    )


class _GoingOn:
    """An engine as a scorer that has written something already, `last` last."""

    def __init__(self, engine: Engine[Any], last: int) -> None:
        self.begin, self.end = last, engine.end
        self.step = engine.step


def _status(ids: Sequence[int]) -> str:
    if not ids:
        return BLANK
    return UNKNOWN_CHARACTERS if UNKNOWN in ids else SCORED


def _counts(score: LineScore) -> tuple[int, int]:
    return len(score.pieces), score.words

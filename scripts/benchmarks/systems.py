"""What is compared when decoding: each engine of ours, a bare torch loop, other programs.

Knows how to have each translate the same batches of token ids. Does not know what is measured.
Peers, which are processes, are in `peers/`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mt.bundle import Bundle
from mt.config import EngineName, SearchConfig
from mt.corpus import read_lines
from mt.decoding import SearchTask, decode
from mt.engine import Engine, load_engine
from mt.errors import ConfigError, InputError
from mt.tokenizer import Tokenizer
from scripts.benchmarks.plain import BareModel, Tokens

REFERENCE: EngineName = "fp32"
"""The engine that every ratio and every share of equal outputs refers to."""
ENGINES: tuple[EngineName, ...] = (REFERENCE, "int8", "bf16")
"""The engines that are measured, each named after the precision of its products."""

Batches = Sequence[Sequence[Tokens]]


class Outcome(NamedTuple):
    """Translations of some batches."""

    seconds: float
    """From token ids to token ids."""
    outputs: list[list[int]]
    """The best hypothesis of each sentence, in the order of the batches, without special tokens."""


class System(Protocol):
    """Anything that translates."""

    @property
    def name(self) -> str: ...

    @property
    def precision(self) -> str:
        """Of its products: fp32, bf16 or int8."""
        ...

    def translate(self, batches: Batches, search: SearchConfig) -> Outcome:
        """Translate batches, each at once, its longest sentence first, with a beam as given."""
        ...


@dataclass
class OwnSystem:
    """One of this project's engines under its own search."""

    precision: str
    engine: Engine[Any]
    shortlist: int = 0
    """As `SearchConfig.shortlist`."""

    @classmethod
    def load(cls, bundle: Bundle, engine: EngineName, threads: int) -> OwnSystem:
        """A bundle under one of its engines.

        Raises:
            BundleError: the weights do not fit the configuration.
            ConfigError: the machine lacks what the engine needs.
        """
        return cls(engine, load_engine(bundle, engine, threads=threads))

    @property
    def name(self) -> str:
        return self.precision + (" shortlist" if self.shortlist else "")

    def translate(self, batches: Batches, search: SearchConfig) -> Outcome:
        """As `System.translate`."""
        # A bound that no batch reaches: they are cut already, alike for all.
        whole = search.model_copy(update={"batch_tokens": 10**9, "shortlist": self.shortlist})
        tasks = [[SearchTask(source) for source in batch] for batch in batches]
        started = time.perf_counter()
        found = [decode(self.engine, batch, whole) for batch in tasks]
        seconds = time.perf_counter() - started
        return Outcome(seconds, [list(best[0].tokens) for batch in found for best in batch])


@dataclass
class BareSystem:
    """The loop that anyone would write first; greedy only."""

    model: BareModel
    name: str = "bare torch"
    precision: str = "fp32"

    def translate(self, batches: Batches, search: SearchConfig) -> Outcome:
        """As `System.translate`."""
        assert search.beam_size == 1
        outputs: list[list[int]] = []
        started = time.perf_counter()
        for batch in batches:
            longest = int(search.max_length_ratio * max(map(len, batch)))
            outputs += self.model.translate(batch, longest + search.max_length_extra)
        return Outcome(time.perf_counter() - started, outputs)


def check_engines(names: Sequence[str] | None) -> list[EngineName]:
    """The engines of these names; all of `ENGINES` if none is given.

    Raises:
        ConfigError: a name is none of them.
    """
    for name in names or ():
        if name not in ENGINES:
            raise ConfigError(f"--engine {name}: one of {', '.join(ENGINES)} is measured")
    return [name for name in ENGINES if names is None or name in names]


def read_sentences(path: Path, tokenizer: Tokenizer, limit: int | None) -> list[list[int]]:
    """The lines of a text as token ids, the first `limit` of them, each as one sentence.

    Raises:
        CorpusError: the file cannot be read.
        InputError: a line has nothing to translate, or there is none.
    """
    sentences = tokenizer.encode(read_lines(path)[:limit])
    if not sentences:
        raise InputError(f"{path}: no lines")
    for number, sentence in enumerate(sentences, start=1):
        if not sentence:
            raise InputError(f"{path}: line {number} is blank: only sentences are measured")
    return sentences


def sorted_batches(sentences: Sequence[Tokens], size: int) -> tuple[list[list[Tokens]], list[int]]:
    """Batches of so many sentences, longest first, and the place in them of each sentence."""
    order = sorted(range(len(sentences)), key=lambda number: -len(sentences[number]))
    batches = [
        [sentences[number] for number in order[start : start + size]]
        for start in range(0, len(order), size)
    ]
    places = [0] * len(order)
    for place, number in enumerate(order):
        places[number] = place
    return batches, places

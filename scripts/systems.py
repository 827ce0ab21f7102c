"""What is evaluated: models that translate the test set, and files of finished translations.

Knows where the translations of a system come from, and what a record has to name so that they can
be made again. Does not know references or scores.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.progress import track

from mt.config import SearchConfig
from mt.config.search import LONGEST_PIECES
from mt.corpus import read_beside
from scripts.console import errors
from scripts.loading import load_translator
from scripts.options import Decoding

if TYPE_CHECKING:
    from mt import Translation, Translator

CHUNK_LINES = 500
"""Lines translated between two moves of the progress bar."""


class Outcome(NamedTuple):
    """The translations of a test set, and how they came about."""

    translations: list[str]
    record: dict[str, Any]


@dataclass(frozen=True)
class ModelSystem:
    """A model folder, or an ensemble of several."""

    name: str
    translator: Translator

    @classmethod
    def load(cls, folders: Sequence[Path], decoding: Decoding) -> ModelSystem:
        """A system named after its folders; without any, the bundled model by its own name.

        Raises:
            BundleError: a folder cannot be used.
            ConfigError: an option of `decoding` is out of range.
        """
        translator = load_translator(folders, decoding)
        return cls(" + ".join(map(str, folders)) or translator.name, translator)

    def with_search(self, search: SearchConfig) -> ModelSystem:
        """The same model with other decoding options."""
        return ModelSystem(self.name, self.translator.with_search(search))

    def taking_whole_lines(self) -> ModelSystem:
        """The same model, its lines never cut into sentences."""
        translator = self.translator.with_segmentation("whole")
        longest = translator.search_config.model_copy(update={"max_source_pieces": LONGEST_PIECES})
        return ModelSystem(self.name, translator.with_search(longest))

    def run(self, sources: Sequence[str]) -> Outcome:
        """Translate the test set."""
        started = time.perf_counter()
        translations = _translate(self.translator, sources)
        seconds = time.perf_counter() - started
        flags = Counter(flag for translation in translations for flag in translation.flags)
        reranker = self.translator.reranker
        return Outcome(
            [translation.text for translation in translations],
            {
                "system": self.name,
                "model": self.translator.name,
                "weights": self.translator.identity,
                "engine": self.translator.engine,
                "search": self.translator.search_config.model_dump(),
                **({"reranking": reranker.record()} if reranker else {}),
                "environment": dict(self.translator.environment),
                "seconds": round(seconds, 3),
                "flags": dict(sorted(flags.items())),
            },
        )


@dataclass(frozen=True)
class FinishedSystem:
    """A file of finished translations, by whatever system."""

    name: str
    translations: list[str]

    @classmethod
    def read(cls, path: Path, source: Path, sources: Sequence[str]) -> FinishedSystem:
        """A system named after its file, which has a line for each of the source.

        Raises:
            CorpusError: the file cannot be read, or has more or fewer lines than the source.
        """
        return cls(str(path), without_mark(read_beside(source, sources, path)))

    def run(self, sources: Sequence[str]) -> Outcome:
        """The translations, as they are."""
        assert len(sources) == len(self.translations)
        return Outcome(self.translations, {"system": self.name, "translations": self.name})


System = ModelSystem | FinishedSystem


def without_mark(lines: list[str]) -> list[str]:
    """The lines of a file without its byte order mark, which is no part of a word."""
    return [line.removeprefix("\ufeff") for line in lines[:1]] + lines[1:]


def _translate(translator: Translator, sources: Sequence[str]) -> list[Translation]:
    starts = range(0, len(sources), CHUNK_LINES)
    return [
        translation
        for start in track(
            starts, "translating", console=errors, transient=True, disable=not errors.is_terminal
        )
        for translation in translator.translate(sources[start : start + CHUNK_LINES])
    ]

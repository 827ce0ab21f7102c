"""A job in a test: a translator that shouts, a sink in memory, and a job from file to file.

Knows what `mt.jobs` asks of a translator. Does not know models: what becomes of a line can be said
without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from mt.config import JobConfig
from mt.jobs import Progress, one_by_one, open_part, run_job
from mt.system.streams import open_lines
from mt.translation import Alternative, Translation
from mt.translator import Translator


@dataclass
class Shouter:
    """Translates a text into capitals, its n-th alternative into capitals and n marks.

    The score is 1 / (1 + words); "?" in a text is flagged `question`, "!" is flagged `loud`.
    """

    calls: list[list[str]] = field(default_factory=list)
    """The texts of every call."""

    def translate(self, texts: Sequence[str], *, alternatives: int = 0) -> list[Translation]:
        self.calls.append(list(texts))
        return [self._translation(text, alternatives) for text in texts]

    def _translation(self, text: str, alternatives: int) -> Translation:
        flags = {name for mark, name in (("?", "question"), ("!", "loud")) if mark in text}
        score = 1 / (1 + len(text.split()))
        others = (
            Alternative(text.upper() + n * "!", score / (n + 1)) for n in range(1, alternatives + 1)
        )
        return Translation(text.upper(), score, frozenset(flags), alternatives=tuple(others))

    def as_translator(self) -> Translator:
        return cast(Translator, self)


@dataclass
class MemorySink:
    """Keeps what is written, and every promise."""

    progress: Progress = field(default_factory=Progress)
    content: bytes = b""
    commits: list[Progress] = field(default_factory=list)

    def write(self, content: bytes) -> None:
        self.content += content

    def commit(self, progress: Progress) -> None:
        self.commits.append(progress)


def shout(
    source: Path,
    output: Path,
    *,
    resume: bool = False,
    chunk_lines: int = 2,
    translator: Shouter | None = None,
    settings: dict[str, Any] | None = None,
    report: Callable[[int, int], None] = lambda lines, size: None,
    **options: Any,
) -> Progress:
    """Run a job from file to file, as mt-translate does."""
    shouter = (translator or Shouter()).as_translator()
    with (
        open_lines(source) as lines,
        open_part(output, settings or {}, {"threads": 1}, resume=resume) as part,
    ):
        done = run_job(
            one_by_one(shouter, JobConfig(**options)),
            lines,
            str(source),
            part,
            chunk_lines=chunk_lines,
            report=report,
        )
        part.finish()
    return done

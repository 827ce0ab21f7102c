"""How a whole file is read, and what is written for its lines.

Knows formats. Does not know how a line is translated, nor by how many processes.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from mt.config.options import Options


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

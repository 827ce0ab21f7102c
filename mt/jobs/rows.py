r"""What a line of input means, and how its translation is written.

Knows columns and JSON. Does not know files or models.

Columns are separated by tabs, all of them: there is no quoting, as in `cut` and in most corpora.
A translation has neither a tab nor a line end in it (see `mt.text`), so columns and lines stay.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from mt.config import JobConfig
from mt.errors import InputError

if TYPE_CHECKING:
    from mt.translation import Translation

LOW_SCORE = "low_score"
"""The translation of the line has a score below `min_score`."""

# JSON may hold these as they are, but many programs take them for line ends.
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}


class Row(NamedTuple):
    """One line of input."""

    cells: list[str]
    """Its columns; the whole line is one where no column is asked for."""
    place: int
    """Which of them is translated, counted from 0."""
    end: str
    r"""Its line end: "\n", "\r\n", or nothing on a last line without one."""

    @property
    def source(self) -> str:
        """What is to be translated."""
        return self.cells[self.place]


def read_row(line: str, where: str, config: JobConfig) -> Row:
    """Take a line apart; `where` is what messages call it.

    Raises:
        InputError: it does not have the column.
    """
    content = line.removesuffix("\n").removesuffix("\r")
    end = line[len(content) :]
    if config.column is None:
        return Row([content], 0, end)
    cells = content.split("\t")
    if config.column > len(cells):
        raise InputError(
            f"{where}: column {config.column} is to be translated, but the line has {len(cells)}"
        )
    return Row(cells, config.column - 1, end)


def check_rows(lines: Iterable[str], name: str, config: JobConfig) -> Iterator[str]:
    """The lines of a text as they come, so that those before a bad one are out when it is told.

    Args:
        name: what messages call the text.

    Raises:
        InputError: as `read_row`, or as `lines` does.
    """
    for number, line in enumerate(lines, start=1):
        read_row(line, f"{name}, line {number}", config)
        yield line


def find_line_flags(translation: Translation, config: JobConfig) -> list[str]:
    """The flags of a line in alphabetical order, LOW_SCORE among them."""
    low = [LOW_SCORE] if translation.score < config.min_score else []
    return sorted([*translation.flags, *low])


def write_row(
    number: int, row: Row, translation: Translation, flags: Collection[str], config: JobConfig
) -> str:
    """The line of output for a line of input.

    Args:
        number: of the line, counted from 1.
    """
    if config.format == "jsonl":
        return _json_line(number, row, translation, flags, config)
    if config.column is None or config.replace:
        cells = [*row.cells[: row.place], translation.text, *row.cells[row.place + 1 :]]
    else:
        cells = [*row.cells, translation.text]
    return "\t".join(cells) + row.end


def _json_line(
    number: int, row: Row, translation: Translation, flags: Collection[str], config: JobConfig
) -> str:
    value: dict[str, Any] = {
        "line": number,
        "source": row.source,
        "translation": translation.text,
        "score": _rounded(translation.score),
        "flags": list(flags),
    }
    if config.n_best > 1:
        value["alternatives"] = [
            {"text": each.text, "score": _rounded(each.score)} for each in translation.alternatives
        ]
    if config.column is not None:
        value["columns"] = row.cells
    return json.dumps(value, ensure_ascii=False, allow_nan=False).translate(_LINE_ENDS) + "\n"


def _rounded(score: float) -> float:
    # fp32 knows no more than this, and less noise compresses better.
    return round(score, 6)

"""Numbers as shades and figures on a terminal of 80 columns.

Knows cells of a terminal, of which a Chinese character takes two. Does not know what the numbers
are. A table too wide for the terminal goes on below, with its rows named again; nothing is cut but
the names of rows, whose number stays.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from scripts.console import errors

WIDTH = 80
NAME_WIDTH = 14
"""Of the name of a row, its number and the space behind it not counted."""
SHADES = " ░▒▓█"


class Column(NamedTuple):
    """One number a row."""

    title: str
    values: Sequence[float]
    most: float = 1.0
    """The value that is all black; 0 is white."""
    digits: int = 2
    """Digits behind the point."""


def table(names: Sequence[str], columns: Sequence[Column]) -> str:
    """Rows with a shade and a figure in each column."""
    width = 9
    fits = (WIDTH - _margin(names)) // width
    blocks = []
    for start in range(0, len(columns), fits):
        part = columns[start : start + fits]
        lines = [" " * _margin(names) + "".join(f"{each.title:>{width}}" for each in part)]
        for row, name in enumerate(numbered(names)):
            cells = (f"{shade(c.values[row], c.most) * 2} {_figure(c, row)}" for c in part)
            lines.append(name + "".join(f"{cell:>{width}}" for cell in cells))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def grid(names: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]]) -> str:
    """Shades alone, values[row][column] from 0 to 1; columns are numbered as `numbered` does."""
    width = len(str(len(columns))) + 1
    fits = (WIDTH - _margin(names)) // width
    blocks = []
    for start in range(0, len(columns), fits):
        part = range(start, min(start + fits, len(columns)))
        lines = [" " * _margin(names) + "".join(f"{number + 1:>{width}}" for number in part)]
        for name, row in zip(numbered(names), values, strict=True):
            shades = (" " + shade(row[number]) * (width - 1) for number in part)
            lines.append((name + "".join(shades)).rstrip())
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def shade(value: float, most: float = 1.0) -> str:
    """A character that is the darker the nearer a value comes to the most."""
    share = min(max(value / most, 0.0), 1.0) if most else 0.0
    return SHADES[round(share * (len(SHADES) - 1))]


def numbered(names: Sequence[str]) -> list[str]:
    """The names of rows with their numbers from 1, all of one width, the margin."""
    digits = len(str(len(names)))
    return [f"{n:>{digits}} {fitted(name, NAME_WIDTH)}" for n, name in enumerate(names, start=1)]


def fitted(name: str, width: int) -> str:
    """A name in so many cells; one that is longer ends in "…"."""
    name = printable(name)
    if cell_len(name) > width:
        name = set_cell_size(name, width - 1) + "…"
    return set_cell_size(name, width)


def printable(text: str) -> str:
    """A text in which "?" stands for what could move or colour a terminal."""
    return "".join("?" if unicodedata.category(char)[0] == "C" else char for char in text)


def wrapped(text: str) -> str:
    """Its lines, each as many of the terminal as it takes."""
    lines = (Text(printable(line)).wrap(errors, WIDTH) for line in text.split("\n"))
    return "\n".join(line.plain.rstrip() for several in lines for line in several)


def _margin(names: Sequence[str]) -> int:
    return len(str(len(names))) + 1 + NAME_WIDTH


def _figure(column: Column, row: int) -> str:
    return f"{column.values[row]:.{column.digits}f}"

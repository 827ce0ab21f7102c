"""mt-translate: translate a text file line by line, or standard input as it comes.

Reads bytes and ends a line at "\\n" only; line N in is line N out. Reads, translates and writes
some hundred lines at a time, so a file of any length fits in memory.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mt.errors import InputError
from scripts.console import Version, errors, program, run
from scripts.options import BeamSize, LengthPenalty, Model, Threads, load_translator

app = program("Translate text, line by line.")

CHUNK_LINES = 500
"""Lines translated together: enough to fill batches of equal length."""


@app.command()
def translate(
    model: Model = None,
    source: Annotated[
        Path | None,
        typer.Option("--input", metavar="F", help="UTF-8 text.  [default: standard input]"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Written whole or not at all.  [default: standard output]"),
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    threads: Threads = None,
    version: Version = False,
) -> None:
    """Translate text, line by line.

    White space, blank lines and line ends stay as they are. What deserves a second look is
    counted on standard error at the end.
    """
    # The input is opened first: a misspelt name should not wait for the model.
    with _reading(source) as lines:
        translator = load_translator(
            model, threads, beam_size=beam_size, length_penalty=length_penalty
        )
        with _writing(output) as file, _progress() as advance:
            flags: Counter[str] = Counter()
            for chunk in _chunks(lines):
                for translation in translator.translate(chunk):
                    file.write(translation.text.encode("utf-8"))
                    flags.update(translation.flags)
                file.flush()
                advance(len(chunk))
    if flags:
        summary = ", ".join(f"{name} {count:,}" for name, count in sorted(flags.items()))
        errors.print(f"lines flagged: {summary}")


def main() -> None:
    run(app)


@contextmanager
def _reading(path: Path | None) -> Iterator[Iterator[str]]:
    if path is None:
        yield _decoded(sys.stdin.buffer, "standard input")
        return
    with path.open("rb") as file:
        yield _decoded(file, str(path))


def _decoded(lines: Iterable[bytes], name: str) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x} "
                f"at column {error.start + 1})"
            ) from error


@contextmanager
def _writing(path: Path | None) -> Iterator[IO[bytes]]:
    """A file that takes its name only once all is written, or standard output."""
    if path is None:
        yield sys.stdout.buffer
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _chunks(lines: Iterator[str]) -> Iterator[list[str]]:
    # Someone typing wants an answer to each line.
    size = 1 if sys.stdin.isatty() else CHUNK_LINES
    while chunk := list(islice(lines, size)):
        yield chunk


@contextmanager
def _progress() -> Iterator[Any]:
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,} lines"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal or sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task("translating", total=None)
        yield lambda lines: bar.advance(task, lines)


if __name__ == "__main__":
    main()

"""mt-answer: answer questions by a model that was trained to, one a line.

Reads questions from standard input or as they are typed, and writes what the model says. How good
the answers are is `scripts.answers`'s.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mt.errors import ConfigError, InputError
from mt.jobs.chunks import CHUNK_LINES, Chunk, cut_chunks
from mt.questions import asked_of
from mt.system.streams import interruptible, open_lines, read_lines
from scripts.answers import Texts, evaluation, table
from scripts.console import Version, program, run, say
from scripts.loading import load_translator
from scripts.options import Decoding, decoding_options

if TYPE_CHECKING:
    from mt import Translation, Translator

SMALL_TALK = Path("small-talk")
"""The bundled model that answers questions."""

app = program("Answer questions, one a line.")


@app.command()
@decoding_options("beam_size")
def answer(
    *,
    model: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Model folder of a model that answers questions, or the name of a bundled one.",
        ),
    ] = SMALL_TALK,
    story: Annotated[
        Path | None,
        typer.Option(metavar="F", help="What all questions are about; it is put behind each."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="F",
            help="Questions, one a line; .gz and .xz are decompressed.  [default: standard input]",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Write JSON lines: question, answer, score and flags."),
    ] = False,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Answer the questions of a folder of texts instead, as mt-download babi makes "
            "one, and print the exact matches.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which text of that folder.  [default: test]"),
    ] = None,
    decoding: Decoding,
    version: Version = False,
) -> None:
    """Answer questions, line by line: line N in is line N out, and a blank one stays blank.

    On a terminal each question is answered as soon as it is typed; an empty line or Ctrl-D ends.
    A question with its story may stand on one line. Nothing is cut: one that is too long for the
    model is a mistake.

    With --evaluate DIR, which holds SPLIT.question.xz and SPLIT.answer.xz, and perhaps
    SPLIT.task.xz: exact match, letter case and white space apart, task by task, beside two rules
    that understand nothing: the most frequent answer of train.answer.xz, and what was mentioned
    last that answers anything there.
    """
    if evaluate is not None and (story or source):
        raise ConfigError("options: --evaluate brings its own questions: no --story or --input")
    if evaluate is None and split is not None:
        raise ConfigError("options: --split names a text of --evaluate, which is missing")
    if evaluate is None and source is None and sys.stdin is None:
        raise ConfigError("options: standard input is closed: give --input")
    texts = None if evaluate is None else Texts.read(evaluate, split or "test")
    told = "" if story is None else _whole(story)
    translator = load_translator([model], decoding, task="answer")
    if texts is not None:
        record = evaluation(texts, translator)
        print(json.dumps(record, ensure_ascii=False, indent=2) if as_json else table(record))
    elif source is None and sys.stdin.isatty():
        _converse(translator, told, as_json)
    else:
        _answer_lines(translator, told, source, as_json)


def main() -> None:
    run(app)


def _whole(path: Path) -> str:
    with open_lines(path) as lines:
        return " ".join(stripped for line in lines if (stripped := line.strip()))


def _answer_lines(translator: Translator, told: str, source: Path | None, as_json: bool) -> None:
    flagged: Counter[str] = Counter()
    name = str(source or "standard input")
    with _lines(source) as (lines, pause):
        for chunk in cut_chunks(lines, name, 1, CHUNK_LINES, pause):
            for question, found in _answers(translator, told, chunk):
                flagged.update(found.flags)
                print(_json(question, found) if as_json else found.text)
            sys.stdout.flush()
    if flagged:
        counts = ", ".join(f"{flag} {count:,}" for flag, count in sorted(flagged.items()))
        say(f"answers that deserve a second look: {counts}")


def _answers(translator: Translator, told: str, chunk: Chunk) -> Iterator[tuple[str, Translation]]:
    """The questions of a chunk and their answers, found together unless one is a mistake."""
    questions = [line.strip() for line in chunk.lines]
    try:
        found = translator.translate([asked_of(question, told) for question in questions])
    except InputError:
        yield from _singly(translator, told, chunk, questions)
    else:
        yield from zip(questions, found, strict=True)


def _singly(
    translator: Translator, told: str, chunk: Chunk, questions: Sequence[str]
) -> Iterator[tuple[str, Translation]]:
    """The answers in front of a mistake, which is then told with its line."""
    for number, question in enumerate(questions, start=chunk.first):
        try:
            yield question, _answer(translator, told, question)
        except InputError as error:
            raise InputError(f"{chunk.text}, line {number}: {error}") from error


@contextmanager
def _lines(source: Path | None) -> Iterator[tuple[Iterator[str], Callable[[], bool]]]:
    """Lines, and whether more of them would have to be waited for."""
    if source is None:
        with interruptible(sys.stdin.fileno()) as file:
            yield read_lines(file, "standard input"), file.idle
    else:
        with open_lines(source) as lines:
            yield lines, lambda: False


def _converse(translator: Translator, told: str, as_json: bool) -> None:
    say(f"{translator.name} answers; an empty line ends")
    while True:
        try:
            question = input("> ").strip()
        except EOFError:
            break
        except UnicodeDecodeError:
            say("error: that line is not UTF-8")
            continue
        if not question:
            break
        try:
            found = _answer(translator, told, question)
        except InputError as error:
            say(f"error: {error}")
            continue
        print(_json(question, found) if as_json else _remark(found), flush=True)


def _answer(translator: Translator, told: str, question: str) -> Translation:
    (found,) = translator.translate([asked_of(question, told)])
    return found


def _remark(found: Translation) -> str:
    flags = f"; {', '.join(sorted(found.flags))}" if found.flags else ""
    return f"{found.text}  ({found.score:.2f}{flags})"


def _json(question: str, found: Translation) -> str:
    record = {
        "question": question,
        "answer": found.text,
        "score": found.score,
        "flags": sorted(found.flags),
    }
    return json.dumps(record, ensure_ascii=False)


if __name__ == "__main__":
    main()

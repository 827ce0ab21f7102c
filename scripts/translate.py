"""mt-translate: translate a text line by line, from a file or as it comes, to a file or as it goes.

Composes a job of `mt.jobs` out of a file or standard input, a translator, and an unfinished file
that a later call can go on with, or standard output.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer

from mt.config import JobConfig, parse
from mt.errors import ConfigError, InputError
from mt.jobs import (
    CHUNK_LINES,
    Death,
    Preparation,
    Progress,
    Sink,
    Translate,
    Workers,
    check_rows,
    describe_job,
    one_by_one,
    open_part,
    part_path,
    run_job,
    survey,
)
from mt.system.streams import interruptible, open_lines, read_lines
from scripts.console import (
    Version,
    describe,
    forget_standard_output,
    program,
    run,
    say,
)
from scripts.corpora import translate_corpus
from scripts.loading import load_translator
from scripts.options import Decoding, Model, decoding_options, named, whole_path
from scripts.outputs import check_output
from scripts.progress import show_deaths, show_progress, show_summary

if TYPE_CHECKING:
    from mt import Translator

app = program("Translate text, line by line.")


@app.command()
@decoding_options()
def translate(
    *,
    model: Model = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            metavar="F",
            help="UTF-8 text; .gz and .xz are decompressed.  [default: -, standard input]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="F",
            help="Named F.part until it is whole; .gz and .xz are compressed.  "
            "[default: -, standard output]",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with F.part if there is one. Without this it is refused, not overwritten.",
        ),
    ] = False,
    column: Annotated[
        int | None, typer.Option(metavar="N", help=describe(JobConfig, "column"))
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help=describe(JobConfig, "replace"))
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="text|jsonl",
            help=describe(JobConfig, "format")
            + "  [default: jsonl for F.jsonl, F.jsonl.gz and F.jsonl.xz, else text]",
        ),
    ] = None,
    n_best: Annotated[
        int | None, typer.Option(metavar="N", help=describe(JobConfig, "n_best") + "  [default: 1]")
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(metavar="S", help=describe(JobConfig, "min_score") + "  [default: 0]"),
    ] = None,
    decoding: Decoding,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            metavar="N",
            help="Processes that translate side by side, each with a model and --threads of its "
            "own, which then default to 1. The output is the same.  [default: 1; with --ray as "
            "many as the cluster has room for]",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Translate on a Ray cluster, host:port of its head, auto or local. --input is a "
            "folder, of which all files are meant, or a quoted pattern; --output is a folder where "
            "they keep their names, and F.part a folder until all is done. Needs the extra [ray].",
        ),
    ] = None,
    version: Version = False,
) -> None:
    """Translate text, line by line: line N in is line N out.

    White space, blank lines and line ends stay as they are. From a pipe to a pipe, what has come is
    translated as soon as no more is there. A file is read through once before anything is
    translated, so that a mistake in its last line is told at once. What deserves a
    second look is counted on standard error at the end, with the numbers of the first such lines.

    Killed, stopped by Ctrl-C or by a full disk, a job keeps what it has written in F.part. With
    --resume it goes on to the same output, byte for byte. The lines that were translated, the
    model and the options must be the same; other lines may have changed.

    One of several --workers that dies, for want of memory for example, is replaced, and what it was
    at is done again and reported. Lines of which three have died end the job.
    """
    if inputs and len(inputs) > 1:
        raise ConfigError(f"options: --input is one file a job (found {len(inputs)})")
    source = inputs[0] if inputs else None
    source, output = (None if path == Path("-") else path for path in (source, output))
    if resume and output is None:
        raise ConfigError("--resume needs --output: standard output cannot be continued")
    job = _job_config(
        output,
        column=column,
        replace=replace,
        format=format,
        n_best=n_best,
        min_score=min_score,
    )
    alone = ray is None and workers in (None, 1)
    decoding = dataclasses.replace(
        decoding.from_any_folder(), threads=decoding.threads if alone else decoding.threads or 1
    )
    load = partial(load_translator, [whole_path(path) for path in model or []], decoding)
    if ray is None:
        _translate_text(load, job, source, output, workers or 1, resume)
    elif source is None or output is None:
        raise ConfigError("--ray needs --input and --output")
    else:
        signal.signal(signal.SIGTERM, _terminate)
        translate_corpus(load, job, ray, source, output, workers, decoding.threads or 1, resume)


def main() -> None:
    run(app)


def _translate_text(
    load: Callable[..., Translator],
    job: JobConfig,
    source: Path | None,
    output: Path | None,
    workers: int,
    resume: bool,
) -> None:
    from mt.system.shared_arrays import shared_file

    if output is None and sys.stdout is None:
        raise ConfigError("options: standard output is closed: give --output")
    if output is not None:
        _check_output(output, source)
    # The input is opened first: a misspelt name should not wait for the model.
    with _reading(source, job) as text, shared_file() as shared:
        if workers > 1:
            load = partial(load, shared=shared)
        translator = load()
        settings = describe_job(translator, job)
        deaths: list[Death] = []
        visible = output is not None or not sys.stdout.isatty()
        with (
            _writing(output, settings, translator.environment, resume) as sink,
            show_progress(text.size, visible=visible) as report,
            _side_by_side(workers, Preparation(load, job, settings), deaths)
            if workers > 1
            else nullcontext(one_by_one(translator, job)) as translate_chunks,
        ):
            done = run_job(
                translate_chunks,
                text.lines,
                text.name,
                sink,
                chunk_lines=text.chunk_lines,
                pause=text.pause if output is None else lambda: False,
                report=report,
            )
    show_summary(done)
    show_deaths(deaths)


def _check_output(output: Path, source: Path | None) -> None:
    read: list[Path | int] = []
    if source is not None:
        read = [source]
    elif sys.stdin is not None:
        read = [sys.stdin.fileno()]
    check_output(output, read)
    check_output(part_path(output), read)


def _job_config(output: Path | None, **given: Any) -> JobConfig:
    if given["format"] is None and output is not None:
        uncompressed = output.with_suffix("") if output.suffix in (".gz", ".xz") else output
        given["format"] = "jsonl" if uncompressed.suffix == ".jsonl" else None
    return parse(JobConfig, named(given), where="options")


class _Text(NamedTuple):
    """What is to be translated."""

    lines: Iterator[str]
    name: str
    size: int | None
    """Bytes of all lines; None if they are not known beforehand."""
    chunk_lines: int = CHUNK_LINES
    pause: Callable[[], bool] = lambda: False
    """Whether more lines would have to be waited for."""


@contextmanager
def _reading(path: Path | None, job: JobConfig) -> Iterator[_Text]:
    if path is None:
        if sys.stdin is None:
            raise ConfigError("options: standard input is closed: give --input")
        # Someone typing wants an answer to each line.
        chunk_lines = 1 if sys.stdin.isatty() else CHUNK_LINES
        name = "standard input"
        with interruptible(sys.stdin.fileno()) as file:
            lines = check_rows(read_lines(file, name), name, job)
            yield _Text(lines, name, None, chunk_lines, file.idle)
        return
    name, size = str(path), None
    if path.is_file():  # a pipe can be read only once
        with open_lines(path) as lines:
            size = survey(lines, name, job)
    with open_lines(path) as lines:
        yield _Text(check_rows(lines, name, job), name, size)


@contextmanager
def _writing(
    output: Path | None, settings: Mapping[str, Any], environment: Mapping[str, Any], resume: bool
) -> Iterator[Sink]:
    if output is None:
        yield _StandardOutput()
        return
    signal.signal(signal.SIGTERM, _terminate)
    with open_part(output, settings, environment, resume=resume) as part:
        if part.progress.lines:
            changes = ", ".join(f"{name} {change}" for name, change in part.changes.items())
            note = f"; scores may differ in their last digits, since {changes}" if changes else ""
            say(f"going on behind line {part.progress.lines:,}{note}")
        try:
            yield part
        except (KeyboardInterrupt, SystemExit, InputError):
            if part.progress.lines:
                say(
                    f"the first {part.progress.lines:,} lines are in {part.path}: "
                    "go on with --resume"
                )
            raise
        part.finish()


@contextmanager
def _side_by_side(
    workers: int, preparation: Preparation, deaths: list[Death]
) -> Iterator[Translate]:
    """Translates chunks in as many processes; those that die are added to `deaths`."""

    def report(death: Death) -> None:
        deaths.append(death)
        say(
            f"process {death.process_id} has died ({death.cause}), another one takes its place: "
            f"{death.task}"
        )

    with Workers(workers, preparation, report) as crew:
        yield crew.map


class _StandardOutput:
    """A sink that keeps nothing."""

    progress = Progress()

    def write(self, content: bytes) -> None:
        try:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            forget_standard_output()
            raise OSError(error.errno, error.strerror, "standard output") from error

    def commit(self, progress: Progress) -> None:
        pass


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()

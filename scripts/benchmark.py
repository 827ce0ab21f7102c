"""mt-benchmark: what things cost on this machine, each as a ratio to what it is compared with.

Prints a table, or one JSON record with --json; `cell`, and `service` without --table, print their
record. The commands that measure the service are in `scripts.benchmarks.serving`. All sides
of a comparison run in turn (A B A B ...) and medians are compared, since machines drift; a busy
machine is told on standard error. Ratios carry over to other machines, seconds do not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mt.config import SearchConfig, TrainingConfig
from mt.errors import InputError
from scripts.benchmarks import serving
from scripts.benchmarks.records import load_model, new_record, note, print_record
from scripts.console import Version, describe, program, run
from scripts.options import OneModel
from scripts.tables import text_table

app = program("Measure on this machine.")

Rounds = Annotated[int, typer.Option(min=1, help="Measurements of each kind.")]
Source = Annotated[Path, typer.Option(metavar="F", help="Source sentences, one a line.")]
Target = Annotated[Path, typer.Option(metavar="F", help="Their translations.")]
Sentences = Annotated[
    int | None, typer.Option(min=1, help="Take only the first so many.  [default: all]")
]
EngineNames = Annotated[
    list[str] | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="An engine to measure beside fp32; may be given again.  [default: int8, bf16]",
    ),
]
Against = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=DIR",
        help="Another program and its virtual environment, joeynmt=DIR or opennmt=DIR; may be "
        "given again. It gets the model's weights.",
    ),
]
Shortlist = Annotated[
    int,
    typer.Option(
        min=0,
        help="Measure each engine again with a shortlist: " + describe(SearchConfig, "shortlist"),
    ),
]
OneThread = Annotated[int, typer.Option(min=1, help="CPU threads of everyone.")]
Json = Annotated[bool, typer.Option("--json", help="Print the record instead of the table.")]


@app.callback()
def benchmark(version: Version = False) -> None:
    """Measure on this machine: a table, or a JSON record."""


@app.command()
def decode(
    source: Source,
    model: OneModel = None,
    reference: Annotated[
        Path | None, typer.Option(metavar="F", help="Their translations, for BLEU.")
    ] = None,
    sentences: Sentences = None,
    beam_size: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Beam; may be given again.  [default: 1 and 5]"),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sentences decoded together.")] = 32,
    engine: EngineNames = None,
    shortlist: Shortlist = 0,
    against: Against = None,
    rounds: Rounds = 5,
    threads: OneThread = 1,
    as_json: Json = False,
) -> None:
    """Sentences a second of each engine, of a bare torch loop and of other programs, with BLEU."""
    from mt.corpus import read_beside, read_lines
    from scripts.benchmarks.contest import open_systems
    from scripts.benchmarks.decode import Task, decoding_table, measure_decoding
    from scripts.benchmarks.systems import check_engines, read_sentences

    bundle = load_model(model)
    engines = check_engines(engine)
    ids = read_sentences(source, bundle.tokenizers.source, sentences)
    references = read_beside(source, read_lines(source), reference) if reference else None
    references = references and references[:sentences]
    task = Task(ids, references, batch_size, beam_size or [1, 5], rounds)
    with (
        open_systems(
            bundle, engines, against or [], shortlist=shortlist, threads=threads, note=note
        ) as systems,
        new_record("decode", bundle, threads, source=source) as record,
    ):
        record |= measure_decoding(systems, bundle, task)
    print_record(record, decoding_table, as_json)


@app.command()
def latency(
    source: Source,
    model: OneModel = None,
    sentences: Sentences = 100,
    beam_size: Annotated[int, typer.Option(min=1, help="Beam.")] = 5,
    engine: EngineNames = None,
    shortlist: Shortlist = 0,
    against: Against = None,
    rounds: Rounds = 3,
    threads: OneThread = 1,
    as_json: Json = False,
) -> None:
    """Milliseconds for one sentence, and seconds for mt-translate to start and translate a line."""
    from mt.corpus import read_lines
    from scripts.benchmarks.contest import open_systems
    from scripts.benchmarks.latency import latency_table, measure_cold_start, measure_latency
    from scripts.benchmarks.systems import check_engines, read_sentences

    bundle = load_model(model)
    engines = check_engines(engine)
    ids = read_sentences(source, bundle.tokenizers.source, sentences)
    search = bundle.config.search.model_copy(update={"beam_size": beam_size})
    with (
        open_systems(
            bundle, engines, against or [], shortlist=shortlist, threads=threads, note=note
        ) as systems,
        new_record("latency", bundle, threads, source=source) as record,
    ):
        record |= {"sentences": len(ids), "rounds": rounds, "beam_size": beam_size}
        record["systems"] = measure_latency(systems, ids, search, rounds=rounds)
        commands = _commands(engines, model, threads, beam_size)
        line = read_lines(source)[0]
        record["cold_start"] = measure_cold_start(commands, line, rounds=rounds)
    print_record(record, latency_table, as_json)


@app.command()
def train(
    source: Source,
    target: Target,
    model: OneModel = None,
    batch_tokens: Annotated[
        int, typer.Option(min=1, help=describe(TrainingConfig, "batch_tokens"))
    ] = TrainingConfig().batch_tokens,
    updates: Annotated[int, typer.Option(min=1, help="Optimisation steps in a round.")] = 4,
    against: Against = None,
    rounds: Rounds = 5,
    threads: OneThread = 1,
    as_json: Json = False,
) -> None:
    """Target tokens a second of a training step: ours, a bare torch loop's, other programs'."""
    from scripts.benchmarks.contest import open_learners
    from scripts.benchmarks.train import measure_training, read_corpus, training_table

    bundle = load_model(model)
    corpus = read_corpus(bundle, source, target)
    with (
        open_learners(bundle, corpus, against or [], threads=threads, note=note) as learners,
        new_record("train", bundle, threads, source=source) as record,
    ):
        record |= measure_training(
            learners, bundle, corpus, batch_tokens=batch_tokens, updates=updates, rounds=rounds
        )
    print_record(record, training_table, as_json)


@app.command()
def memory(
    source: Source,
    model: OneModel = None,
    lines: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Lines to translate; may be given again, rising.  [default: 1000 and 10000]",
        ),
    ] = None,
    beam_size: Annotated[int, typer.Option(min=1, help="Beam.")] = 5,
    engine: EngineNames = None,
    against: Against = None,
    threads: OneThread = 1,
    as_json: Json = False,
) -> None:
    """The most memory that mt-translate has, by engine, and its growth with the text."""
    from mt.corpus import read_lines
    from scripts.benchmarks.memory import measure_memory, measure_peers, memory_table
    from scripts.benchmarks.systems import check_engines

    bundle = load_model(model)
    engines = check_engines(engine)
    counts = sorted(lines or [1000, 10_000])
    text = read_lines(source)
    if not text:
        raise InputError(f"{source}: no lines")
    with new_record("memory", bundle, threads, source=source) as record:
        commands = _commands(engines, model, threads, beam_size)
        record["systems"] = measure_memory(commands, text, counts)
        record["systems"] += measure_peers(against or [], bundle, text, counts[0], beam_size)
    print_record(record, memory_table, as_json)


@app.command()
def scale(
    source: Source,
    target: Target,
    model: OneModel = None,
    pairs: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Pairs to train on, drawn from the text; may be given again, rising. Ten million "
            "take 1.5 gigabytes of the disk for a while.  [default: 1000 and 10000000]",
        ),
    ] = None,
    lines: Annotated[int, typer.Option(min=1, help="Pairs of text to tokenise.")] = 300_000,
    workers: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Processes that tokenise; may be given again.  [default: 1 and 2]"
        ),
    ] = None,
    rounds: Rounds = 3,
    threads: OneThread = 1,
    as_json: Json = False,
) -> None:
    """How soon a run on many pairs makes its first update, in how much memory."""
    from mt.bundle import find_model
    from scripts.benchmarks.scale import (
        Text,
        measure_preparation,
        measure_starts,
        preparation_table,
        starts_table,
    )
    from scripts.benchmarks.train import read_corpus

    bundle = load_model(model)
    text = Text(source, target, read_corpus(bundle, source, target))
    counts = sorted(pairs or [1000, 10_000_000])
    with new_record("scale", bundle, threads, source=source) as record:
        record |= {"rounds": rounds, "lines": lines}
        record["systems"] = measure_starts(
            bundle, find_model(model), text, counts, threads=threads, rounds=rounds
        )
        record["preparation"] = measure_preparation(
            bundle, text, lines, workers or [1, 2], rounds=rounds
        )
    print_record(record, starts_table, as_json)
    if not as_json:
        print(f"\n{text_table(*preparation_table(record))}")


@app.command()
def cell(rounds: Rounds = 15, threads: OneThread = 1) -> None:
    """A training step of each option of the memory cell against the fused standard one."""
    import torch

    from scripts.benchmarks.cell import measure_cells

    torch.set_num_threads(threads)
    print(json.dumps(measure_cells(rounds=rounds), indent=2))


for command in (serving.service, serving.overload, serving.soak, serving.failure):
    app.command()(command)


def main() -> None:
    run(app)


def _commands(
    engines: Sequence[str], model: Path | None, threads: int, beam_size: int
) -> dict[str, list[str]]:
    """Arguments of mt-translate for the reference engine and the others."""
    from scripts.benchmarks.systems import REFERENCE

    common = [f"--threads={threads}", f"--beam-size={beam_size}"]
    common += [f"--model={model}"] if model is not None else []
    return {name: [f"--engine={name}", *common] for name in dict.fromkeys((REFERENCE, *engines))}


if __name__ == "__main__":
    main()

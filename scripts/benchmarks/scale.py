"""How a training run on many pairs begins: seconds and memory, and how fast text is prepared.

Knows texts, arrays made of them, and child processes that begin a run (`start`). Large arrays are
pairs of a given text, drawn again and again, so their lengths are those of real text. The files
that stand for their text are as large as it would be, since each start hashes them, but hold
nothing (sparse). All files lie in the system's cache: a cold disk is slower.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mt.bundle import Bundle
from mt.config import DataConfig, Recipe, TrainingConfig
from mt.corpus import (
    Corpus,
    CorpusFolder,
    HeldOut,
    ParallelText,
    Survey,
    new_folder,
    prepare_files,
    read_pairs,
)
from mt.training.data import open_data
from scripts.benchmarks.memory import MEGABYTE
from scripts.benchmarks.programs import run_program
from scripts.benchmarks.timing import seconds_of, spread, take_turns

BLOCK = 100_000
"""Pairs written at once."""
VALIDATION = 100
"""Lines of the text, at most, that a run would validate on."""
STAGES = ("imports", "run_open", "first_update")
"""What a start consists of, in order; `run_open` is all but the epoch's order and the update."""


class Text(NamedTuple):
    """What large texts are drawn from."""

    source: Path
    target: Path
    corpus: Corpus
    """Its pairs, as ids of the model's tokenizers."""


def measure_starts(
    bundle: Bundle, model: Path, text: Text, counts: Sequence[int], *, threads: int, rounds: int
) -> list[dict[str, Any]]:
    """Seconds to the first update of a run on so many pairs, and memory at its end.

    Args:
        model: the bundle's folder; the runs start from it.
        counts: numbers of pairs, rising; memory is compared with that of the first.

    Raises:
        ConfigError: a process failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folders = {count: Path(name) / str(count) for count in counts}
        for count, folder in folders.items():
            recipe = _recipe(bundle, model, text, folder, threads)
            _write_arrays(recipe, bundle, text, count)
            (folder / "recipe.json").write_text(recipe.model_dump_json())
        starts: dict[int, list[dict[str, Any]]] = {count: [] for count in counts}
        for number in range(rounds):
            for count, folder in folders.items():
                starts[count].append(_start(folder, folder / f"run-{number}"))
    rows = [_row(answers) for answers in starts.values()]
    for row in rows:
        row["beyond_mb"] = row["peak_anonymous_mb"] - rows[0]["peak_anonymous_mb"]
    return rows


def measure_preparation(
    bundle: Bundle, text: Text, lines: int, workers: Sequence[int], *, rounds: int
) -> list[dict[str, Any]]:
    """Pairs a second of filtering and tokenising text into arrays, by number of processes.

    Args:
        lines: pairs to prepare, taken again from the text's start where it is too short.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = read_pairs([text.source], [text.target])
        paths = folder / "source", folder / "target"
        for path, side in zip(paths, sides, strict=True):
            _write_lines(path, islice(cycle(side), lines))
        long = ParallelText((paths[0],), (paths[1],))
        survey = Survey.of(long)
        prepare = partial(_prepare, long, survey, bundle, _data_config(bundle, *paths), folder)
        measures = {count: partial(seconds_of, partial(prepare, count)) for count in workers}
        taken = take_turns(measures, rounds=rounds)
    return [
        {"workers": count, "pairs_per_s": spread([lines / each for each in seconds])}
        for count, seconds in taken.items()
    ]


def starts_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each number of pairs."""
    header = ["pairs", "start s", "low", "high", *(f"{stage} s" for stage in STAGES)]
    header += ["anonymous MB", "at most", "beyond", "mapped MB", "model MB"]
    return header, [
        [
            f"{row['pairs']:,}",
            *(f"{row['start_s'][part]:.2f}" for part in ("median", "low", "high")),
            *(f"{row['stages_s'][stage]:.2f}" for stage in STAGES),
            *(
                f"{row[name]:.0f}"
                for name in (
                    "anonymous_mb",
                    "peak_anonymous_mb",
                    "beyond_mb",
                    "mapped_mb",
                    "model_mb",
                )
            ),
        ]
        for row in record["systems"]
    ]


def preparation_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each number of processes."""
    return ["processes", "pairs/s", "low", "high"], [
        [
            str(row["workers"]),
            *(f"{row['pairs_per_s'][part]:,.0f}" for part in ("median", "low", "high")),
        ]
        for row in record["preparation"]
    ]


def _data_config(bundle: Bundle, source: Path, target: Path) -> DataConfig:
    return DataConfig(
        source_language=bundle.config.source_language,
        target_language=bundle.config.target_language,
        train_source=(source,),
        train_target=(target,),
    )


def _recipe(bundle: Bundle, model: Path, text: Text, folder: Path, threads: int) -> Recipe:
    """Of a run whose files lie in a folder, which this makes with the text to validate on."""
    folder.mkdir()
    valid = folder / "valid.source", folder / "valid.target"
    for path, side in zip(valid, read_pairs([text.source], [text.target]), strict=True):
        _write_lines(path, side[:VALIDATION])
    data = _data_config(bundle, folder / "train.source", folder / "train.target")
    places = {"valid_source": valid[0], "valid_target": valid[1], "prepared": folder / "prepared"}
    return Recipe(
        name="scale",
        init_from=model.resolve(),
        data=data.model_copy(update=places),
        model=bundle.config.model,
        training=TrainingConfig(device="cpu", threads=threads),
    )


def _write_arrays(recipe: Recipe, bundle: Bundle, text: Text, count: int) -> None:
    """What the recipe trains on: arrays of so many pairs, and files in place of their text."""
    data = recipe.data
    assert data.prepared is not None
    assert data.valid_source is not None
    assert data.valid_target is not None
    # The record is that of a small text, but for its hashes.
    small = {"train_source": (data.valid_source,), "train_target": (data.valid_target,)}
    few = recipe.model_copy(update={"data": data.model_copy(update=small)})
    with open_data(few, data.prepared.parent, bundle.tokenizers, lambda *progress: None):
        pass
    record = CorpusFolder(data.prepared).record
    for side, (path,), real in (
        ("source", data.train_source, text.source),
        ("target", data.train_target, text.target),
    ):
        with path.open("wb+") as file:
            file.truncate(real.stat().st_size * count // len(text.corpus))
            record["origin"][side] = [{"sha256": hashlib.file_digest(file, "sha256").hexdigest()}]
    random = np.random.default_rng(1)
    with new_folder(data.prepared, with_text=False) as new:
        for start in range(0, count, BLOCK):
            numbers = random.integers(len(text.corpus), size=min(BLOCK, count - start))
            pairs = text.corpus.source.take(numbers), text.corpus.target.take(numbers)
            new.append(*pairs, ([], []))
        new.finish(record, text.corpus.report, bundle.tokenizers, ([], []))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def _start(folder: Path, output: Path) -> dict[str, Any]:
    answer = folder / "answer.json"
    given = [answer, folder / "recipe.json", output, time.time()]
    run_program("scripts.benchmarks.start", [str(each) for each in given])
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def _row(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    ends = [[0.0, *(answer["seconds"][stage] for stage in STAGES)] for answer in answers]
    stages = np.diff(ends, axis=1).T.tolist()
    memory = {
        f"{name}_mb": statistics.median(answer["bytes"][name] for answer in answers) / MEGABYTE
        for name in ("anonymous", "peak_anonymous", "mapped")
    }
    return {
        "pairs": answers[0]["pairs"],
        "start_s": spread([each[-1] for each in ends]),
        "stages_s": dict(zip(STAGES, map(statistics.median, stages), strict=True)),
        **memory,
        # A weight, its gradient and Adam's two averages, of 4 bytes each.
        "model_mb": 16 * answers[0]["parameters"] / MEGABYTE,
    }


def _prepare(
    text: ParallelText,
    survey: Survey,
    bundle: Bundle,
    config: DataConfig,
    folder: Path,
    workers: int,
) -> None:
    with new_folder(folder / "prepared", with_text=False) as new:
        report = prepare_files(
            text, survey, HeldOut(([], [])), bundle.tokenizers, config, new, workers=workers
        )
        new.finish({}, report, bundle.tokenizers, ([], []))

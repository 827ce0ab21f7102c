"""How fast and how well a test text is decoded: each engine, a bare torch loop, other programs.

Knows systems, rounds and scores. All translate the same token ids in the same batches, one thread
each, in turn; outputs and scores are those of the first round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from mt.bundle import Bundle
from mt.scoring import bleu, words_of
from scripts.benchmarks.limits import Limits, Work, work_of
from scripts.benchmarks.systems import REFERENCE, BareSystem, System, sorted_batches
from scripts.benchmarks.timing import spread, take_turns, times_as_fast

Tokens = Sequence[int]


class Task(NamedTuple):
    """What is to be translated."""

    sentences: Sequence[Tokens]
    references: Sequence[str] | None
    batch_size: int
    beams: Sequence[int]
    rounds: int


def measure_decoding(systems: Sequence[System], bundle: Bundle, task: Task) -> dict[str, Any]:
    """Speed, ratios, share of the limit, BLEU and agreement of each system at each beam size.

    Args:
        systems: those to compare; the reference engine is one of them.
        bundle: the model that all of them have.
    """
    rows = []
    for beam_size in task.beams:
        able = [each for each in systems if beam_size == 1 or not isinstance(each, BareSystem)]
        found = _compare(able, bundle, task, beam_size)
        rows += [_row(each, found, bundle, task) for each in able]
    return {
        "sentences": len(task.sentences),
        "source_tokens": sum(map(len, task.sentences)),
        "batch_size": task.batch_size,
        "rounds": task.rounds,
        "multiply_adds": _work(bundle)._asdict(),
        "systems": rows,
    }


class _Run(NamedTuple):
    """One system."""

    seconds: list[float]
    """Of each round."""
    outputs: list[list[int]]
    """In the order of the sentences."""

    @property
    def tokens(self) -> int:
        return sum(map(len, self.outputs))


def decoding_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each system and beam size."""
    rows = record["systems"]
    compared = list(dict.fromkeys(row["system"] for row in rows))
    header = ["system", "beam", "sentences/s", "low", "high", "tokens/s"]
    header += [f"x {name}" for name in compared]
    header += ["limit GFLOP/s", "of limit", "BLEU", "length", "equal"]
    return header, [_cells(row, compared) for row in rows]


class _Comparison(NamedTuple):
    """All systems at one beam size."""

    beam_size: int
    runs: dict[str, _Run]
    """By the name of the system."""
    limits: Limits
    """Measured in the same rounds."""


def _compare(systems: Sequence[System], bundle: Bundle, task: Task, beam_size: int) -> _Comparison:
    search = bundle.config.search.model_copy(update={"beam_size": beam_size})
    batches, places = sorted_batches(task.sentences, task.batch_size)
    outputs: dict[str, list[list[int]]] = {}
    limits = Limits()

    def measure(system: System) -> float:
        outcome = system.translate(batches, search)
        outputs.setdefault(system.name, outcome.outputs)
        return outcome.seconds

    for system in systems:
        system.translate(batches[-1:], search)  # what a first call prepares is not measured
    measures: dict[str, Callable[[], float]] = {s.name: partial(measure, s) for s in systems}
    taken = take_turns({**measures, "limit": limits.measure}, rounds=task.rounds)
    runs = {
        name: _Run(taken[name], [outputs[name][place] for place in places]) for name in measures
    }
    return _Comparison(beam_size, runs, limits)


def _row(system: System, found: _Comparison, bundle: Bundle, task: Task) -> dict[str, Any]:
    run, reference = found.runs[system.name], found.runs[REFERENCE]
    sentences = len(task.sentences)
    operations = 2e-9 * _products(run, found.beam_size, bundle, task)
    gflops = [operations / seconds for seconds in run.seconds]
    equal = sum(mine == its for mine, its in zip(run.outputs, reference.outputs, strict=True))
    row = {
        "system": system.name,
        "beam_size": found.beam_size,
        "sentences_per_s": spread([sentences / seconds for seconds in run.seconds]),
        "tokens_per_s": spread([run.tokens / seconds for seconds in run.seconds]),
        "times_as_fast": {
            name: times_as_fast(run.seconds, other.seconds) for name, other in found.runs.items()
        },
        "limit_gflops": found.limits.median(system.precision),
        "share_of_limit": found.limits.share(system.precision, gflops),
        "length_ratio": run.tokens / max(reference.tokens, 1),
        "equal_outputs": equal / sentences,
    }
    if task.references is not None:
        words = words_of(bundle.config.target_language)
        translations = bundle.tokenizers.target.decode(run.outputs)
        score = bleu(translations, task.references, words=words)
        row |= {"bleu": score.value, "signature": score.signature}
    return row


def _products(run: _Run, beam_size: int, bundle: Bundle, task: Task) -> int:
    """Multiply-adds that the outputs took.

    Counted are the positions of the best hypotheses, end tokens included, in every row of the beam.
    What a search does beyond that counts for nothing, so that no share is overstated.
    """
    work, ends = _work(bundle), len(task.sentences)
    source = sum(map(len, task.sentences)) + ends
    return work.source * source + work.target * beam_size * (run.tokens + ends)


def _work(bundle: Bundle) -> Work:
    return work_of(bundle.config.model, len(bundle.tokenizers.target), folded=True)


def _cells(row: dict[str, Any], compared: Sequence[str]) -> list[str]:
    speed, ratios = row["sentences_per_s"], row["times_as_fast"]
    return [
        row["system"],
        str(row["beam_size"]),
        *(f"{speed[part]:.1f}" for part in ("median", "low", "high")),
        f"{row['tokens_per_s']['median']:,.0f}",
        *(f"{ratios[name]:.2f}" if name in ratios else "-" for name in compared),
        f"{row['limit_gflops']:.0f}",
        f"{row['share_of_limit']:.0%}",
        f"{row['bleu']:.2f}" if "bleu" in row else "-",
        f"{row['length_ratio']:.3f}",
        f"{row['equal_outputs']:.1%}",
    ]

"""How long one sentence takes: of a loaded model, and of a program started for it.

Knows systems, single sentences and child processes. Sentences are taken in turn by all systems.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mt.config import SearchConfig
from scripts.benchmarks.programs import run_program
from scripts.benchmarks.systems import BareSystem, System
from scripts.benchmarks.timing import percentile, seconds_of, spread, take_turns

Tokens = Sequence[int]

PROGRAM = "scripts.translate"


def measure_latency(
    systems: Sequence[System], sentences: Sequence[Tokens], search: SearchConfig, *, rounds: int
) -> list[dict[str, Any]]:
    """Milliseconds for one sentence at a time: median and 95th percentile over all of them.

    Args:
        sentences: token ids; each is translated by itself, `rounds` times by every system.
    """
    able = [each for each in systems if search.beam_size == 1 or not isinstance(each, BareSystem)]
    for system in able:
        system.translate([[sentences[0]]], search)
    taken: dict[str, list[float]] = {system.name: [] for system in able}
    for sentence in sentences:
        measures: dict[str, Callable[[], float]] = {
            system.name: partial(_seconds, system, sentence, search) for system in able
        }
        for name, seconds in take_turns(measures, rounds=rounds).items():
            taken[name] += seconds
    return [_row(name, taken) for name in taken]


def measure_cold_start(
    arguments: Mapping[str, Sequence[str]], line: str, *, rounds: int
) -> list[dict[str, Any]]:
    """Seconds for a process of mt-translate to start, translate one line and end.

    Args:
        arguments: those of mt-translate, by the name of the system they make it.

    Raises:
        ConfigError: a process failed.
    """
    stdin = f"{line}\n".encode()
    measures = {
        name: partial(seconds_of, partial(run_program, PROGRAM, given, stdin=stdin))
        for name, given in arguments.items()
    }
    taken = take_turns(measures, rounds=rounds)
    return [{"system": name, "seconds": spread(seconds)} for name, seconds in taken.items()]


def latency_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each system."""
    cold = {row["system"]: row["seconds"]["median"] for row in record["cold_start"]}
    compared = [row["system"] for row in record["systems"]]
    header = ["system", "p50 ms", "p95 ms", *(f"x {name}" for name in compared), "cold start s"]
    return header, [
        [
            row["system"],
            f"{row['p50_ms']:.1f}",
            f"{row['p95_ms']:.1f}",
            *(f"{row['times_as_fast'][name]:.2f}" for name in compared),
            f"{cold[row['system']]:.2f}" if row["system"] in cold else "-",
        ]
        for row in record["systems"]
    ]


def _seconds(system: System, sentence: Tokens, search: SearchConfig) -> float:
    return system.translate([[sentence]], search).seconds


def _row(name: str, taken: Mapping[str, list[float]]) -> dict[str, Any]:
    p50 = {each: percentile(seconds, 0.5) for each, seconds in taken.items()}
    return {
        "system": name,
        "p50_ms": 1000 * p50[name],
        "p95_ms": 1000 * percentile(taken[name], 0.95),
        "times_as_fast": {each: its / p50[name] for each, its in p50.items()},
    }

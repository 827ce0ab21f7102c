"""How much memory mt-translate needs at most, and how that grows with the text.

Knows child processes of the program, each measured by `peak`. Does not know engines: what makes one
run differ from another is its arguments.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mt.bundle import Bundle
from scripts.benchmarks.peers.process import start_peer
from scripts.benchmarks.programs import run_program
from scripts.benchmarks.systems import sorted_batches

MEGABYTE = 1e6
PEER_BATCH = 32


def measure_memory(
    arguments: Mapping[str, Sequence[str]], lines: Sequence[str], counts: Sequence[int]
) -> list[dict[str, Any]]:
    """Peak megabytes of mt-translate for texts of so many lines, and by how much it grows.

    Args:
        arguments: those of mt-translate, by the name of the system they make it.
        lines: the text, taken again from its start where it is too short.
        counts: lines to translate, rising.

    Raises:
        ConfigError: a process failed.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        for name, given in arguments.items():
            peaks = []
            for count in counts:
                with text.open("w", encoding="utf-8") as file:
                    file.writelines(
                        f"{line}\n" for line in itertools.islice(itertools.cycle(lines), count)
                    )
                peaks.append(_peak([*given, "--input", str(text)]) / MEGABYTE)
            by_count = {str(count): peak for count, peak in zip(counts, peaks, strict=True)}
            rows.append({"system": name, "peak_mb": by_count, "growth_mb": peaks[-1] - peaks[0]})
    return rows


def measure_peers(
    against: Sequence[str], bundle: Bundle, lines: Sequence[str], count: int, beam_size: int
) -> list[dict[str, Any]]:
    """Peak megabytes of other programs for so many lines; they get token ids and hold no text."""
    search = bundle.config.search.model_copy(update={"beam_size": beam_size})
    text = list(itertools.islice(itertools.cycle(lines), count))
    batches, _ = sorted_batches(bundle.tokenizers.source.encode(text), PEER_BATCH)
    rows = []
    for each in against:
        with start_peer(each, bundle) as peer:
            peer.translate(batches, search)
            peak = peer.peak_memory() / MEGABYTE
        rows.append({"system": peer.name, "peak_mb": {str(count): peak}, "growth_mb": None})
    return rows


def memory_table(record: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each system."""
    counts = list(record["systems"][0]["peak_mb"])
    header = ["system", *(f"MB, {int(count):,} lines" for count in counts), "growth MB"]
    return header, [
        [
            row["system"],
            *(
                f"{row['peak_mb'][count]:.0f}" if count in row["peak_mb"] else "-"
                for count in counts
            ),
            f"{row['growth_mb']:.1f}" if row["growth_mb"] is not None else "-",
        ]
        for row in record["systems"]
    ]


def _peak(arguments: Sequence[str]) -> int:
    """Bytes; of the program's own process, not of processes that it starts."""
    with tempfile.NamedTemporaryFile("r") as answer:
        run_program("scripts.benchmarks.peak", [answer.name, "scripts.translate", *arguments])
        return int(answer.read())

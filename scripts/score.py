"""mt-score: how likely a model, or an ensemble, finds translations that are there already.

Reads parallel text and writes a line for each pair. What such a line says is `mt.likelihood`'s.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from mt.corpus import read_pairs
from mt.likelihood import SCORED, PairScore
from scripts.console import Version, errors, program, run
from scripts.options import Engine, LengthPenalty, Model, Threads, load_translator

app = program("Score given translations by a model.")

CHUNK_LINES = 500
"""Pairs scored together: enough to fill batches of equal length."""


@app.command()
def score(
    source: Annotated[Path, typer.Option(metavar="F", help="Source text, .gz or .xz too.")],
    target: Annotated[Path, typer.Option(metavar="F", help="Its translations, line by line.")],
    model: Model = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON lines, with every piece.")
    ] = False,
    length_penalty: LengthPenalty = None,
    engine: Engine = None,
    threads: Threads = None,
    version: Version = False,
) -> None:
    """Score given translations by a model.

    Writes a line for each pair of lines: natural log-probability of the target with its end, number
    of its pieces with its end, score as the search ranks by, and status, with tabs between. A pair
    is never split. One that cannot be scored has its status alone: blank, too_long or
    unknown_characters.

    The perplexity of a piece, over all pairs scored, stands on standard error at the end.
    """
    sources, targets = read_pairs([source], [target])
    translator = load_translator(model, threads, engine, length_penalty=length_penalty)
    total, pieces = 0.0, 0
    statuses: Counter[str] = Counter()
    for start in _progress(len(sources)):
        chunk = slice(start, start + CHUNK_LINES)
        for pair in translator.score(sources[chunk], targets[chunk]):
            print(_json(pair) if as_json else _row(pair))
            statuses[pair.status] += 1
            if pair.status == SCORED:
                total += pair.log_probability
                pieces += len(pair.pieces)
    errors.print(_summary(total, pieces, statuses))


def main() -> None:
    run(app)


def _progress(lines: int) -> Iterable[int]:
    """Where each chunk starts, with a bar unless the results go to the same terminal."""
    return track(
        range(0, lines, CHUNK_LINES),
        "scoring",
        console=errors,
        transient=True,
        disable=not errors.is_terminal or sys.stdout.isatty(),
    )


def _row(pair: PairScore) -> str:
    if pair.status != SCORED:
        return f"\t\t\t{pair.status}"
    return f"{pair.log_probability:.4f}\t{len(pair.pieces)}\t{pair.score:.4f}\t{pair.status}"


def _json(pair: PairScore) -> str:
    scored = pair.status == SCORED
    record = {
        "status": pair.status,
        "log_probability": pair.log_probability if scored else None,
        "score": pair.score if scored else None,
        "pieces": pair.pieces,
        "log_probabilities": pair.log_probabilities,
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def _summary(total: float, pieces: int, statuses: Counter[str]) -> str:
    left_out = statuses - Counter({SCORED: statuses[SCORED]})
    lines = []
    if pieces:
        lines.append(
            f"perplexity {math.exp(-total / pieces):.3f} over {pieces:,} pieces of "
            f"{statuses[SCORED]:,} lines"
        )
    if left_out:
        counts = ", ".join(f"{status} {count:,}" for status, count in sorted(left_out.items()))
        lines.append(f"lines not scored: {counts}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

"""mt-score: how likely a model, or an ensemble, finds texts that are there already.

Reads parallel text, or for a language model text alone, and writes a line for each pair or line.
What such a line says is `mt.likelihood`'s, and `mt.language_model`'s.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track

from mt.bundle import Bundle, find_model, load_bundle
from mt.config import EngineConfig
from mt.corpus import Pairs, read_lines, read_pairs
from mt.errors import ConfigError
from mt.likelihood import SCORED, PairScore
from scripts.console import Version, errors, program, run, say
from scripts.loading import load_translator
from scripts.options import Decoding, Model, decoding_options

if TYPE_CHECKING:
    from mt import Translator
    from mt.language_model import LineScore

app = program("Score given texts by a model.")

CHUNK_LINES = 500
"""Lines scored together: enough to fill batches of equal length."""


@app.command()
@decoding_options("length_penalty")
def score(
    *,
    target: Annotated[Path, typer.Option(metavar="F", help="Text to score, .gz or .xz too.")],
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="F", help="What it translates, line by line; not for language models."
        ),
    ] = None,
    model: Model = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write JSON lines, with every piece.")
    ] = False,
    decoding: Decoding,
    version: Version = False,
) -> None:
    """Score given translations by a model, or sentences by a language model.

    Writes a line for each pair of lines: natural log-probability of the target with its end, number
    of its pieces with its end, score as the search ranks by, and status, with tabs between. A pair
    is never split. One that cannot be scored has its status alone: blank, too_long or
    unknown_characters. A language model scores each line of the target by itself, and has the
    number of words, between white space, in the place of the score.

    The perplexity of a piece, over all that is scored, stands on standard error at the end; by a
    language model that of a word too.
    """
    if source is None:
        if decoding.search:
            raise ConfigError("options: --length-penalty needs --source")
        _score_lines(_language_model(model), read_lines(target), decoding, as_json)
        return
    pairs = read_pairs([source], [target])
    translator = load_translator(model or [], decoding)
    _score_pairs(translator, pairs, as_json)


def main() -> None:
    run(app)


def _language_model(model: Sequence[Path] | None) -> Bundle:
    """The one that is meant, where there is no source."""
    folder = model[0] if model else None
    bundle = load_bundle(find_model(folder))
    if bundle.config.task != "continue" or (model and len(model) > 1):
        raise ConfigError(
            "options: --source is missing, which only one language model goes without"
        )
    return bundle


def _score_pairs(translator: Translator, pairs: Pairs, as_json: bool) -> None:
    total, pieces = 0.0, 0
    statuses: Counter[str] = Counter()
    for start in _progress(len(pairs[0])):
        chunk = slice(start, start + CHUNK_LINES)
        for pair in translator.score(*(side[chunk] for side in pairs)):
            print(_json(pair) if as_json else _row(pair))
            statuses[pair.status] += 1
            if pair.status == SCORED:
                total += pair.log_probability
                pieces += len(pair.pieces)
    say(_summary(total, pieces, statuses))


def _score_lines(
    bundle: Bundle,
    lines: Sequence[str],
    decoding: Decoding,
    as_json: bool,
) -> None:
    from mt.language_model import LanguageModel, perplexity

    model = LanguageModel.from_bundle(
        bundle, engine=decoding.engine or EngineConfig().engine, threads=decoding.threads
    )
    scores: list[LineScore] = []
    for start in _progress(len(lines)):
        scores += model.score(lines[start : start + CHUNK_LINES])
        for each in scores[start:]:
            print(_line_json(each) if as_json else _line_row(each))
    statuses = Counter(each.status for each in scores)
    whole = ""
    if statuses[SCORED]:
        found = perplexity(scores)
        whole = f"perplexity {found.word:.3f} over {found.words:,} words"
    total = sum(each.log_probability for each in scores if each.status == SCORED)
    say(_summary(total, sum(len(each.pieces) for each in scores), statuses, whole))


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


def _line_row(line: LineScore) -> str:
    if line.status != SCORED:
        return f"\t\t\t{line.status}"
    return f"{line.log_probability:.4f}\t{len(line.pieces)}\t{line.words}\t{line.status}"


def _line_json(line: LineScore) -> str:
    record = {
        "status": line.status,
        "log_probability": line.log_probability if line.status == SCORED else None,
        "words": line.words,
        "pieces": line.pieces,
        "log_probabilities": line.log_probabilities,
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def _summary(total: float, pieces: int, statuses: Counter[str], words: str = "") -> str:
    left_out = statuses - Counter({SCORED: statuses[SCORED]})
    lines = []
    if pieces:
        lines.append(
            f"perplexity {math.exp(-total / pieces):.3f} over {pieces:,} pieces of "
            f"{statuses[SCORED]:,} lines"
        )
    if words:
        lines.append(words)
    if left_out:
        counts = ", ".join(f"{status} {count:,}" for status, count in sorted(left_out.items()))
        lines.append(f"lines not scored: {counts}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

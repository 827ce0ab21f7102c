"""mt-evaluate: translate a test set and score it by sacreBLEU.

Evaluates what users get: the model folder's stored weights with its own decoding defaults.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track

from mt.corpus import read_pairs
from scripts.console import Version, errors, program, run
from scripts.options import BeamSize, LengthPenalty, Model, Threads, load_translator

if TYPE_CHECKING:
    from mt import Translation, Translator

app = program("Score a model on a test set.")

CHUNK_LINES = 500
"""Lines translated between two moves of the progress bar."""


@app.command()
def evaluate(
    source: Annotated[Path, typer.Option(metavar="F", help="Text to translate, .gz or .xz too.")],
    reference: Annotated[Path, typer.Option(metavar="F", help="Its translations, line by line.")],
    model: Model = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON record instead of a table.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="F", help="Also keep the translations here.")
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    threads: Threads = None,
    version: Version = False,
) -> None:
    """Score a model on a test set.

    BLEU and chrF, cased and lower-cased, each with its sacreBLEU signature and a 95 % bootstrap
    interval.
    """
    sources, references = read_pairs([source], [reference])
    translator = load_translator(model, threads, beam_size=beam_size, length_penalty=length_penalty)
    started = time.perf_counter()
    translations = _translate(translator, sources)
    seconds = time.perf_counter() - started
    if output is not None:
        output.write_bytes("".join(f"{t.text}\n" for t in translations).encode())
    record = _record(translator, translations, references, seconds) | {
        "source": str(source),
        "reference": str(reference),
    }
    if as_json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
    else:
        print(_table(record), _footnote(record), sep="\n")


def main() -> None:
    run(app)


def _translate(translator: Translator, sources: Sequence[str]) -> list[Translation]:
    starts = range(0, len(sources), CHUNK_LINES)
    return [
        translation
        for start in track(
            starts, "translating", console=errors, transient=True, disable=not errors.is_terminal
        )
        for translation in translator.translate(sources[start : start + CHUNK_LINES])
    ]


def _record(
    translator: Translator,
    translations: Sequence[Translation],
    references: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    from mt.scoring import evaluate as score

    flags = Counter(flag for translation in translations for flag in translation.flags)
    scores = score([translation.text for translation in translations], references)
    return {
        "model": translator.name,
        "weights": translator.identity,
        "engine": translator.engine,
        "search": translator.search_config.model_dump(),
        "lines": len(translations),
        "seconds": round(seconds, 3),
        "scores": {
            name: {
                "value": round(each.value, 2),
                "low": None if each.low is None else round(each.low, 2),
                "high": None if each.high is None else round(each.high, 2),
                "signature": each.signature,
            }
            for name, each in scores.items()
        },
        "flags": dict(sorted(flags.items())),
    }


_TITLES = {
    "bleu": "BLEU",
    "bleu_lc": "BLEU, lower-cased",
    "chrf": "chrF2",
    "chrf_lc": "chrF2, lower-cased",
}


def _table(record: dict[str, Any]) -> str:
    # Lines rather than a drawn table: a signature must not be broken to fit the terminal.
    lines = [f"{record['model']}, {record['lines']:,} lines"]
    for name, score in record["scores"].items():
        interval = f"{score['low']:.2f} to {score['high']:.2f}"
        lines.append(
            f"{_TITLES[name]:<18}  {score['value']:>6.2f}  95 % interval {interval:<16}  "
            f"{score['signature']}"
        )
    return "\n".join(lines)


def _footnote(record: dict[str, Any]) -> str:
    search = record["search"]
    flags = ", ".join(f"{name} {count:,}" for name, count in record["flags"].items()) or "none"
    return (
        f"beam {search['beam_size']}, length penalty {search['length_penalty']:g}, "
        f"engine {record['engine']}, weights {record['weights'][:12]}\n"
        f"{record['lines'] / record['seconds']:,.0f} lines a second; flags: {flags}"
    )


if __name__ == "__main__":
    main()

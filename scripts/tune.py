"""mt-tune: weights for rescoring models, found on validation text.

Decodes the text and asks the models once; then only sums and BLEU are computed, for every
combination of weights that `mt.reranking.tune` tries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.errors import ConfigError
from scripts.console import Version, program, run
from scripts.evaluation import TestText, text_record
from scripts.loading import load_translator
from scripts.options import Decoding, Model, decoding_options

if TYPE_CHECKING:
    from mt import Translator
    from mt.scoring import Score

app = program("Find the weights of rescoring models on validation text.")

RESCORING = ("reverse_model", "right_to_left_model", "language_model")
"""Fields of `RerankConfig` that name the models."""
MODEL_GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
"""Weights to try for another model; the model's own score has 1."""
LENGTH_GRID = (-0.2, -0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1, 0.2)
"""Weights to try for each piece of a translation."""

Weights = Mapping[str, float]


@app.command()
@decoding_options(*RESCORING, "beam_size", "length_penalty")
def tune(
    *,
    source: Annotated[
        Path, typer.Option(metavar="F", help="Validation text to translate, .gz or .xz too.")
    ],
    reference: Annotated[
        list[Path],
        typer.Option(
            metavar="F", help="Its translations, line by line; repeat it for further references."
        ),
    ],
    model: Model = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the record: texts, models, grids, weights.")
    ] = False,
    decoding: Decoding,
    version: Version = False,
) -> None:
    """Find the weights of rescoring models on validation text.

    Coordinate search by cased BLEU: each weight in turn takes the best value of a grid, until none
    changes. Prints the options for mt-translate and mt-evaluate. The best of many looks better than
    it is, so report what it gives on other text.
    """
    if not decoding.rerank:
        raise ConfigError(
            "options: name a model: --rescore-reverse, --rescore-right-to-left or "
            "--rescore-language-model"
        )
    text = TestText.read(source, reference)
    translator = load_translator(model or [], decoding)
    record = _tuned(text, translator, set(decoding.rerank))
    print(json.dumps(record, indent=2, ensure_ascii=False) if as_json else _text(record))


def main() -> None:
    run(app)


def _tuned(text: TestText, translator: Translator, models: set[str]) -> dict[str, Any]:
    from mt.reranking import tune

    score = _scoring(text, translator)
    grids = {
        name: grid
        for name, model, grid in (
            ("reverse_weight", "reverse_model", MODEL_GRID),
            ("right_to_left_weight", "right_to_left_model", MODEL_GRID),
            ("language_weight", "language_model", MODEL_GRID),
        )
        if model in models
    } | {"length_weight": LENGTH_GRID}
    found = tune(lambda weights: score(weights).value, dict.fromkeys(grids, 0.0), grids)
    best = score(found.weights)
    reranker = translator.reranker
    assert reranker is not None
    return {
        "model": translator.name,
        "weights": translator.identity,
        "engine": translator.engine,
        "search": translator.search_config.model_dump(),
        "models": {name: reranker.record()[name] for name in sorted(models)},
        **text_record(text),
        "method": "coordinate search over grids, by BLEU",
        "grids": grids,
        "tried": found.tried,
        "found": found.weights,
        "bleu": {
            "search": round(found.start, 2),
            "rescored": round(best.value, 2),
            "signature": best.signature,
        },
    }


def _scoring(text: TestText, translator: Translator) -> Callable[[Weights], Score]:
    """BLEU of the text as a function of weights."""
    from mt.reranking import WEIGHTS
    from mt.scoring import bleu, words_of

    words = words_of(translator.target_language)
    plans = [translator.plan(line) for line in text.source]
    rescored = translator.rescore([source for plan in plans for source in plan.sources])

    def score(weights: Weights) -> Score:
        terms = (1.0, *(weights.get(name, 0.0) for name in WEIGHTS))
        ranked = (each.ranked(terms) for each in rescored)
        translations = [
            translator.finish(plan, [next(ranked)[:1] for _ in plan.sources]).text for plan in plans
        ]
        return bleu(translations, *text.references, words=words)

    return score


def _text(record: dict[str, Any]) -> str:
    scores = record["bleu"]
    options = " ".join(
        f"--{name.replace('_', '-')} {weight:g}" for name, weight in record["found"].items()
    )
    return (
        f"BLEU {scores['search']:.2f} by search alone, {scores['rescored']:.2f} with\n"
        f"{options}\n"
        f"{record['method']}, {record['tried']:,} combinations; {scores['signature']}"
    )


if __name__ == "__main__":
    main()

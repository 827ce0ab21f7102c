"""mt-explain: what the memory cells of a model do with a sentence.

Composes `mt.explain`; what is printed is `scripts.explanations`', pictures are `scripts.heatmaps`'.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mt.errors import ConfigError
from scripts.console import Version, program, run
from scripts.options import OneModel
from scripts.plots import check_picture

if TYPE_CHECKING:
    from mt.explain import Explanation

app = program("Explain a translation by the model's memory cells.")


@app.command()
def explain(
    sentence: Annotated[str, typer.Argument(help="One sentence to translate and explain.")],
    model: OneModel = None,
    layer: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Show this layer only, by the number that the page gives it.  "
            "[default: all; with --walk 1]",
        ),
    ] = None,
    unit: Annotated[
        int | None,
        typer.Option(
            "--walk",
            metavar="UNIT",
            min=0,
            help="Tell one unit's story step by step; units count from 0.",
        ),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(metavar="F.png", help="Draw heatmaps of it; needs the extra \\[plot]."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON record instead of a page.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="With --json: every activation of every unit too.")
    ] = False,
    version: Version = False,
) -> None:
    """Explain a translation by the model's memory cells.

    For each layer and token: gates, candidate, cell and hidden state, and what the encoder's final
    states still owe to each source token. The translation is that of the model in fp32.
    """
    if full and not as_json:
        raise ConfigError("options: --full needs --json")
    if png is not None:
        check_picture(png)
    # Only now: torch takes seconds to import.
    from mt.explain import Explainer, to_record, walk
    from scripts.explanations import page, story
    from scripts.heatmaps import draw_explanation

    explanation = Explainer.load(model).explain(sentence)
    numbers = _numbers(explanation, layer)
    chosen = explanation.layers[numbers[0] - 1]
    if unit is not None and unit >= chosen.units:
        raise ConfigError(
            f"--walk = {unit}: layer {numbers[0]} ({chosen.name}) has units 0 to {chosen.units - 1}"
        )
    if png is not None:
        draw_explanation(png, explanation, numbers)
    if as_json:
        record = to_record(explanation, numbers, full=full)
        if unit is not None:
            record["walk"] = [step._asdict() for step in walk(chosen, unit)]
        print(json.dumps(record, ensure_ascii=False))
    elif unit is not None:
        print(story(explanation, numbers[0], unit, walk(chosen, unit)))
    else:
        print(page(explanation, numbers))


def main() -> None:
    run(app)


def _numbers(explanation: Explanation, layer: int | None) -> range:
    """Of the layers to show."""
    numbers = range(1, len(explanation.layers) + 1)
    if layer is None:
        return numbers
    if layer not in numbers:
        raise ConfigError(f"--layer = {layer}: the model has layers 1 to {numbers[-1]}")
    return range(layer, layer + 1)


if __name__ == "__main__":
    main()

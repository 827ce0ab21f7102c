"""mt-explain: what the memory cells of a model do with a sentence, and which units keep track.

Composes `mt.explain`; what is printed is `scripts.explanations`', pictures are `scripts.heatmaps`'.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mt.config import ProbeConfig, parse
from mt.errors import ConfigError
from scripts.console import Version, describe, program, run
from scripts.options import OneModel
from scripts.plots import check_picture

app = program("Explain a translation by the model's memory cells.")


@app.command()
def explain(
    sentence: Annotated[
        str | None, typer.Argument(help="One sentence to translate and explain.")
    ] = None,
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
    walk: Annotated[
        int | None,
        typer.Option(
            metavar="UNIT", min=0, help="Tell one unit's story step by step; units count from 0."
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
    probe: Annotated[
        Path | None,
        typer.Option(
            metavar="F",
            help="Instead of a sentence: text in the source language, a sentence a line, .gz or "
            ".xz too, in which to look for units that keep track of something.",
        ),
    ] = None,
    sentences: Annotated[
        int | None,
        typer.Option(help=f"With --probe. {describe(ProbeConfig, 'sentences')}  [default: 2000]"),
    ] = None,
    units: Annotated[
        int | None,
        typer.Option(help=f"With --probe. {describe(ProbeConfig, 'units')}  [default: 3]"),
    ] = None,
    agreement: Annotated[
        bool,
        typer.Option(
            "--agreement",
            help="Instead of a sentence, for a language model of English: how often verbs and "
            "pronouns agree with a subject far away, and which units carry that.",
        ),
    ] = False,
    corpus: Annotated[
        Path | None,
        typer.Option(
            metavar="F",
            help="With --agreement: ask for what is found in this English text, a sentence a line, "
            ".gz or .xz too, instead of generated sentences.",
        ),
    ] = None,
    version: Version = False,
) -> None:
    """Explain a translation by the model's memory cells.

    For each layer and token: gates, candidate, cell and hidden state, and what the encoder's final
    states still owe to each source token. The translation is that of the model in fp32.
    """
    if (sentence is not None) + (probe is not None) + agreement != 1:
        raise ConfigError("options: give a sentence to explain, --probe a text or --agreement")
    if corpus is not None and not agreement:
        raise ConfigError("options: --corpus needs --agreement")
    if full and not as_json:
        raise ConfigError("options: --full needs --json")
    if agreement:
        others = (layer, walk, png, sentences, units)
        if as_json or any(option is not None for option in others):
            raise ConfigError("options: --agreement goes with --model and --corpus only")
        _agreement(model, corpus)
        return
    if probe is None:
        if sentences is not None or units is not None:
            raise ConfigError("options: --sentences and --units need --probe")
        assert sentence is not None
        _explain(sentence, model, layer, walk, png, as_json, full)
        return
    if layer is not None or walk is not None or png is not None or as_json:
        raise ConfigError("options: --probe goes with --model, --sentences and --units only")
    given = {"sentences": sentences, "units": units}
    config = {name: value for name, value in given.items() if value is not None}
    _probe(probe, model, parse(ProbeConfig, config, where="options"))


def main() -> None:
    run(app)


def _explain(
    sentence: str,
    model: Path | None,
    layer: int | None,
    unit: int | None,
    png: Path | None,
    as_json: bool,
    full: bool,
) -> None:
    if png is not None:
        check_picture(png)
    # Only now: torch takes seconds to import.
    from mt.explain import Explainer, to_record, walk
    from scripts.explanations import page, story
    from scripts.heatmaps import draw_explanation

    explanation = Explainer.load(model).explain(sentence)
    numbers = range(1, len(explanation.layers) + 1)
    if layer is not None:
        if layer not in numbers:
            raise ConfigError(f"--layer = {layer}: the model has layers 1 to {numbers[-1]}")
        numbers = range(layer, layer + 1)
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


def _agreement(model: Path | None, corpus: Path | None) -> None:
    from mt.bundle import find_model, load_bundle
    from mt.corpus import read_lines
    from mt.datasets.agreement import find
    from mt.explain.examination import examine_bundle
    from scripts.agreement import agreement_page

    bundle = load_bundle(find_model(model))
    if corpus is None:
        print(agreement_page(examine_bundle(bundle), {}))
        return
    found = find(list(read_lines(corpus)))
    if not found.choices:
        raise ConfigError(f"--corpus {corpus}: no sentence of it fits the patterns")
    print(agreement_page(examine_bundle(bundle, found.choices), found.left_out))


def _probe(text: Path, model: Path | None, config: ProbeConfig) -> None:
    from mt.corpus import read_lines
    from mt.explain import Explainer, probe
    from scripts.explanations import survey

    explainer = Explainer.load(model)  # before the text is read: it may be large
    print(survey(probe(explainer, read_lines(text), config)))


if __name__ == "__main__":
    main()

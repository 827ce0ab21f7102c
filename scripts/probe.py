"""mt-probe: which units of a model keep track of something, and how well.

Composes `mt.explain`; what is printed is `scripts.units`'s and `scripts.agreement`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mt.config import ProbeConfig, parse
from mt.corpus import read_lines
from mt.errors import ConfigError
from scripts.console import Version, describe, program, run
from scripts.options import LanguageModelFolder, OneModel

DEFAULT = ProbeConfig()

app = program("Find units of a model that keep track of something.")


@app.callback()
def probe(version: Version = False) -> None:
    """Find units of a model that keep track of something."""


@app.command()
def units(
    text: Annotated[
        Path,
        typer.Argument(
            metavar="F", help="Text in the source language, a sentence a line, .gz or .xz too."
        ),
    ],
    model: OneModel = None,
    sentences: Annotated[
        int, typer.Option(metavar="N", help=describe(ProbeConfig, "sentences"))
    ] = DEFAULT.sentences,
    shown: Annotated[
        int, typer.Option("--units", metavar="N", help=describe(ProbeConfig, "units"))
    ] = DEFAULT.units,
) -> None:
    """Which units of an encoder know the place, a plural subject, an open quotation or bracket.

    How well is told by one threshold of a unit's cell, on sentences that did not choose it.
    """
    config = parse(ProbeConfig, {"sentences": sentences, "units": shown}, where="options")
    # Only now: torch takes seconds to import.
    from mt.explain import Explainer, probe
    from scripts.units import units_page

    explainer = Explainer.load(model)  # before the text is read: it may be large
    print(units_page(probe(explainer, read_lines(text), config)))


@app.command()
def agreement(
    model: LanguageModelFolder,
    text: Annotated[
        Path | None,
        typer.Argument(
            metavar="F",
            help="English text, a sentence a line, .gz or .xz too, in which to find what to ask "
            "for.  [default: generated sentences]",
        ),
    ] = None,
) -> None:
    """How often verbs and pronouns of an English language model agree with a subject far away.

    And which of its units carry that.
    """
    from mt.bundle import find_model, load_bundle
    from mt.datasets.agreement import find
    from mt.explain.examination import examine_bundle
    from scripts.agreement import agreement_page

    bundle = load_bundle(find_model(model))
    if text is None:
        print(agreement_page(examine_bundle(bundle), {}))
        return
    found = find(list(read_lines(text)))
    if not found.choices:
        raise ConfigError(f"{text}: no sentence of it fits the patterns")
    print(agreement_page(examine_bundle(bundle, found.choices), found.left_out))


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()

"""Command-line options that several programs share, and what they mean for the translator.

The text and range of a decoding option come from `mt.config.SearchConfig`, where it is defined.
A program that offers one names its parameter as the field is named, and hands it on to
`load_translator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.config import EngineConfig, EngineName, SearchConfig, parse
from scripts.console import describe

if TYPE_CHECKING:
    from mt import Translator


def _decoding(field: str) -> Any:
    return typer.Option(help=f"{describe(SearchConfig, field)}  [default: the model's own]")


_BUNDLED = "or the name of a bundled one: de-en, en-de.  [default: de-en]"

Model = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR",
        help=f"Given more than once, the models translate together. A model folder, {_BUNDLED}",
    ),
]
"""For programs that take an ensemble as well."""
OneModel = Annotated[Path | None, typer.Option(metavar="DIR", help=f"Model folder, {_BUNDLED}")]
"""For programs that need one folder."""
Engine = Annotated[
    EngineName | None,
    typer.Option(help=f"{describe(EngineConfig, 'engine')}  [default: auto]"),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="CPU threads to compute with.  [default: 1 with int8, one a core with the others]",
    ),
]

BeamSize = Annotated[int | None, _decoding("beam_size")]
LengthPenalty = Annotated[float | None, _decoding("length_penalty")]
MaxLengthRatio = Annotated[float | None, _decoding("max_length_ratio")]
MaxLengthExtra = Annotated[int | None, _decoding("max_length_extra")]
MinLengthRatio = Annotated[float | None, _decoding("min_length_ratio")]
MinLength = Annotated[int | None, _decoding("min_length")]
NoRepeatNgramSize = Annotated[int | None, _decoding("no_repeat_ngram_size")]
Shortlist = Annotated[int | None, _decoding("shortlist")]
Temperature = Annotated[float | None, _decoding("temperature")]
TopK = Annotated[int | None, _decoding("top_k")]
Seed = Annotated[int | None, _decoding("seed")]
Truecase = Annotated[bool | None, _decoding("truecase")]


def load_translator(
    model: Path | Sequence[Path] | None,
    threads: int | None,
    engine: EngineName | None = None,
    **search: Any,
) -> Translator:
    """The translator of a model folder or of an ensemble of several, decoding as asked for.

    Args:
        model: one folder, or several; none is the bundled model.
        threads: CPU threads; the engine decides if None.
        engine: as `EngineConfig.engine`, which has the default.
        search: fields of `SearchConfig`; None leaves the model's own.

    Raises:
        BundleError: a folder cannot be used, or does not go together with another.
        ConfigError: an option is out of range, or the machine lacks what the engine needs.
    """
    given = {name: value for name, value in search.items() if value is not None}
    parse(SearchConfig, given, where="options")  # before the model is loaded
    from mt import Translator

    engine = engine or EngineConfig().engine
    folders = [model] if isinstance(model, Path) else list(model or [])
    if len(folders) > 1:
        translator = Translator.load_ensemble(folders, engine=engine, threads=threads)
    else:
        translator = Translator.load(*folders, engine=engine, threads=threads)
    # Checked again as a whole: what is given may not go together with what the model brings.
    whole = translator.search_config.model_dump() | given
    return translator.with_search(parse(SearchConfig, whole, where="options"))

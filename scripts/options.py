"""Command-line options that several programs share, and what they mean for the translator.

The text and range of a decoding option come from `mt.config.SearchConfig`, where it is defined.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.config import SearchConfig, parse
from scripts.console import describe

if TYPE_CHECKING:
    from mt import Translator

Model = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Model folder.  [default: the bundled German to English one]"),
]
BeamSize = Annotated[
    int | None,
    typer.Option(help=describe(SearchConfig, "beam_size") + "  [default: the model's own]"),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(help=describe(SearchConfig, "length_penalty") + "  [default: the model's own]"),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="CPU threads to compute with.  [default: one a core]"),
]


def load_translator(model: Path | None, threads: int | None, **search: Any) -> Translator:
    """The translator of a model folder, its decoding defaults replaced where an option was given.

    Raises:
        BundleError: the folder cannot be used.
        ConfigError: an option is out of range.
    """
    given = {name: value for name, value in search.items() if value is not None}
    parse(SearchConfig, given, where="options")  # before the model is loaded
    import torch

    from mt import Translator

    if threads is not None:
        torch.set_num_threads(threads)
    translator = Translator.load(model)
    return translator.with_search(translator.search_config.model_copy(update=given))

"""mt-continue: how a text may go on, or which words may come next, by a language model.

Composes `mt.language_model`, and says what it finds as lines or as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.config import ContinuationConfig, EngineConfig, parse
from mt.errors import ConfigError
from scripts.console import Version, describe, program, run
from scripts.options import Engine, LanguageModelFolder, Threads, named

if TYPE_CHECKING:
    from mt.language_model import Continuation, Suggestion

app = program("Continue a text by a language model.")


def _option(field: str, note: str = "") -> Any:
    default = ContinuationConfig.model_fields[field].default
    return typer.Option(help=f"{note}{describe(ContinuationConfig, field)}  [default: {default:g}]")


@app.command()
def continue_text(
    text: Annotated[str, typer.Argument(metavar="TEXT", help='How it begins; may be "".')],
    model: LanguageModelFolder,
    suggest: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=1000, help="Print the N likeliest next words instead."
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Print N texts drawn from the model instead."),
    ] = None,
    temperature: Annotated[float | None, _option("temperature", "With --sample. ")] = None,
    top_k: Annotated[int | None, _option("top_k", "With --sample. ")] = None,
    seed: Annotated[int | None, _option("seed", "With --sample. ")] = None,
    most_pieces: Annotated[int | None, _option("most_pieces")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON record instead of lines.")
    ] = False,
    engine: Engine = None,
    threads: Threads = None,
    version: Version = False,
) -> None:
    """Continue a text by a language model.

    Prints the likeliest text that begins so, as far as a search finds it, as the model's vocabulary
    writes it: with single spaces, for one. With --suggest, a probability, a tab and a word in each
    line: "+" stands before what goes on in the last word, as a full stop does, and "(end)" for no
    word at all. After white space a word begins for sure.
    """
    drawing = {"temperature": temperature, "top_k": top_k, "seed": seed}
    if suggest is not None and sample is not None:
        raise ConfigError("options: --suggest and --sample do not go together")
    if sample is None and any(value is not None for value in drawing.values()):
        raise ConfigError("options: --temperature, --top-k and --seed need --sample")
    if suggest is not None and most_pieces is not None:
        raise ConfigError("options: --most-pieces and --suggest do not go together")
    given = named({**drawing, "most_pieces": most_pieces})
    config = parse(ContinuationConfig, given, where="options")
    from mt.language_model import LanguageModel

    loaded = LanguageModel.load(model, engine=engine or EngineConfig().engine, threads=threads)
    if suggest is not None:
        _print_suggestions(text, loaded.suggest(text, suggest), as_json)
    elif sample is not None:
        _print_texts(text, loaded.sample(text, sample, **config.model_dump()), as_json)
    else:
        _print_texts(text, loaded.proceed(text, most_pieces=config.most_pieces), as_json)


def main() -> None:
    run(app)


def _print_suggestions(text: str, suggestions: Sequence[Suggestion], as_json: bool) -> None:
    if as_json:
        _print_json(text, suggestions=[each._asdict() for each in suggestions])
        return
    for each in suggestions:
        shown = f"{'+' * each.joined}{each.text}" if each.text else "(end)"
        print(f"{each.probability:.4f}\t{shown}")


def _print_texts(text: str, continuations: Sequence[Continuation], as_json: bool) -> None:
    if as_json:
        _print_json(text, continuations=[each._asdict() for each in continuations])
        return
    for each in continuations:
        print(each.text)


def _print_json(text: str, **found: Any) -> None:
    print(json.dumps({"text": text, **found}, ensure_ascii=False, allow_nan=False))


if __name__ == "__main__":
    main()

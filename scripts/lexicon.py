"""mt-lexicon: give a model folder a lexical table, or a new one.

Composes `mt.corpus`, `mt.lexicon` and `mt.bundle`. Training learns the table by itself; this is for
models that have none, or that are to translate other text than they were trained on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mt.bundle import CARD, Bundle, find_model, load_bundle, save_bundle
from mt.card import model_card
from mt.corpus import Sentences, read_pairs
from mt.errors import BundleError, ConfigError, CorpusError
from mt.lexicon import Side, learn_lexicon
from scripts.console import Version, program, run, say

app = program("Give a model a lexical table.")


@app.command()
def lexicon(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="Model folder; it is renewed.")],
    source: Annotated[Path, typer.Option(metavar="F", help="Parallel text, side translated from.")],
    target: Annotated[Path, typer.Option(metavar="F", help="Side translated to.")],
    version: Version = False,
) -> None:
    """Learn from parallel text which pieces translate which, for --shortlist."""
    folder = find_model(model)
    if folder != model:
        raise ConfigError(
            f"{model} came with the program, whose files stay as they are: copy {folder}, and give "
            "the copy a table"
        )
    bundle = load_bundle(folder)
    if bundle.config.task == "continue":
        raise BundleError(
            f"{bundle.config.name} is a language model: it translates no pieces, so it has no use "
            "for a lexical table"
        )
    card = _card(folder, bundle)
    texts = _read(source, target)
    sides = [
        Sentences.of(tokenizer.encode(text))
        for tokenizer, text in zip(bundle.tokenizers, texts, strict=True)
    ]
    left, right = (Side(side.ids, side.starts) for side in sides)
    table = learn_lexicon(left, right, *map(len, bundle.tokenizers))
    save_bundle(folder, replace(bundle, lexicon=table), card)
    say(f"{folder} has a lexical table of {len(texts[0]):,} pairs")


def main() -> None:
    run(app)


def _read(source: Path, target: Path) -> list[list[str]]:
    """Both sides, without pairs of which one is blank: nothing can be learned from them."""
    pairs = zip(*read_pairs([source], [target]), strict=True)
    kept = [pair for pair in pairs if all(map(str.strip, pair))]
    if not kept:
        raise CorpusError(f"{source} and {target}: no pair of lines that are not blank")
    return [list(side) for side in zip(*kept, strict=True)]


def _card(folder: Path, bundle: Bundle) -> str:
    # The folder's own: it may have been annotated.
    try:
        return (folder / CARD).read_text(encoding="utf-8")
    except FileNotFoundError:
        return model_card(bundle)
    except UnicodeDecodeError as error:
        raise BundleError(f"{folder / CARD}: not UTF-8: {error}") from error


if __name__ == "__main__":
    main()

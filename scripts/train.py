"""mt-train: train a model from a recipe.

Composes a run out of `mt.training` and the validator that its task asks for, and turns SIGTERM and
SIGINT into a checkpoint. How its events look is `scripts.events`'s.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.bundle import find_model
from mt.config import DataConfig, Recipe, Task, load_recipe, read_changes, with_options
from mt.criterion import CRITERIA
from scripts.console import Version, describe, program, run, say
from scripts.events import EventDisplay
from scripts.options import named

if TYPE_CHECKING:
    from mt.training import Outcome

RECIPES = Path(__file__).parent / "recipes"


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the programs."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


app = program("Train a model from a recipe.")


def _model(field: str) -> Any:
    help = f"{describe(Recipe, field)} The name of a bundled one will do as well."
    return typer.Option(metavar="DIR", help=help)


@app.command()
def train(
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Model folder to make; checkpoints go to its run/."),
    ],
    recipe: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECIPE.toml]",
            help="What to train on and how; a name alone is one of the recipes that come along: "
            + ", ".join(bundled_recipes())
            + ". Left out, --source and --target take its place.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where the recipe's relative paths start.  [default: its folder]"
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Text to train on without a recipe, .gz or .xz too."),
    ] = None,
    target: Annotated[
        Path | None, typer.Option(metavar="F", help="Its translations, line by line.")
    ] = None,
    source_language: Annotated[
        str | None,
        typer.Option(
            help="Code such as de.  [default: that of --init-from, else the suffix of --source]"
        ),
    ] = None,
    target_language: Annotated[str | None, typer.Option(help="The same for --target.")] = None,
    init_from: Annotated[Path | None, _model("init_from")] = None,
    init_encoder: Annotated[Path | None, _model("init_encoder")] = None,
    init_decoder: Annotated[Path | None, _model("init_decoder")] = None,
    tokenizers_from: Annotated[Path | None, _model("tokenizers_from")] = None,
    prepared: Annotated[
        Path | None, typer.Option(metavar="DIR", help=describe(DataConfig, "prepared"))
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change an option of the recipe, as in training.seed=2 or "
            "model.attention=general; any number of times.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the folder's last checkpoint.")
    ] = False,
    version: Version = False,
) -> None:
    """Train a model from a recipe, or a translation model from two plain files.

    The best model so far, by BLEU on the validation text (exact match where it answers, perplexity
    where it is a language model), is always in DIR. SIGTERM or Ctrl-C
    saves a checkpoint and leaves; --resume continues, to the same weights as an unbroken run
    (on a CPU in fp32 with the same number of threads and processes).

    Several processes train one model together under torchrun:
    `torchrun --nproc-per-node 2 -m scripts.train RECIPE.toml --output DIR`.
    """
    models = {
        "init_from": init_from,
        "init_encoder": init_encoder,
        "init_decoder": init_decoder,
        "tokenizers_from": tokenizers_from,
    }
    folders = {name: find_model(folder) for name, folder in named(models).items()}
    if recipe is not None:
        _refuse_beside_recipe(
            source=source,
            target=target,
            source_language=source_language,
            target_language=target_language,
        )
        loaded = load_recipe(_find(recipe), data)
    else:
        if data is not None:
            raise typer.BadParameter(
                "--data is for a recipe: --source and --target name whole paths"
            )
        if source is None or target is None:
            raise typer.BadParameter("give a RECIPE.toml, or both --source and --target")
        initial = folders.get("init_from")
        loaded = _recipe_of_files(source, target, source_language, target_language, initial)
    if prepared is not None:
        folders["data.prepared"] = prepared
    loaded = with_options(loaded, {name: folder.resolve() for name, folder in folders.items()})
    loaded = with_options(loaded, read_changes(changes or [], "--set"), "--set")
    raise typer.Exit(_train(loaded, output, resume))


def main() -> None:
    run(app)


def _find(recipe: Path) -> Path:
    # A folder of that name, such as the model folder being made, is no recipe.
    bundled = str(recipe) in bundled_recipes() and not recipe.is_file()
    return RECIPES / f"{recipe}.toml" if bundled else recipe


def _refuse_beside_recipe(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(f"{option} and a recipe do not go together")


def _recipe_of_files(
    source: Path,
    target: Path,
    source_language: str | None,
    target_language: str | None,
    init_from: Path | None,
) -> Recipe:
    from mt.training.defaults import default_recipe

    return default_recipe(
        source,
        target,
        source_language=source_language,
        target_language=target_language,
        init_from=init_from,
    )


def _train(recipe: Recipe, output: Path, resume: bool) -> int:
    # oneDNN keeps the code it made for each of the last 1,024 shapes it saw, and nearly every batch
    # is a new one: memory without use (the figures are in CHANGELOG.md). Read at its first product.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    # Here, not above, so that --help need not wait for torch.
    from mt.training import open_run, processes_of_environment
    from mt.validation import make_validator

    with (
        processes_of_environment() as processes,
        EventDisplay(recipe.training.updates, shown=processes.first) as display,
        _StopSignals() as signals,
    ):

        def prepare(doing: str, done: int, total: int | None) -> None:
            if signals.received is not None:  # there is no update yet to save
                raise typer.Exit(128 + signals.received)
            display.prepare(doing, done, total)

        trainer = open_run(
            recipe,
            output,
            partial(make_validator, recipe),
            resume=resume,
            processes=processes,
            report=display.show,
            tell=prepare,
        )
        outcome = trainer.run(should_stop=lambda: signals.received is not None)
    if processes.first:
        say(_ending(outcome, output, recipe.task))
        if outcome.reason == "stopped":
            say("continue with --resume")
    if outcome.reason == "stopped":
        return 128 + (signals.received or signal.SIGTERM)
    return 0


def _ending(outcome: Outcome, output: Path, task: Task) -> str:
    ended = (
        f"{outcome.reason} at update {outcome.update:,} after {outcome.seconds / 60:.1f} minutes"
    )
    if outcome.best_score is None:
        return f"{ended}; no validation yet, so no model"
    criterion = CRITERIA[task]
    score = criterion.sign * outcome.best_score
    best = f"{criterion.name} {score:.2f} at update {outcome.best_update:,}"
    return f"{ended}; best: {best}; model in {output}"


class _StopSignals:
    """Remembers SIGTERM or SIGINT instead of dying of it; a second one is final."""

    def __init__(self) -> None:
        self.received: int | None = None

    def __enter__(self) -> _StopSignals:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._remember)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    @staticmethod
    def _restore() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    main()

"""mt-download: fetch public parallel text and lay it out for the recipes.

Composes `mt.datasets` with a progress bar a file; what is fetched from where is decided there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from mt.config import load_recipe
from mt.datasets import DATASETS, Prepared, prepare
from scripts.console import Version, errors, program, run, say
from scripts.train import RECIPES, bundled_recipes

app = program("Fetch parallel text to train on.")


@app.command()
def download(
    name: Annotated[str, typer.Argument(metavar="DATASET", help=f"One of {', '.join(DATASETS)}.")],
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the dataset's own folder is made.")
    ] = Path("data"),
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", help="Take the original files from here: no network is used."
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Take them from below this address, not the publisher's own."
        ),
    ] = None,
    version: Version = False,
) -> None:
    """Fetch parallel text to train on.

    Makes DIR/DATASET, as the recipes expect it under mt-train --data DIR: texts, the original
    files, and source.json with address, date, hashes, licence and split. A folder that is complete
    is left as it is. A download that was cut off goes on where it stopped; in a later run too, if
    the hash of the file is known, as of multi30k.
    """
    with _Display() as display:
        prepared = prepare(name, output, source=source, mirror=mirror, progress=display)
    print(_summary(prepared))
    if recipes := _recipes_on(name, output):
        say(
            f"next: mt-train RECIPE --data {output} --output DIR, where RECIPE is one of "
            + ", ".join(recipes),
        )


def main() -> None:
    run(app)


def _recipes_on(dataset: str, output: Path) -> list[str]:
    """The recipes that come along and train on a dataset, by text that is all there already."""
    return [name for name in bundled_recipes() if _can_train(name, dataset, output)]


def _can_train(recipe: str, dataset: str, output: Path) -> bool:
    data = load_recipe(RECIPES / f"{recipe}.toml", output).data
    texts = (*data.train_source, *data.train_target)
    return texts[0].parent.name == dataset and all(map(Path.exists, texts))


def _summary(prepared: Prepared) -> str:
    record = prepared.record
    return "\n".join(
        [
            f"{prepared.folder}" + (_since(record) if prepared.was_there else ""),
            *(f"{text['lines']:>9,} lines  {file}" for file, text in record["texts"].items()),
            f"licence: {record['licence']}",
        ]
    )


def _since(record: Mapping[str, Any]) -> str:
    when = f" since {record['downloaded']}" if record["downloaded"] else ""
    return f" is complete{when}: nothing to do (remove it to make it anew)"


class _Display:
    """A bar for each file on a terminal; elsewhere only what went wrong."""

    def __init__(self) -> None:
        self.bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def received(self, name: str, done: int, total: int | None) -> None:
        if name not in self.tasks:
            self.tasks[name] = self.bars.add_task(name, total=total)
        self.bars.update(self.tasks[name], completed=done, total=total)

    def trying_again(self, name: str, reason: str, seconds: float) -> None:
        say(f"{name}: {reason}; trying again in {seconds:g} s")


if __name__ == "__main__":
    main()

"""mt-demonstrate: what the memory cell does, measured again beside what is expected or published.

Prints every figure with its baseline; writes record.json, and with the extra [plot] picture.png.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import mt
from mt.config import TrainingConfig
from mt.demonstrations import NAMES, find_demonstration
from mt.errors import ConfigError
from mt.system.files import write_json
from scripts.console import Version, describe, program, run, say
from scripts.plots import Line, Panel, draw
from scripts.tables import text_table

if TYPE_CHECKING:
    from mt.demonstrations.demonstration import Demonstration, Finding, Picture, Result

RECORD, PICTURE = "record.json", "picture.png"

app = program("Demonstrate the memory cell.")


@app.command()
def demonstrate(
    task: Annotated[str, typer.Argument(help=f"What to show: {', '.join(NAMES)}.")],
    smoke: Annotated[
        bool,
        typer.Option(
            "--smoke", help="Only prove that it runs: minutes where the whole takes up to 90."
        ),
    ] = False,
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where to make a folder TASK, or TASK-smoke."),
    ] = Path("runs/demonstrations"),
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that holds multi30k, which ablations train on."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier start was cut off.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 101, help="Of the first run; others count up from it.")
    ] = 1,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help=describe(TrainingConfig, "threads"))
    ] = 1,
    version: Version = False,
) -> None:
    """Demonstrate the memory cell: figures beside their baselines, and a picture.

    The same seed and threads repeat the figures. Ctrl-C stops; --resume goes on from the last
    checkpoint.
    """
    found = find_demonstration(task)
    from mt.demonstrations.workspace import Workspace

    folder = output / (f"{task}-smoke" if smoke else task)
    workspace = Workspace(folder, seed=seed, threads=threads, data=data, report=say)
    plan = found.plan(smoke)
    if found.check is not None:
        found.check(workspace)
    elif data is not None:
        raise ConfigError(f"options: {task} makes its own text: it has no use for --data")
    settings = _settings(found, plan, seed, threads)
    workspace.begin(settings, resume=resume)
    with workspace.arithmetic():
        result = found.show(plan, workspace)
    _keep(folder, found, settings, result)
    print(f"{found.about} ({found.paper})\n")
    print(_table(result.findings))
    print(f"\n{folder / RECORD}" + (f", {folder / PICTURE}" if _can_draw() else ""))


def main() -> None:
    run(app)


def _settings(found: Demonstration, plan: Any, seed: int, threads: int) -> dict[str, Any]:
    """What has to be the same for the figures to be."""
    import torch

    return {
        "demonstration": found.name,
        "plan": _plain(plan),
        "seed": seed,
        "threads": threads,
        "torch": torch.__version__,
    }


def _plain(value: Any) -> Any:
    """Named tuples and options as tables, for JSON; everything else as it is."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _keep(folder: Path, found: Demonstration, settings: dict[str, Any], result: Result) -> None:
    from mt.demonstrations.demonstration import as_record

    write_json(folder / RECORD, settings | {"version": mt.__version__} | dict(as_record(result)))
    if _can_draw():
        draw(folder / PICTURE, [_panel(picture) for picture in result.pictures])
    else:
        say("no picture: drawing needs matplotlib: pip install -c constraints.txt '.[plot]'")


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _panel(picture: Picture) -> Panel:
    lines = [Line(c.label, c.x, _drawable(c.y, picture.logarithmic)) for c in picture.curves]
    return Panel(
        picture.title,
        picture.x_label,
        picture.y_label,
        lines,
        logarithmic=picture.logarithmic,
    )


def _drawable(values: Sequence[float], logarithmic: bool) -> list[float]:
    return [math.nan if logarithmic and value <= 0 else value for value in values]


def _table(findings: Sequence[Finding]) -> str:
    header = ["case", "measure", "found", "baseline", "which is"]
    rows = [[f.case, f.measure, _number(f.value), _number(f.baseline), f.source] for f in findings]
    return text_table(header, rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    main()

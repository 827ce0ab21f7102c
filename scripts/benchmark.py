"""mt-benchmark: what things cost on this machine, each as a ratio to what it is compared with.

Prints one JSON record. Both sides of every comparison run in turn (A B A B ...) and medians are
compared, since machines drift; run it while nothing else does. Ratios carry over to other machines,
seconds do not.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scripts.console import Version, program, run
from scripts.options import OneModel, Threads, load_translator

app = program("Measure on this machine.")

Rounds = Annotated[int, typer.Option(min=1, help="Measurements of each kind.")]


@app.callback()
def benchmark(version: Version = False) -> None:
    """Measure on this machine; each command prints one JSON record."""


@app.command()
def service(
    model: OneModel = None,
    concurrent: Annotated[int, typer.Option(min=2, help="Requests sent at once.")] = 32,
    rounds: Rounds = 5,
    threads: Threads = None,
) -> None:
    """The service against the library, and requests at once against requests in turn."""
    from scripts.benchmarks.service import measure_service

    given = {"model": model, "threads": threads}
    arguments = [f"--{name}={value}" for name, value in given.items() if value is not None]
    translator = load_translator(model, threads)
    record = measure_service(translator, arguments, concurrent=concurrent, rounds=rounds)
    print(json.dumps(record, indent=2))


@app.command()
def cell(rounds: Rounds = 15, threads: Threads = 1) -> None:
    """A training step of each option of the memory cell against the fused standard one."""
    import torch

    from scripts.benchmarks.cell import measure_cells

    torch.set_num_threads(threads or 1)
    print(json.dumps(measure_cells(rounds=rounds), indent=2))


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()

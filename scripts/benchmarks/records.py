"""A record of a measurement: what on, what came of it, printed as JSON or as a table.

Knows models, the machine and terminals. Does not know what is measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.console import say
from scripts.tables import text_table

if TYPE_CHECKING:
    from mt.bundle import Bundle

Record = dict[str, Any]
Table = tuple[list[str], list[list[str]]]


def load_model(model: Path | None) -> Bundle:
    """The bundle of a model folder, or of the bundled one."""
    from mt.bundle import find_model, load_bundle

    return load_bundle(find_model(model))


@contextmanager
def new_record(name: str, bundle: Bundle, threads: int, *, source: Path | None) -> Iterator[Record]:
    """A record of what is measured on what, to be filled; and a word if the machine was busy."""
    from scripts.benchmarks.machine import describe_machine, warning, watched

    record: Record = {
        "benchmark": name,
        "model": bundle.config.name,
        "weights": bundle.identity,
        "source": str(source) if source else None,
        "machine": describe_machine(threads),
    }
    with watched(record):
        yield record
    if (busy := warning(record)) is not None:
        note(busy)


def print_record(record: Record, table: Callable[[Record], Table], as_json: bool) -> None:
    """Print the record as JSON, or as a table, with its bars and the signatures of its BLEU."""
    if as_json:
        print(json.dumps(record, indent=2))
        return
    print(text_table(*table(record)))
    for signature in dict.fromkeys(row.get("signature") for row in record.get("systems", [])):
        if signature:
            print(f"BLEU: {signature}")
    if "bars" in record:
        from scripts.benchmarks.figures import bars_table

        print(f"\n{text_table(*bars_table(record['bars']))}")


def note(message: str) -> None:
    """Say something on standard error."""
    say(f"note: {message}")

"""mt-info: what a model folder holds, and that it is whole.

Composes `mt.bundle` and `mt.card`. Loading checks every file against its hash, so what is printed
is of a model that works; a damaged folder ends it with one line that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mt.bundle import CARD, Bundle, find_model, load_bundle, read_manifest
from mt.card import model_card, parameters_by_part
from scripts.console import Version, program, run

app = program("Show what a model folder holds.")


@app.command()
def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Model folder, or the name of a bundled one, such as en-de.  [default: de-en]",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON record instead of a page.")
    ] = False,
    version: Version = False,
) -> None:
    """Show what a model folder holds: its card, files, parameters and training record.

    Every file is checked against its hash; a damaged one is named, with exit code 2.
    """
    record = _record(find_model(model))
    print(json.dumps(record, indent=2, ensure_ascii=False) if as_json else _page(record))


def main() -> None:
    run(app)


def _record(folder: Path) -> dict[str, Any]:
    manifest, bundle = read_manifest(folder), load_bundle(folder)
    parameters = parameters_by_part(bundle)
    return {
        "folder": str(folder),
        "format": manifest.format,
        "name": bundle.config.name,
        "source_language": bundle.config.source_language,
        "target_language": bundle.config.target_language,
        "weights": bundle.identity,
        "files": dict(manifest.files),
        "parameters": {"total": sum(parameters.values()), **parameters},
        "model": bundle.config.model.model_dump(mode="json"),
        "search": bundle.config.search.model_dump(mode="json"),
        "record": dict(bundle.record),
        "card": _card(folder, bundle),
    }


def _card(folder: Path, bundle: Bundle) -> str:
    # The folder's own, for people may have written into it; it has no hash.
    try:
        return (folder / CARD).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return model_card(bundle)


def _page(record: dict[str, Any]) -> str:
    files = record["files"]
    size = sum(entry["bytes"] for entry in files.values())
    return "\n".join(
        [
            record["card"],
            f"## Files: format {record['format']}, {size:,} bytes, every hash is right",
            "",
            *(f"{entry['bytes']:>13,}  {entry['sha256']}  {n}" for n, entry in files.items()),
            "",
            "## Parameters",
            "",
            *(f"{count:>13,}  {part}" for part, count in record["parameters"].items()),
            "",
            "## Training record",
            "",
            *(f"{name}: {value}" for name, value in _flat(record["record"])),
        ]
    )


def _flat(table: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


if __name__ == "__main__":
    main()

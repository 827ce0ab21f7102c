"""From a dataset's name to a folder of texts that a recipe can name.

Knows the order of the steps and the folder. Does not know what is in an original.

    OUTPUT/NAME/original/*             the files as published, kept for their attribution
    OUTPUT/NAME/{train,...}.LANGUAGE.xz
    OUTPUT/NAME/source.json            address, date and hashes, licence, rule of the split

source.json is removed first and written last: where it is, the texts are all there and belong
together.
"""

from __future__ import annotations

import json
import lzma
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mt.datasets.agreement import agreement
from mt.datasets.babi import babi
from mt.datasets.dataset import Dataset
from mt.datasets.fetch import Progress, Silent, download, take
from mt.datasets.multi30k import multi30k
from mt.datasets.tatoeba import EXPORTS, tatoeba
from mt.errors import ConfigError
from mt.system.files import sha256, write_atomic, write_json

DATASETS = {
    dataset.name: dataset
    for dataset in (multi30k(), *(tatoeba(language) for language in EXPORTS), babi(), agreement())
}
"""Everything there is, by name."""
RECORD, ORIGINALS = "source.json", "original"


class Prepared(NamedTuple):
    """A dataset in its folder."""

    folder: Path
    record: dict[str, Any]
    """source.json."""
    was_there: bool
    """It was complete already, so nothing was fetched or written."""


def prepare(
    name: str,
    output: Path,
    *,
    source: Path | None = None,
    mirror: str | None = None,
    progress: Progress | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Prepared:
    """Fetch a dataset and write its texts into `output/name`.

    Args:
        name: one of `DATASETS`.
        source: a folder to take the original files from, instead of a server.
        mirror: an address below which the original files are, instead of the publisher's.
        progress: is told how the download goes.
        pause: waits so many seconds before a file is asked for again.

    Raises:
        ConfigError: there is no such dataset, the mirror is no address, both it and a folder are
            given, or one of them for a dataset that has no original files.
        CorpusError: an original cannot be had, or is not what it should be.
        OSError: the folder cannot be written or is full.
    """
    if name not in DATASETS:
        raise ConfigError(f"no dataset {name!r}; known are {', '.join(DATASETS)}")
    if mirror is not None and not _is_address(mirror):
        raise ConfigError(
            f"mirror {mirror!r} is no address: it is http:// or https:// and a host, in ASCII"
        )
    if source is not None and mirror is not None:
        raise ConfigError(
            f"the original files come from the folder {source} or from {mirror}: give one of them"
        )
    dataset, folder = DATASETS[name], output / name
    if not dataset.originals and (given := source or mirror):
        raise ConfigError(f"{name} is made here: there is nothing to take from {given}")
    if (record := _complete(folder, dataset)) is not None:
        return Prepared(folder, record, was_there=True)
    originals = folder / ORIGINALS
    folder.mkdir(parents=True, exist_ok=True)
    if dataset.originals:
        originals.mkdir(exist_ok=True)
    url = mirror or dataset.url
    for original in dataset.originals:
        if source is not None:
            take(original, source, originals)
        else:
            download(original, url, originals, progress or Silent(), pause)
    fetched = datetime.now(UTC) if dataset.originals and source is None else None
    return Prepared(folder, _write(dataset, folder, url, fetched), was_there=False)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets that do not match, or no port
        return False
    printable = text.isascii() and text.isprintable() and " " not in text
    return parts.scheme in ("http", "https") and bool(host) and printable


def _complete(folder: Path, dataset: Dataset) -> dict[str, Any] | None:
    """The record of a folder that has all its texts as they were written."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
        texts = {name: lzma.decompress((folder / name).read_bytes()) for name in record["texts"]}
        intact = all(sha256(text) == record["texts"][n]["sha256"] for n, text in texts.items())
        # An earlier version may have fetched fewer originals.
        intact &= all(original.path in record["originals"] for original in dataset.originals)
    except (OSError, ValueError, KeyError, TypeError, lzma.LZMAError):
        return None
    return record if intact else None


def _write(dataset: Dataset, folder: Path, url: str, fetched: datetime | None) -> dict[str, Any]:
    texts = dataset.read(folder / ORIGINALS)
    (folder / RECORD).unlink(missing_ok=True)
    record = {
        "dataset": dataset.name,
        "licence": dataset.licence,
        "url": url,
        "downloaded": None if fetched is None else fetched.isoformat(timespec="seconds"),
        "originals": {o.path: _entry(folder / ORIGINALS / o.name) for o in dataset.originals},
        **texts.record,
        "texts": {f"{n}.xz": _write_text(folder / f"{n}.xz", t) for n, t in texts.files.items()},
    }
    write_json(folder / RECORD, record)
    return record


def _entry(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": sha256(content)}


def _write_text(path: Path, lines: Sequence[str]) -> dict[str, Any]:
    """Write a text; returns its lines and, uncompressed, its hash."""
    content = "".join(f"{line}\n" for line in lines).encode()
    write_atomic(path, lzma.compress(content))
    return {"lines": len(lines), "sha256": sha256(content)}

"""Multi30k: image captions in English with translations, task 1 (Elliott et al. 2016).

Knows the files of one commit of the repository, by size and hash (`multi30k.tsv`), so that what
is downloaded is the same on any day. The repository states no licence for the text.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from mt.datasets.dataset import Dataset, Original, Texts, lines_of
from mt.errors import CorpusError

COMMIT = "a3d2e0d26b56f3846f66a952536ffed4e401d05a"
LANGUAGES = ("de", "en", "fr")
SPLITS = {
    "train": "train",
    "val": "valid",
    "test_2016_flickr": "test_2016_flickr",
    "test_2017_flickr": "test_2017_flickr",
}
"""Their name of a split, and ours."""
CAPTION_LANGUAGES = ("de", "en")
CAPTION_PARTS = range(1, 6)
"""Task 2 has five captions of each training picture, written without sight of each other: the
first of all pictures, the second of all, and so on. They are no translations, so they are one text
a language."""


def multi30k() -> Dataset:
    """The dataset, its originals read from the table beside this file."""
    table = Path(__file__).with_name("multi30k.tsv").read_text(encoding="ascii")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    return Dataset(
        name="multi30k",
        url=f"https://raw.githubusercontent.com/multi30k/dataset/{COMMIT}",
        originals=[Original(path, int(size), digest) for path, size, digest in rows],
        licence="Multi30k: non-commercial research and educational purposes",
        read=read,
    )


def read(folder: Path) -> Texts:
    """The texts of the originals, whose hashes have been checked.

    Raises:
        CorpusError: an original is missing, damaged or not UTF-8, or two sides differ in lines.
    """
    files = {
        f"{split}.{language}": _lines(folder / f"{theirs}.{language}.gz")
        for theirs, split in SPLITS.items()
        for language in LANGUAGES
    }
    for split in SPLITS.values():
        counts = {language: len(files[f"{split}.{language}"]) for language in LANGUAGES}
        if len(set(counts.values())) > 1:
            raise CorpusError(f"{folder}: the sides of {split} differ in lines: {counts}")
    captions = {
        f"captions.{language}": [
            line
            for part in CAPTION_PARTS
            for line in _lines(folder / f"train.{part}.{language}.gz")
        ]
        for language in CAPTION_LANGUAGES
    }
    return Texts(files | captions, {"commit": COMMIT})


def _lines(path: Path) -> list[str]:
    try:
        return lines_of(gzip.decompress(path.read_bytes()), str(path))
    except (OSError, EOFError) as error:
        raise CorpusError(f"{path}: {error}") from error

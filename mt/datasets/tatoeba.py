"""Tatoeba: everyday sentences with English translations, as manythings.org/anki exports them.

Knows the exports. They are renewed every few weeks, so none has a known hash: what was downloaded
is recorded with date and hash, and kept, since each line of it names the authors of its sentences.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from mt.datasets.dataset import Dataset, Original, Texts, lines_of
from mt.datasets.splits import RULE, Pair, split
from mt.errors import CorpusError

EXPORTS = {"de": "deu", "es": "spa", "fr": "fra"}
"""Their name of a language, by ours."""


def tatoeba(language: str) -> Dataset:
    """The pairs of one language with English."""
    export = EXPORTS[language]
    archive = f"{export}-eng.zip"
    return Dataset(
        name=f"tatoeba-{language}-en",
        url="https://www.manythings.org/anki",
        originals=[Original(archive)],
        licence="Tatoeba sentences, CC BY 2.0 FR; attribution: tatoeba.org and manythings.org/anki",
        read=lambda folder: read(folder / archive, f"{export}.txt", language),
    )


def read(archive: Path, member: str, language: str) -> Texts:
    """Split the pairs of an export, an archive whose checksums are right.

    Raises:
        CorpusError: it lacks the member, or has a line that is no pair or not UTF-8.
    """
    content, date = _unpacked(archive, member)
    where = f"{archive}, {member}"
    lines = enumerate(lines_of(content, where), start=1)
    rows = [_pair(line, f"{where}, line {number}") for number, line in lines]
    whole = [pair for pair in rows if all(pair)]
    pairs = list(dict.fromkeys(whole))
    splits = split(pairs)
    files = {}
    for name in ("train", "valid", "test"):
        part: list[Pair] = getattr(splits, name)
        files[f"{name}.{language}"] = [sentence for sentence, _ in part]
        files[f"{name}.en"] = [english for _, english in part]
    counts = {
        "read": len(rows),
        "empty": len(rows) - len(whole),
        "duplicate": len(whole) - len(pairs),
        "left_out": splits.left_out,
    }
    return Texts(files, {"exported": date, "pairs": counts, "split": RULE})


def _unpacked(archive: Path, member: str) -> tuple[bytes, str]:
    """The text of an export and the day it was made."""
    try:
        with zipfile.ZipFile(archive) as file:
            year, month, day, *_ = file.getinfo(member).date_time
            return file.read(member), f"{year}-{month:02}-{day:02}"
    except KeyError as error:  # damage has been ruled out by now
        raise CorpusError(f"{archive} holds no {member}") from error


def _pair(line: str, where: str) -> Pair:
    # English, the translation, and in later exports the licence and the authors.
    columns = line.split("\t")
    if len(columns) < 2:
        raise CorpusError(f"{where}: expected columns with tabs between them, found {line[:40]!r}")
    return columns[1], columns[0]

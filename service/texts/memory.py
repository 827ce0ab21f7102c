"""A translation memory: finished translations of whole segments, found by exact match.

Knows TSV and TMX files and how two segments are compared. Does not know models, requests or where
a segment stands in its text. It is read as a whole when the service starts, and only read then on.

TSV     "terms.de-en.tsv": on every line a source, a tab and its target, UTF-8, without quoting. The
        suffix in front names the two languages, with regions in capitals: "terms.de-en-GB.tsv".
TMX     1.4, and what older versions have in common with it. Every two languages of a unit (<tu>)
        make two entries, one each way. Of a <seg> its text counts, not the codes of formatting that
        <bpt>, <ept>, <it>, <ph> and <ut> hold.

Segments are the same if they are so in NFC with every run of white space made one space; case
counts. Where a source has two different targets, the later one counts. An entry of a region serves
its language as well, wherever that has none of its own: "de-DE" to "en-GB" also "de" to "en".

Memory: some 320 bytes for an entry of 60 characters on each side; 440 where both have a region.

Entities of a TMX file are refused, not expanded, and nothing is fetched: an external entity would
bring in other files, and nested ones fill the memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple, Self

from lxml import etree

from mt.errors import ConfigError

Pair = tuple[str, str]
"""Codes of the source and the target language, in lower case: ("de", "en-gb")."""

_TSV_PAIR = re.compile(r"\.([a-z]{2,3}(?:-[A-Z]{2})?)-([a-z]{2,3}(?:-[A-Z]{2})?)")
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_CODES = frozenset({"bpt", "ept", "it", "ph", "ut"})
# White space as XML has it; a no-break space in a target is there for a reason.
_SPACES = re.compile(r"[\t\n\r ]+")


class Entry(NamedTuple):
    """One finished translation."""

    pair: Pair
    source: str
    target: str


class TranslationMemory:
    """Finished translations by language pair; made by `load`."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take in entries; where two have the same source, the later one counts."""
        tables: dict[Pair, dict[str, str]] = {}
        self.overridden = 0
        """Entries that a later one with another target took the place of."""
        for pair, source, target in entries:
            table = tables.setdefault(pair, {})
            key = _normalise(source)
            self.overridden += table.get(key, target) != target
            table[key] = target
        self._size = sum(map(len, tables.values()))
        self._tables = _with_coarser(tables)

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Self:
        """Read files in their order. Blocks: call it in a thread.

        Raises:
            ConfigError: a file cannot be read or is not as it should be; names it and the line.
        """
        return cls(entry for path in paths for entry in _read(path))

    def find(self, source_language: str, target_language: str, segment: str) -> str | None:
        """The target of a segment, if there is one; codes in any case.

        An entry of the same regions is taken first, then one of the target's region, then one of
        the source's, then any of the two languages.
        """
        key = _normalise(segment)
        for pair in _coarser((source_language.lower(), target_language.lower())):
            if (target := self._tables.get(pair, {}).get(key)) is not None:
                return target
        return None

    def __len__(self) -> int:
        """How many entries there are; one that serves a language besides its region is one."""
        return self._size

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The language pairs that have entries, with and without regions, by code."""
        return tuple(sorted(self._tables))


def _normalise(segment: str) -> str:
    return " ".join(unicodedata.normalize("NFC", segment).split())


def _with_coarser(tables: dict[Pair, dict[str, str]]) -> dict[Pair, dict[str, str]]:
    """The tables, and what they hold for languages without their region; nearer entries first."""
    found: dict[Pair, dict[str, str]] = {}
    # A pair with fewer regions comes later and overrides what it was given.
    for pair in sorted(tables, key=_regions, reverse=True):
        for coarser in _coarser(pair):
            found.setdefault(coarser, {}).update(tables[pair])
    return found


def _coarser(pair: Pair) -> list[Pair]:
    """A pair and its variants with fewer regions, the best first."""
    source, target = pair
    languages = (source.partition("-")[0], target.partition("-")[0])
    variants = [pair, (languages[0], target), (source, languages[1]), languages]
    return [each for each in dict.fromkeys(variants) if each == pair or each[0] != each[1]]


def _regions(pair: Pair) -> int:
    return sum("-" in code for code in pair)


def _read(path: Path) -> Iterator[Entry]:
    readers = {".tsv": _read_tsv, ".tmx": _read_tmx}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path}: a translation memory is a .tsv or .tmx file")
    try:
        yield from reader(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error


def _read_tsv(path: Path) -> Iterator[Entry]:
    named = _TSV_PAIR.fullmatch(Path(path.stem).suffix)
    if named is None:
        raise ConfigError(f"{path}: name the languages in front of .tsv, as in terms.de-en.tsv")
    pair = (named[1].lower(), named[2].lower())
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ConfigError(f"{path}, line {number}: not UTF-8") from error
            columns = [_SPACES.sub(" ", column).strip() for column in text.split("\t")]
            if len(columns) != 2 or not all(columns):
                raise ConfigError(
                    f"{path}, line {number}: found {sum(map(bool, columns))} filled of "
                    f"{len(columns)} columns, not a source, a tab and a target"
                )
            yield Entry(pair, *columns)


def _read_tmx(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        units = etree.iterparse(
            file, tag="{*}tu", resolve_entities=False, no_network=True, load_dtd=False
        )
        try:
            for _, unit in units:
                yield from _unit_entries(unit, path)
                unit.clear()
                while unit.getprevious() is not None:  # or the file's skeleton stays in memory
                    del unit.getparent()[0]
        except etree.XMLSyntaxError as error:
            raise ConfigError(f"{path}: no valid XML: {error.msg}") from error
    if etree.QName(units.root).localname != "tmx":
        raise ConfigError(f"{path}: no TMX: its root is <{units.root.tag}>")


def _unit_entries(unit: Any, path: Path) -> Iterator[Entry]:
    """The entries of a <tu>: every two of its filled variants, in both directions."""
    variants: list[tuple[str, str]] = []
    for variant in unit.iterfind("{*}tuv"):
        code = variant.get(_LANG) or variant.get("lang")
        segment = variant.find("{*}seg")
        if not code or segment is None:
            where = f"{path}, line {variant.sourceline}"
            raise ConfigError(f"{where}: found a <tuv> without xml:lang or without <seg>")
        text = _SPACES.sub(" ", "".join(_texts(segment, path))).strip()
        if text:  # else it is still to be translated
            variants.append((code.replace("_", "-").lower(), text))
    for (source_code, source), (target_code, target) in permutations(variants, 2):
        if source_code != target_code:
            yield Entry((source_code, target_code), source, target)


def _texts(element: Any, path: Path) -> Iterator[str]:
    """The text of a <seg> or an element in it, codes of formatting left out."""
    yield element.text or ""
    for child in element:
        if child.tag is etree.Entity:
            where = f"{path}, line {child.sourceline}"
            raise ConfigError(f"{where}: found {child.text}, and entities are not allowed")
        # Comments and processing instructions have no name.
        if isinstance(child.tag, str) and etree.QName(child).localname not in _CODES:
            yield from _texts(child, path)
        yield child.tail or ""

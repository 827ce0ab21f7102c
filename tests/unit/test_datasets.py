"""From original files to texts: what their lines mean, and which split each pair goes to."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.datasets import DATASETS, splits
from mt.datasets.dataset import lines_of
from mt.datasets.multi30k import CAPTION_LANGUAGES, CAPTION_PARTS, COMMIT, LANGUAGES, SPLITS
from mt.datasets.splits import Pair, split
from mt.datasets.tatoeba import read
from mt.errors import CorpusError


def export(folder: Path, text: bytes, member: str = "deu.txt") -> Path:
    """An archive as manythings.org/anki makes it, of the 13th of May 2018."""
    path = folder / "deu-eng.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(member, (2018, 5, 13, 12, 0, 0)), text)
        archive.writestr("_about.txt", b"CC BY 2.0 FR")
    return path


# Lines


def test_a_line_ends_at_a_newline_only():
    assert lines_of("a\u2028b\x0b\x85c\nd".encode(), "F") == ["a b c", "d"]


def test_white_space_line_ends_and_composition_are_made_alike():
    text = " Ein\u00a0Mann  ga\u0308hnt. \r\n\tb\n"
    assert lines_of(text.encode(), "F") == ["Ein Mann g\u00e4hnt.", "\tb"]


def test_blank_lines_survive():
    assert lines_of(b"a\n\n \nb\n", "F") == ["a", "", "", "b"]


def test_a_line_that_is_not_utf_8_is_named():
    with pytest.raises(CorpusError, match=r"^F, line 2: not UTF-8: invalid start byte$"):
        lines_of(b"a\n\xff\n", "F")


# Splits


def bucket(sentence: str) -> int:
    return int(hashlib.sha256(sentence.encode()).hexdigest()[:8], 16) % 1000


TEST = next(f"t{n}" for n in range(10_000) if bucket(f"t{n}") < 15)
VALID = next(f"v{n}" for n in range(10_000) if 15 <= bucket(f"v{n}") < 35)
TRAIN = next(f"z{n}" for n in range(10_000) if bucket(f"z{n}") >= 35)
"""English sentences that alone go to these splits; sorted, test comes before valid and train."""


def test_a_pair_goes_where_its_english_sentence_hashes_to():
    pairs = [("eins", TRAIN), ("zwei", TEST), ("drei", VALID), ("vier", TRAIN)]
    assert split(pairs) == (
        [("eins", TRAIN), ("vier", TRAIN)], [("drei", VALID)], [("zwei", TEST)], 0
    )  # fmt: skip


def test_pairs_that_share_a_sentence_follow_the_first_in_order_of_code_points():
    pairs = [("eins", TRAIN), ("eins", TEST)]
    assert split(pairs) == ([], [], [("eins", TRAIN)], 1)
    chain = [("a", TRAIN), ("a", VALID), ("b", VALID), ("b", TEST), ("c", TEST)]
    assert split(chain) == ([], [], [("a", TRAIN), ("b", VALID), ("c", TEST)], 2)


def test_case_makes_no_other_sentence():
    assert split([("STRASSE", TRAIN), ("Straße", TEST)]).train == []
    assert split([("eins", TEST.upper()), ("zwei", TEST)]).test == [("eins", TEST.upper())]


def test_the_same_word_on_both_sides_links_nothing():
    assert split([("Tom", TRAIN), (TRAIN, TEST)]).train == [("Tom", TRAIN)]


def test_a_group_too_large_to_hold_out_trains(monkeypatch):
    pairs = [(str(n), TEST) for n in range(3)]
    monkeypatch.setattr(splits, "LARGEST_HELD_OUT", 3)
    assert split(pairs) == ([], [], pairs[:1], 2)
    monkeypatch.setattr(splits, "LARGEST_HELD_OUT", 2)
    assert split(pairs) == (pairs, [], [], 0)


SENTENCES = st.sampled_from([*"abAB", TEST, VALID, TRAIN, TEST.upper()])


@settings(max_examples=150)
@given(st.lists(st.tuples(SENTENCES, SENTENCES), unique=True))
def test_no_sentence_is_in_two_splits_and_no_pair_is_lost(pairs: list[Pair]) -> None:
    found = split(pairs)
    parts = found[:3]
    for side in (0, 1):
        sentences = [{pair[side].casefold() for pair in part} for part in parts]
        assert sum(map(len, sentences)) == len(set().union(*sentences))
        for part, distinct in zip(parts[1:], sentences[1:], strict=True):
            assert len(part) == len(distinct)
    assert sum(map(len, parts)) + found.left_out == len(pairs)
    for part in parts:
        assert part == [pair for pair in pairs if pair in part]


def test_about_as_many_are_held_out_as_is_said():
    found = split([(str(n), f"sentence {n}") for n in range(20_000)])
    # 15 and 20 of 1,000, give or take five standard deviations.
    assert 215 < len(found.test) < 385
    assert 300 < len(found.valid) < 500


# Tatoeba


def test_an_export_gives_pairs_with_its_date(tmp_path):
    text = (
        "Go.\tGeh.\tCC-BY 2.0 (France) Attribution: tatoeba.org #1 (a) & #2 (b)\n"
        "Hi.\tHallo!\n"
        "Hi. \tHallo!\r\n"
        "Empty.\t \n"
    )
    texts = read(export(tmp_path, text.encode()), "deu.txt", "de")
    assert texts.files["train.de"] == ["Geh.", "Hallo!"]
    assert texts.files["train.en"] == ["Go.", "Hi."]
    assert texts.files["test.de"] == texts.files["valid.en"] == []
    assert texts.record["exported"] == "2018-05-13"
    assert texts.record["pairs"] == {"read": 4, "empty": 1, "duplicate": 1, "left_out": 0}


def test_an_export_without_its_text_is_told(tmp_path):
    path = export(tmp_path, b"", member="other.txt")
    with pytest.raises(CorpusError, match=r"deu-eng\.zip holds no deu\.txt$"):
        read(path, "deu.txt", "de")


def test_a_line_without_a_translation_is_named(tmp_path):
    path = export(tmp_path, b"Hi.\tHallo!\nHi.\n")
    with pytest.raises(CorpusError, match=r"deu\.txt, line 2: expected columns .* found 'Hi\.'$"):
        read(path, "deu.txt", "de")


# Multi30k


def test_the_table_of_multi30k_names_every_side_of_every_split():
    dataset = DATASETS["multi30k"]
    assert {original.name for original in dataset.originals} == {
        *(f"{split}.{language}.gz" for split in SPLITS for language in LANGUAGES),
        *(f"train.{part}.{side}.gz" for part in CAPTION_PARTS for side in CAPTION_LANGUAGES),
    }
    assert dataset.url.endswith(COMMIT)
    assert sum(original.bytes or 0 for original in dataset.originals) == 7_684_923
    assert all(len(original.sha256 or "") == 64 for original in dataset.originals)


def test_sides_of_different_length_are_told(tmp_path):
    for original in DATASETS["multi30k"].originals:
        lines = b"a\n" if original.name == "val.de.gz" else b"a\nb\n"
        (tmp_path / original.name).write_bytes(gzip.compress(lines))
    with pytest.raises(CorpusError, match=r"sides of valid differ in lines: \{'de': 1, 'en': 2"):
        DATASETS["multi30k"].read(tmp_path)


def test_captions_of_all_five_parts_are_one_text_and_need_not_be_as_many(tmp_path):
    for original in DATASETS["multi30k"].originals:
        more = b"more\n" if original.name == "train.2.de.gz" else b""
        (tmp_path / original.name).write_bytes(gzip.compress(f"{original.name}\n".encode() + more))
    files = DATASETS["multi30k"].read(tmp_path).files
    assert files["captions.en"] == [f"train.{part}.en.gz" for part in range(1, 6)]
    assert files["captions.de"][:3] == ["train.1.de.gz", "train.2.de.gz", "more"]
    assert "captions.fr" not in files


def test_an_original_that_was_cut_off_is_named(tmp_path):
    for original in DATASETS["multi30k"].originals:
        content = gzip.compress(b"a\n")
        (tmp_path / original.name).write_bytes(content[: 9 if original.name == "val.de.gz" else 99])
    with pytest.raises(CorpusError, match=r"val\.de\.gz: Compressed file ended before"):
        DATASETS["multi30k"].read(tmp_path)

"""Parallel text on the way to batches; a piece here is a word, and its id is its length."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mt.config import DataConfig
from mt.corpus import (
    Batch,
    Corpus,
    FilterReport,
    Sentences,
    epoch_batches,
    make_batch,
    prepare,
    read_lines,
    read_pairs,
)
from mt.errors import CorpusError
from mt.tokenizer import TokenizerPair
from mt.tokens import BEGIN, END, PAD
from support.held_out import hold_out

DATA = DataConfig(
    source_language="de",
    target_language="en",
    train_source=["-"],
    train_target=["-"],
    valid_source="-",
    valid_target="-",
    max_pieces=20,
)
PACKERS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
GERMAN = "Ein Hund läuft.\nZwei Hunde spielen im Schnee.\nJa!\n".encode()


class WordLengths:
    """A tokenizer whose ids can be read off the text."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[len(word) for word in text.split()] for text in texts]


def refusal(path: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read_lines(path)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert str(path) in message
    return message


def corpus_of(lengths: Sequence[tuple[int, int]]) -> Corpus:
    """Sentence n is as many times the id n + 4 on either side as its lengths say."""
    source = Sentences.of([[n + 4] * length for n, (length, _) in enumerate(lengths)])
    target = Sentences.of([[n + 4] * length for n, (_, length) in enumerate(lengths)])
    return Corpus(source, target, FilterReport(len(lengths), len(lengths), 0, 0, 0, 0))


def filtered(*pairs: tuple[str, str], **changes: object) -> Corpus:
    source, target = ([pair[side] for pair in pairs] for side in (0, 1))
    words = WordLengths()
    return prepare(source, target, TokenizerPair(words, words), DATA.model_copy(update=changes))


# Reading


@pytest.mark.parametrize("suffix", PACKERS)
def test_lines_are_read_plain_and_packed(tmp_path, suffix):
    path = tmp_path / f"text.de{suffix}"
    path.write_bytes(PACKERS[suffix](GERMAN))
    assert read_lines(path) == ["Ein Hund läuft.", "Zwei Hunde spielen im Schnee.", "Ja!"]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\n ", ["a", " "]),
        (b"a\r\nb\rc\n", ["a\r", "b\rc"]),
        (
            "a\u2028b\u2029c\x0bd\x0ce\x1cf\x1dg\x1eh\x85i\n".encode(),
            ["a\u2028b\u2029c\x0bd\x0ce\x1cf\x1dg\x1eh\x85i"],
        ),
        (b"a\x00b\n", ["a\x00b"]),
    ],
)
@pytest.mark.parametrize("suffix", PACKERS)
def test_a_line_ends_at_newline_and_nowhere_else(tmp_path, suffix, content, lines):
    path = tmp_path / f"text{suffix}"
    path.write_bytes(PACKERS[suffix](content))
    assert read_lines(path) == lines


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_packed_file_cut_short_is_damaged(tmp_path, suffix):
    path = tmp_path / f"text.de{suffix}"
    whole = PACKERS[suffix](GERMAN)
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        assert refusal(path).startswith(f"{path}: damaged behind line ")


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_flipped_byte_never_changes_the_text_unseen(tmp_path, suffix):
    path = tmp_path / f"text.de{suffix}"
    whole = PACKERS[suffix](GERMAN)
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            # A date in the header of gzip is nobody's loss.
            assert read_lines(path) == GERMAN.decode().split("\n")[:-1], place
        except CorpusError:
            refused += 1
            # Damage, or a line that is not UTF-8 ahead of the checksum that would tell of it.
            assert refusal(path).startswith(str(path))
    assert refused > 0.8 * len(whole)


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_plain_file_with_a_packed_name_is_damaged(tmp_path, suffix):
    path = tmp_path / f"text.de{suffix}"
    path.write_bytes(GERMAN)
    assert refusal(path).startswith(f"{path}: damaged behind line ")


def test_text_that_is_not_utf8_is_told_with_line_and_column(tmp_path):
    path = tmp_path / "latin1.de"
    path.write_bytes(GERMAN + "Über zwölf\n".encode("latin-1"))
    assert refusal(path) == f"{path}, line 4: not UTF-8 (byte 0xdc at column 1)"
    path.write_bytes("ä".encode() + b"b\xff\n")
    assert refusal(path) == f"{path}, line 1: not UTF-8 (byte 0xff at column 4)"


def test_a_surrogate_is_not_utf8(tmp_path):
    path = tmp_path / "text.de"
    path.write_bytes(b"ok\n" + "\ud800".encode(errors="surrogatepass"))
    assert refusal(path) == f"{path}, line 2: not UTF-8 (byte 0xed at column 1)"


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_missing_file_and_a_folder_are_told(tmp_path, suffix):
    path = tmp_path / f"text{suffix}"
    assert refusal(path) == f"{path}: No such file or directory"
    path.mkdir()
    assert refusal(path) == f"{path}: Is a directory"


def test_pairs_are_read_file_by_file(tmp_path):
    german, english = [tmp_path / "1.de", tmp_path / "2.de"], [tmp_path / "1.en", tmp_path / "2.en"]
    texts = ["ein\n", "zwei\ndrei", "one", "two\n3\n"]
    for path, text in zip([*german, *english], texts, strict=True):
        path.write_text(text)
    source, target = read_pairs(german, english)
    assert source == ["ein", "zwei", "drei"]
    assert target == ["one", "two", "3"]


@pytest.mark.parametrize(("german", "english"), [("a\nb\nc\n", "a\n"), ("a\n", "a\nb\nc\n")])
def test_files_that_do_not_pair_up_are_told_with_their_lines(tmp_path, german, english):
    de, en = tmp_path / "x.de", tmp_path / "x.en"
    de.write_text(german)
    en.write_text(english)
    with pytest.raises(CorpusError) as caught:
        read_pairs([de], [en])
    counts = german.count("\n"), english.count("\n")
    assert str(caught.value) == (
        f"{de} has {counts[0]} lines and {en} {counts[1]}: line 2 has no counterpart"
    )


def test_files_without_a_line_are_told(tmp_path):
    for name in ("x.de", "x.en"):
        (tmp_path / name).write_text("")
    with pytest.raises(CorpusError, match=r"x\.de: no lines$"):
        read_pairs([tmp_path / "x.de"], [tmp_path / "x.en"])


# Filtering


def test_a_good_pair_is_kept_as_ids():
    corpus = filtered(("ein Hund", "a dog"), ("zwei Hunde", "two dogs"))
    assert len(corpus) == 2
    assert corpus.source[0].tolist() == [3, 4]
    assert corpus.target[1].tolist() == [3, 4]
    assert corpus.source.lengths.tolist() == [2, 2]


def test_each_pair_left_out_is_counted_under_its_reason():
    long = " ".join(["so"] * 21)
    corpus = filtered(
        ("ein Hund", "a dog"),
        ("", "nothing"),
        ("nichts", " \t"),
        (" ein Hund ", "a dog"),
        ("ein Hund", "one dog"),
        (long, "so it is"),
        ("so ist es", long),
        ("so", "so so so so so so so so so so"),
        ("zuletzt", "last"),
    )
    assert corpus.report == FilterReport(read=9, kept=3, empty=2, duplicate=1, too_long=2, uneven=1)
    assert (
        str(corpus.report)
        == "9 read, 3 kept, 2 empty, 1 duplicate, 2 too long, 1 uneven, 0 held out"
    )
    assert [corpus.target[n].tolist() for n in range(3)] == [[1, 3], [3, 3], [4]]


def test_the_longest_pair_allowed_is_kept():
    long = " ".join(["so"] * 20)
    assert filtered((long, long)).report.kept == 1


def test_sides_may_differ_by_the_ratio_and_five():
    nine, ten = " ".join(["so"] * 9), " ".join(["so"] * 10)
    assert filtered(("so", nine), (nine, "so"), (nine, nine)).report.uneven == 0
    assert filtered(("so", ten), (ten, "so"), (nine, nine)).report.uneven == 2
    assert filtered(("so", ten), max_length_ratio=5.0).report.uneven == 0


def test_duplicates_stay_if_asked_for():
    pair = ("ein Hund", "a dog")
    assert filtered(pair, pair, remove_duplicates=False).report.kept == 2


def test_a_corpus_without_a_good_pair_is_refused():
    with pytest.raises(CorpusError) as caught:
        filtered(("", "a"), ("b", ""))
    assert str(caught.value) == (
        "no pair is left: 2 read, 0 kept, 2 empty, 0 duplicate, 0 too long, 0 uneven, 0 held out"
    )


def test_counts_are_written_with_thousands():
    report = FilterReport(read=29_000, kept=28_000, empty=0, duplicate=1_000, too_long=0, uneven=0)
    assert str(report).startswith("29,000 read, 28,000 kept, 0 empty, 1,000 duplicate")


# Batches

UNEVEN = [(length, max(1, length + shift)) for length in range(1, 30) for shift in (-2, 0, 0, 3)]


def numbers(batches: list[np.ndarray]) -> list[list[int]]:
    return [batch.tolist() for batch in batches]


def test_an_epoch_has_every_pair_once():
    batches = epoch_batches(corpus_of(UNEVEN), 100, seed=1, epoch=0)
    assert sorted(n for batch in numbers(batches) for n in batch) == list(range(len(UNEVEN)))


def test_no_batch_is_over_budget():
    corpus = corpus_of(UNEVEN)
    for batch in epoch_batches(corpus, 100, seed=1, epoch=0):
        assert len(batch) * (corpus.target.lengths[batch].max() + 1) <= 100


def test_a_batch_may_fill_its_budget_to_the_last_position():
    # 4 pairs of 4 pieces and an end token are 20 positions.
    corpus = corpus_of([(4, 4)] * 8)
    for budget, sizes in ((20, [4, 4]), (19, [2, 3, 3])):
        batches = epoch_batches(corpus, budget, seed=1, epoch=0)
        assert sorted(len(batch) for batch in batches) == sizes


def test_a_pair_longer_than_the_budget_makes_a_batch_of_its_own():
    corpus = corpus_of([(3, 3), (50, 50), (3, 3), (60, 60)])
    batches = numbers(epoch_batches(corpus, 10, seed=1, epoch=0))
    assert sorted(map(sorted, batches)) == [[0, 2], [1], [3]]


def test_the_order_repeats_for_the_same_seed_and_epoch():
    first = epoch_batches(corpus_of(UNEVEN), 100, seed=3, epoch=2)
    np.random.default_rng().random()  # another generator has no say
    again = epoch_batches(corpus_of(UNEVEN), 100, seed=3, epoch=2)
    assert numbers(first) == numbers(again)


def test_epochs_and_seeds_differ_in_order_and_company():
    corpus = corpus_of(UNEVEN)
    orders = [
        numbers(epoch_batches(corpus, 100, seed=seed, epoch=epoch))
        for seed, epoch in [(1, 0), (1, 1), (0, 1), (2, 0)]
    ]
    for place, order in enumerate(orders):
        for other in orders[:place]:
            assert order != other
            assert sorted(map(sorted, order)) != sorted(map(sorted, other))


def test_batches_do_not_come_by_length():
    corpus = corpus_of(UNEVEN)
    batches = epoch_batches(corpus, 100, seed=1, epoch=0)
    lengths = [corpus.source.lengths[batch].max() for batch in batches]
    assert lengths != sorted(lengths)
    assert lengths != sorted(lengths, reverse=True)


def test_little_of_a_batch_is_padding():
    random = np.random.default_rng(1)
    source = random.geometric(0.1, size=2000)
    target = np.maximum(1, source + random.integers(-2, 3, size=2000))
    corpus = corpus_of(list(zip(source, target, strict=True)))
    batches = epoch_batches(corpus, 500, seed=1, epoch=0)
    # Cut from a random order, batches would have more padding than tokens.
    for lengths in (source, target + 1):
        assert sum(len(batch) * lengths[batch].max() for batch in batches) < 1.2 * lengths.sum()


def test_a_batch_worked_by_hand():
    corpus = Corpus(
        Sentences.of([[7, 8], [9], [4, 5, 6]]),
        Sentences.of([[5], [6, 7, 8], [9, 4]]),
        FilterReport(3, 3, 0, 0, 0, 0),
    )
    batch = make_batch(corpus, [1, 0])
    assert batch.source.tolist() == [[9, END, PAD], [7, 8, END]]
    assert batch.source_lengths.tolist() == [2, 3]
    assert batch.target.tolist() == [[6, 7, 8, END], [5, END, PAD, PAD]]
    assert batch.previous.tolist() == [[BEGIN, 6, 7, 8], [BEGIN, 5, END, PAD]]
    assert {tensor.dtype for tensor in batch} == {batch.source.dtype}


def test_the_decoder_is_fed_what_it_had_to_say_one_step_before():
    batch = make_batch(corpus_of(UNEVEN), range(len(UNEVEN)))
    assert (batch.previous[:, 0] == BEGIN).all()
    assert (batch.previous[:, 1:] == batch.target[:, :-1]).all()


def test_a_batch_moves_but_its_lengths_stay():
    batch = make_batch(corpus_of(UNEVEN), [0, 5])
    moved = batch.to("meta")
    assert isinstance(moved, Batch)
    assert [tensor.device.type for tensor in moved] == ["meta", "cpu", "meta", "meta"]


def test_sentences_give_back_the_rows_they_were_made_of():
    rows = [[5, 6], [], [7]]
    sentences = Sentences.of(rows)
    assert [sentences[n].tolist() for n in range(3)] == rows
    assert sentences.lengths.tolist() == [2, 0, 1]
    assert sentences.ids.dtype == np.int32


# Holding out


def test_held_out_pairs_are_spread_evenly_and_share_no_side_with_the_rest():
    source = [f"s{number}" for number in range(30)]
    target = [f"t{number}" for number in range(30)]
    source[5], target[25] = "s10", "t0"  # share a side with the pairs held out below
    rest, held = hold_out(source, target, 3)
    assert held == (["s0", "s10", "s20"], ["t0", "t10", "t20"])
    assert set(rest[0]) == {f"s{n}" for n in range(30)} - {"s0", "s5", "s10", "s20", "s25"}
    assert [line[1:] for line in rest[0]] == [line[1:] for line in rest[1]]


def test_at_most_a_tenth_is_held_out_and_no_blank_pair():
    source, target = ["", *"abcdefghijklmnopqrst"], ["x", *"ABCDEFGHIJKLMNOPQRST"]
    _, held = hold_out(source, target, 1000)
    assert held == (["a", "k"], ["A", "K"])


def test_too_few_pairs_to_hold_some_out_are_refused():
    with pytest.raises(CorpusError, match="9 pairs are too few"):
        hold_out(["a"] * 9, ["b"] * 9, 1)

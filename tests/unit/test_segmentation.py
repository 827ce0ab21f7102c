"""Random pieces: how often each segmentation comes, worked out by hand, and that draws repeat."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from mt.segmentation import SPACE, Lattice, Merges, Segmentation
from mt.tokenizer import Tokenizer, train_tokenizers
from mt.tokens import UNKNOWN
from support.bundles import SMALL_TOKENIZER, SOURCES, TARGETS

SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
PIECES = [*SPECIAL, "ab", "bc", "abc", SPACE, "a", "b", "c"]
"""As if learned in this order: ab, bc, then abc from either."""
DRAWS = 20_000
KINDS = ["bpe", "unigram"]


def trained(kind: str) -> Tokenizer:
    config = SMALL_TOKENIZER.model_copy(update={"kind": kind})
    return train_tokenizers(SOURCES, TARGETS, config).source


def sampled(segmentation: Segmentation, texts: Sequence[str], alpha: float) -> list[list[str]]:
    rows = segmentation.sample(texts, alpha, np.random.default_rng(1))
    return [[PIECES[number] for number in row] for row in rows]


def shares(segmentation: Segmentation, alpha: float) -> Mapping[str, float]:
    rows = sampled(segmentation, [f"{SPACE}abc"] * DRAWS, alpha)
    return {cut: count / DRAWS for cut, count in Counter(" ".join(row[1:]) for row in rows).items()}


# BPE


def test_merges_are_made_in_the_order_they_were_learned() -> None:
    texts = [f"{SPACE}abc", f"{SPACE}bca{SPACE}ab", "", SPACE]
    assert sampled(Merges(PIECES), texts, 0.0) == [
        [SPACE, "abc"],
        [SPACE, "bc", "a", SPACE, "ab"],
        [],
        [SPACE],
    ]


def test_of_equal_pairs_the_left_one_is_merged_first() -> None:
    pieces = [*SPECIAL, "aa", "a"]
    assert Merges(pieces).sample(["aaa"], 0.0, np.random.default_rng(1)) == [[4, 5]]


def test_without_merges_all_are_characters() -> None:
    assert sampled(Merges(PIECES), [f"{SPACE}abc"], 1.0) == [[SPACE, "a", "b", "c"]]


@pytest.mark.parametrize("skipped", [0.1, 0.5])
def test_each_merge_is_skipped_by_itself(skipped: float) -> None:
    made = 1 - skipped
    expected = {
        # a b, then ab c; or not a b, but b c, then a bc.
        "abc": made * made + skipped * made * made,
        "ab c": made * skipped,
        "a bc": skipped * made * skipped,
        "a b c": skipped * skipped,
    }
    assert sum(expected.values()) == pytest.approx(1)
    assert shares(Merges(PIECES), skipped) == pytest.approx(expected, abs=0.01)


def test_a_piece_never_crosses_texts_or_words() -> None:
    pieces = [*SPECIAL, f"b{SPACE}", "ab", SPACE, "a", "b"]
    rows = Merges(pieces).sample([f"b{SPACE}", "a", "b"], 0.0, np.random.default_rng(1))
    assert rows == [[8, 6], [7], [8]]


# Unigram


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_segmentations_come_by_their_probability(alpha: float) -> None:
    logs = {"ab": -1.0, "bc": -2.0, "abc": -2.5, SPACE: -1.5, "a": -1.2, "b": -0.7, "c": -3.0}
    scores = [0.0] * len(SPECIAL) + [logs[piece] for piece in PIECES[len(SPECIAL) :]]
    likely = {
        cut: np.exp(alpha * sum(logs[piece] for piece in cut.split()))
        for cut in ("abc", "ab c", "a bc", "a b c")
    }
    expected = {cut: weight / sum(likely.values()) for cut, weight in likely.items()}
    assert shares(Lattice(PIECES, scores), alpha) == pytest.approx(expected, abs=0.01)


def test_a_character_without_a_piece_is_less_likely_than_any_piece() -> None:
    pieces, scores = [*SPECIAL, "ab", "b"], [0.0, 0.0, 0.0, 0.0, -3.0, -1.0]
    rows = Lattice(pieces, scores).sample(["ab"] * DRAWS, 0.1, np.random.default_rng(1))
    whole, apart = np.exp(0.1 * -3), np.exp(0.1 * (-3 - 10 - 1))
    assert rows.count([4]) / DRAWS == pytest.approx(whole / (whole + apart), abs=0.01)
    assert rows.count([4]) + rows.count([UNKNOWN, 5]) == DRAWS


# Both


@pytest.mark.parametrize("segmentation", [Merges(PIECES), Lattice(PIECES, [-1.0] * len(PIECES))])
def test_unknown_neighbours_are_one_within_a_text(segmentation: Segmentation) -> None:
    rows = segmentation.sample(["xxaxx", "x", "", "x"], 0.5, np.random.default_rng(1))
    assert rows == [[UNKNOWN, 8, UNKNOWN], [UNKNOWN], [], [UNKNOWN]]


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_do_not_depend_on_what_was_sampled_before(kind: str) -> None:
    tokenizer = trained(kind)
    first = tokenizer.sample(SOURCES, 0.3, seed=5)
    assert tokenizer.sample(SOURCES, 0.3, seed=6) != first
    tokenizer.encode(SOURCES)
    assert tokenizer.sample(SOURCES, 0.3, seed=5) == first
    assert trained(kind).sample(SOURCES, 0.3, seed=5) == first


@pytest.mark.parametrize("kind", KINDS)
def test_fresh_processes_draw_the_same_pieces(kind: str) -> None:
    tokenizer = trained(kind)
    program = (
        "import sys; from mt.tokenizer import Tokenizer; "
        "tokenizer = Tokenizer(sys.stdin.buffer.read()); "
        "print(tokenizer.sample(sys.argv[1:], 0.3, seed=5))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", program, *SOURCES],
            input=tokenizer.content,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for _ in range(2)
    ]
    assert answers == [f"{tokenizer.sample(SOURCES, 0.3, seed=5)}\n"] * 2

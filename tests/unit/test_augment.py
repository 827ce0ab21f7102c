import re
from collections import Counter
from dataclasses import replace

import pytest

from mt.config import DataConfig
from mt.corpus import Sentences, prepare
from mt.corpus.augment import Augmented
from mt.errors import CorpusError
from mt.tokenizer import train_tokenizers
from support.bundles import SMALL_TOKENIZER, SOURCES, TARGETS, tiny_tokenizers

SOURCE, TARGET = SOURCES[:4], TARGETS[:4]


def augmented(*, seed: int = 1, repeat: int = 1, **options: float) -> Augmented:
    config = DataConfig(
        source_language="de",
        target_language="en",
        train_source=["x"],
        train_target=["y"],
        remove_duplicates=False,
        **options,
    )
    tokenizers = tiny_tokenizers()
    corpus = prepare(SOURCE * repeat, TARGET * repeat, tokenizers, config)
    return Augmented(corpus, tokenizers, config, seed)


def texts(view: Augmented, epoch: int) -> list[tuple[str, str]]:
    corpus = view.epoch(epoch)
    sides = zip((corpus.source, corpus.target), view.tokenizers, strict=True)
    source, target = (
        tokenizer.decode([side[number].tolist() for number in range(len(corpus))])
        for side, tokenizer in sides
    )
    return list(zip(source, target, strict=True))


def rows(view: Augmented, epoch: int) -> list[list[int]]:
    corpus = view.epoch(epoch)
    return [corpus.source[number].tolist() for number in range(len(corpus))]


def test_without_options_every_epoch_is_the_corpus_itself():
    view = augmented()
    assert view.epoch(0) is view.corpus
    assert view.epoch(5) is view.corpus


def test_sampled_pieces_spell_the_same_text_and_change_from_epoch_to_epoch():
    view = augmented(subword_sampling=0.5, repeat=5)
    plain = list(zip(SOURCE, TARGET, strict=True)) * 5
    assert texts(view, 0) == texts(view, 1) == plain
    assert rows(view, 0) != rows(view, 1)
    assert rows(view, 0) != rows(augmented(repeat=5), 0)


def test_an_epoch_is_the_same_whenever_it_is_asked_for():
    options = {"subword_sampling": 0.5, "joined_share": 0.5, "repeat": 5}
    first, later = augmented(**options), augmented(**options)
    later.epoch(0)
    assert rows(first, 3) == rows(later, 3)
    assert rows(first, 3) != rows(augmented(seed=2, **options), 3)


def test_noise_is_on_the_source_alone_and_new_in_every_epoch():
    view = augmented(noise_drop=0.2, noise_shuffle=3, repeat=5)
    sources, targets = zip(*texts(view, 0), strict=True)
    assert list(targets) == TARGET * 5
    words = [
        (set(found.split()), set(true.split()))
        for found, true in zip(sources, SOURCE * 5, strict=True)
    ]
    assert all(found <= true for found, true in words)
    assert any(found < true for found, true in words)
    assert rows(view, 0) != rows(view, 1)
    assert rows(view, 1) == rows(augmented(noise_drop=0.2, noise_shuffle=3, repeat=5), 1)


def test_noise_goes_with_the_other_options(monkeypatch):
    options = {"noise_shuffle": 2, "subword_sampling": 0.5, "joined_share": 0.5, "repeat": 5}
    assert rows(augmented(**options), 2) == rows(augmented(**options), 2)
    whole = augmented(noise_drop=0.5, repeat=5)
    monkeypatch.setattr("mt.corpus.augment.BLOCK", 7)
    found = augmented(noise_drop=0.5, repeat=5)
    assert len(found.epoch(0)) == len(whole.epoch(0)) == 20
    assert rows(found, 0)[:7] != rows(found, 0)[7:14]


def test_the_first_epochs_of_a_curriculum_see_short_sources_alone():
    lengths = [4, 1, 3, 3, 2]
    pairs = Sentences.of([[9] * length for length in lengths])
    view = augmented(curriculum_epochs=3)
    view = replace(view, corpus=replace(view.corpus, source=pairs, target=pairs))
    # A quarter, a half, three quarters, all: and whatever is as long as the last of them.
    seen = [view.epoch(number).source.lengths.tolist() for number in range(4)]
    assert seen == [[1, 2], [1, 3, 3, 2], [1, 3, 3, 2], lengths]
    assert view.epoch(1).target.lengths.tolist() == seen[1]
    assert view.epoch(3) is view.corpus


def test_joined_pairs_hold_every_sentence_once_and_stay_together():
    view = augmented(joined_share=1.0, repeat=10, max_pieces=60)
    seen: Counter[tuple[str, str]] = Counter()
    translation = dict(zip(SOURCE, TARGET, strict=True))
    for source, target in texts(view, 0):
        parts = _sentences(source)
        assert " ".join(translation[part] for part in parts) == target
        seen.update((part, translation[part]) for part in parts)
    assert set(seen.values()) == {10}
    assert len(view.epoch(0)) < 40


def test_no_joined_side_is_longer_than_allowed():
    view = augmented(joined_share=1.0, repeat=10, max_pieces=40)
    corpus = view.epoch(0)
    assert max(corpus.source.lengths.max(), corpus.target.lengths.max()) <= 40


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_share_bounds_how_many_pairs_are_joined(share):
    view = augmented(joined_share=share, repeat=10, max_pieces=100)
    alone = sum(source in SOURCE for source, _ in texts(view, 0))
    assert alone >= (1 - share) * 40


NUMBERED = [("Seite 12 von 99.", "The 12 of 99."), ("Im Jahr 1984", "In 1984")]
UNNUMBERED = [("Um 8", "At eight"), ("Hast du Hunger?", "Are you hungry?")]


def numbered(**options: float) -> Augmented:
    view = augmented()
    config = view.config.model_copy(update=options)
    pairs = NUMBERED + UNNUMBERED * 4
    source, target = ([pair[side] for pair in pairs] for side in (0, 1))
    tokenizers = train_tokenizers(
        [*SOURCES, "0123456789"],
        [*TARGETS, "0123456789"],
        SMALL_TOKENIZER.model_copy(update={"split_digits": True}),
    )
    return Augmented(prepare(source, target, tokenizers, config), tokenizers, config, 1)


@pytest.mark.parametrize("sampling", [0.0, 0.5])
def test_copies_with_other_numbers_stand_behind_the_pairs_and_change_each_epoch(sampling):
    options = {"numbers_share": 0.6, "subword_sampling": sampling}
    view = numbered(**options)
    found = texts(view, 0)
    assert found[:10] == NUMBERED + UNNUMBERED * 4
    assert len(found) == 16
    for source, target in found[10:]:
        numbers = re.findall("[0-9]+", source)
        assert numbers == re.findall("[0-9]+", target)
        assert re.sub("[0-9]", "#", source) in ("Seite ## von ##.", "Im Jahr ####")
    assert len(set(found[10:])) > 3
    assert found[10:] != texts(view, 1)[10:]
    assert texts(view, 1) == texts(numbered(**options), 1)


def test_copies_with_other_numbers_are_joined_like_the_rest():
    found = texts(numbered(numbers_share=0.6, joined_share=1.0, max_pieces=100), 0)
    assert len(found) < 16
    assert sum(len(re.findall("Seite|Jahr", source)) for source, _ in found) == 8


def test_text_without_shared_numbers_gives_no_copies_and_is_refused():
    view = augmented(numbers_share=0.5)
    with pytest.raises(CorpusError, match=r"data.numbers_share = 0.5: no training pair has"):
        view.epoch(0)


def _sentences(joined: str) -> list[str]:
    """The sentences of SOURCE that a joined text is made of."""
    found = []
    while joined:
        first = next(sentence for sentence in SOURCE if joined.startswith(sentence))
        found.append(first)
        joined = joined[len(first) :].lstrip()
    return found

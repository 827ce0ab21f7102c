"""Subword models of a few dozen sentences: there and back, and what they cannot spell."""

from __future__ import annotations

import io

import pytest
import sentencepiece

from mt.config import TokenizerConfig
from mt.errors import BundleError, ConfigError
from mt.tokenizer import Tokenizer, TokenizerPair, train_tokenizers
from mt.tokens import BEGIN, END, PAD, UNKNOWN
from support.bundles import SMALL_TOKENIZER, SOURCES, TARGETS, tiny_tokenizers

KINDS = ["bpe", "unigram"]


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> TokenizerPair:
    return trained(kind=request.param)


@pytest.fixture
def german() -> Tokenizer:
    return tiny_tokenizers().source


def trained(**changes: object) -> TokenizerPair:
    return train_tokenizers(SOURCES, TARGETS, SMALL_TOKENIZER.model_copy(update=changes))


def foreign_model(**changes: int) -> bytes:
    """A SentencePiece model as another project might train it."""
    model = io.BytesIO()
    ids = {"pad_id": PAD, "unk_id": UNKNOWN, "bos_id": BEGIN, "eos_id": END} | changes
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SOURCES), model_writer=model, vocab_size=80, minloglevel=2, **ids
    )
    return model.getvalue()


# There and back


def test_training_text_comes_back_as_it_was(pair):
    assert pair.source.decode(pair.source.encode(SOURCES)) == SOURCES
    assert pair.target.decode(pair.target.encode(TARGETS)) == TARGETS


def test_training_text_has_no_special_ids(pair):
    assert all(piece > END for row in pair.source.encode(SOURCES) for piece in row)


def test_ids_are_below_the_vocabulary_size(pair):
    assert len(pair.source) == SMALL_TOKENIZER.vocabulary_size
    assert all(piece < len(pair.source) for row in pair.source.encode(SOURCES) for piece in row)


def test_subwords_are_shorter_than_words_and_longer_than_letters(pair):
    words = ["Der", "Hund", "schläft", "im", "Schnee."]
    (row,) = pair.source.encode([" ".join(words)])
    assert len(words) < len(row) < len(" ".join(words))


def test_pieces_spell_the_text_with_a_mark_for_each_word(german):
    pieces = german.pieces(german.encode(["Guten Morgen."])[0])
    assert "".join(pieces) == "▁Guten▁Morgen."


def test_texts_are_encoded_one_by_one(german):
    assert german.encode([]) == []
    assert german.decode([]) == []
    assert german.encode(["", "Ja", ""])[::2] == [[], []]
    assert german.decode([[], german.encode(["Hund"])[0]]) == ["", "Hund"]


def test_special_ids_write_nothing(german):
    row = german.encode(["Guten Morgen."])[0]
    decorated = [BEGIN, UNKNOWN, *row, UNKNOWN, END, PAD, PAD]
    assert german.decode([decorated]) == ["Guten Morgen."]


def test_the_names_of_special_ids_are_plain_text(german):
    for name in ("<pad>", "<unk>", "<s>", "</s>"):
        assert not {PAD, BEGIN, END} & set(german.encode([name])[0])


# What the vocabulary cannot spell


@pytest.mark.parametrize("character", ["犬", "Ω", "😀", "\U0010ffff"])
def test_an_unknown_character_is_the_unknown_token(german, character):
    known, row = german.encode(["Hund", f"Hund{character}"])
    assert row == [*known, UNKNOWN]
    assert german.decode([row]) == ["Hund"]


@pytest.mark.parametrize("normalization", ["nmt_nfkc", "nfkc", "identity"])
def test_half_a_surrogate_pair_is_unknown_and_never_lost(normalization):
    german = trained(normalization=normalization).source
    # High, low, the usual sign for either, and a pair the wrong way round.
    for text in ("\ud800", "\udc00", "\ufffd", "\ude00\ud83d"):
        assert UNKNOWN in german.encode([text])[0]
        assert UNKNOWN in german.encode([f"Hund{text}e"])[0]


def test_two_halves_that_belong_together_are_one_character():
    smiling = [*SOURCES, "Ja 😀"]
    tokenizer = train_tokenizers(smiling, TARGETS, SMALL_TOKENIZER).source
    assert tokenizer.encode(["Ja \ud83d\ude00"]) == tokenizer.encode(["Ja 😀"])
    assert UNKNOWN not in tokenizer.encode(["Ja 😀"])[0]


# Training


def test_training_repeats_byte_for_byte():
    for kind in KINDS:
        first, second = trained(kind=kind), trained(kind=kind)
        assert first.source.content == second.source.content
        assert first.target.content == second.target.content
        assert first.source.content != first.target.content


def test_both_kinds_are_what_they_are_called():
    assert trained(kind="bpe").source.content != trained(kind="unigram").source.content


def test_a_joint_model_is_one_and_knows_both_languages():
    source, target = trained(joint=True)
    assert source is target
    assert source.decode(source.encode([SOURCES[4], TARGETS[4]])) == [SOURCES[4], TARGETS[4]]


def test_separate_models_know_their_own_language_only():
    source, target = trained()
    assert UNKNOWN in target.encode(["läuft"])[0]
    assert UNKNOWN not in source.encode(["läuft"])[0]


def test_characters_beyond_the_coverage_get_no_piece():
    lines = ["eine Zeile aus Buchstaben " * 40, "ein ß"]
    config = TokenizerConfig(vocabulary_size=30, character_coverage=1.0)
    assert UNKNOWN not in train_tokenizers(lines, lines, config).source.encode(["ß"])[0]
    rarer = config.model_copy(update={"character_coverage": 0.995})
    assert UNKNOWN in train_tokenizers(lines, lines, rarer).source.encode(["ß"])[0]


@pytest.mark.parametrize("kind", KINDS)
def test_digits_of_the_text_get_a_piece_however_rare_they_are(kind):
    lines = ["eine Zeile aus Buchstaben 0 1 2 3 4 5 6 7 " * 40, "Zimmer 8 ß"]
    config = TokenizerConfig(kind=kind, vocabulary_size=29, character_coverage=0.98)
    source, _ = train_tokenizers(lines, lines, config)
    unknown = [text for text in [*"0123456789", "ß"] if UNKNOWN in source.encode([text])[0]]
    assert unknown == ["9", "ß"]


def test_digits_may_be_pieces_of_their_own():
    lines = [*SOURCES, *(f"um 1984 {word}" for word in " ".join(SOURCES).split())]
    merged, _ = train_tokenizers(lines, lines, SMALL_TOKENIZER)
    assert "▁1984" in merged.pieces(range(len(merged)))
    config = SMALL_TOKENIZER.model_copy(update={"split_digits": True})
    source, _ = train_tokenizers(lines, lines, config)
    ids = source.encode(["um 1984"])
    assert source.pieces(ids[0])[-4:] == [*"1984"]
    assert source.pieces(source.sample(["um 1984"], 0.5, seed=1)[0])[-4:] == [*"1984"]
    assert source.decode(ids) == ["um 1984"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "lines", "reason"),
    [
        (8000, SOURCES, "Vocabulary size too high (8000). Please set it to a value <= "),
        (16, SOURCES, "Vocabulary size is smaller than required_chars. 16 vs "),
        (16, [], "all are blank or too long"),
        (16, ["", " "], "all are blank or too long"),
        (16, ["a" * 5000], "all are blank or too long"),
    ],
)
def test_a_vocabulary_that_does_not_suit_the_text_is_told(kind, size, lines, reason):
    with pytest.raises(ConfigError) as caught:
        train_tokenizers(lines, TARGETS, TokenizerConfig(kind=kind, vocabulary_size=size))
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(
        f"tokenizer.vocabulary_size = {size} does not suit {len(lines)} lines of text: {reason}"
    )
    for trace in (".cc", ".h(", "/", "[(", "INTERNAL", "Internal"):
        assert trace not in message


def test_training_prints_nothing(capfd):
    trained()
    with pytest.raises(ConfigError):
        trained(vocabulary_size=8000)
    assert capfd.readouterr() == ("", "")


# Loading


def test_a_stored_model_encodes_as_before(pair):
    again = Tokenizer(pair.source.content)
    assert again.encode(SOURCES) == pair.source.encode(SOURCES)
    assert len(again) == len(pair.source)


@pytest.mark.parametrize("content", [b"\x00", b"no model", b"<html>" * 50])
def test_what_is_no_model_is_refused(content):
    with pytest.raises(BundleError, match=r"^the tokenizer is not a SentencePiece model$"):
        Tokenizer(content)


def test_an_empty_model_is_refused():
    with pytest.raises(BundleError, match=r"^the tokenizer "):
        Tokenizer(b"")


def test_a_model_cut_short_is_refused(german):
    with pytest.raises(BundleError, match=r"^the tokenizer is not a SentencePiece model$"):
        Tokenizer(german.content[:-1])


def test_a_model_with_the_projects_special_ids_is_accepted():
    assert len(Tokenizer(foreign_model())) == 80


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"pad_id": -1, "unk_id": 0, "bos_id": 1, "eos_id": 2}, "(-1, 0, 1, 2)"),
        ({"bos_id": 3, "eos_id": 2}, "(0, 1, 3, 2)"),
        ({"pad_id": 3, "eos_id": 0}, "(3, 1, 2, 0)"),
    ],
)
def test_a_foreign_model_with_other_special_ids_is_refused(changes, found):
    with pytest.raises(BundleError) as caught:
        Tokenizer(foreign_model(**changes))
    assert str(caught.value) == (f"the tokenizer has special ids {found}; expected (0, 1, 2, 3)")

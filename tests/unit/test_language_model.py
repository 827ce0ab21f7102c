"""A language model's scores, suggestions and continuations, with weights that were drawn or set."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from mt.bundle import load_bundle, save_bundle
from mt.card import model_card
from mt.config import SearchConfig
from mt.engine.int8 import Int8Engine
from mt.engine.reference import TorchEngine
from mt.errors import BundleError, InputError
from mt.explain.watched import watch, watched_layers
from mt.language_model import LanguageModel, LineScore, perplexity
from mt.lstm import LSTMState
from mt.model import DecoderOnly
from mt.parameters import load_model, trained_parameters
from mt.shapes import parameter_shapes
from mt.tokens import BEGIN, END, PAD, UNKNOWN
from mt.translator import Translator
from support.bundles import TARGETS, tiny_bundle, tiny_language_bundle
from support.models import TARGET_SIZE, language_model_config, padded, tiny_model
from support.scorers import TableScorer, written


@pytest.fixture(scope="module")
def model():
    return LanguageModel.from_bundle(tiny_language_bundle(), engine="fp32")


# The network


def test_it_is_a_decoder_that_starts_from_zeros_whatever_the_source():
    made = tiny_model(1, language_model_config(), dtype=torch.float64)
    assert isinstance(made, DecoderOnly)
    previous = torch.tensor([[BEGIN, 4, 5], [BEGIN, 6, 7]])
    zeros = made.encode(*padded([[END], [END]]))
    assert not zeros.lstm.hidden.any()
    assert not zeros.lstm.cell.any()
    readouts = made(*padded([[9, 8, END], [END]]), previous)
    assert torch.equal(readouts, made(*padded([[END], [END]]), previous))
    state = made.encode(*padded([[END], [END]]))
    for tokens, expected in zip(previous.T, made.logits(readouts), strict=True):
        logits, state = made.step(tokens, state)
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changes", [{}, {"tied_output": False}, {"output_tanh": False, "decoder_layers": 1}]
)
def test_the_int8_engine_has_its_shapes_and_says_much_the_same(changes):
    config = language_model_config(**changes)
    made = tiny_model(2, config)
    parameters = trained_parameters(made)
    shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    assert parameter_shapes(config, TARGET_SIZE, TARGET_SIZE) == shapes
    reference = TorchEngine(made)
    engine = Int8Engine(config, {name: p.detach().numpy() for name, p in parameters.items()})
    state, its_state = (each.start([(), (), ()]) for each in (reference, engine))
    for previous in ([BEGIN] * 3, [4, 5, 6], [7, 4, 4]):
        expected, state = reference.step(np.array(previous), state)
        found, its_state = engine.step(np.array(previous), its_state)
        np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=0.03)


def test_its_cells_can_be_watched():
    made = tiny_model(3, language_model_config(), dtype=torch.float64)
    previous = torch.tensor([[BEGIN, 4, 5, 6]])
    watched = watch(made)
    torch.testing.assert_close(
        watched(*padded([[END]]), previous), made(*padded([[END]]), previous), rtol=0, atol=1e-12
    )
    layers = list(watched_layers(watched.decoder.layers))
    assert [len(layer.activations[0].forget) for layer in layers] == [4, 4]


# Scores


@pytest.fixture(scope="module")
def flat():
    """Nothing but biases: half of all probability is the end's, the rest is shared out evenly."""
    bundle = tiny_language_bundle(deep_output=False, embedding_size=16)
    weights = {name: np.zeros_like(array) for name, array in bundle.weights.items()}
    weights["output_bias"][END] = math.log(len(bundle.tokenizers.target) - 4)
    return LanguageModel.from_bundle(dataclasses.replace(bundle, weights=weights), engine="fp32")


def test_without_a_memory_a_line_is_the_product_of_its_pieces(flat):
    (score,) = flat.score(["Good morning."])
    pieces, others = len(score.pieces) - 1, len(flat.tokenizer) - 4
    expected = [math.log(0.5 / others)] * pieces + [math.log(0.5)]
    assert score.log_probabilities == pytest.approx(expected, abs=2e-3)  # a bias of 16 bits
    assert (score.words, score.pieces[-1]) == (2, "</s>")


def test_with_one_it_is_what_the_equations_say(model):
    network = load_model(tiny_language_bundle()).eval().double()
    (cell,) = network.decoder.layers[0].cells()
    embedding, readout = network.decoder.embedding.weight, network.decoder.readout
    (ids,) = model.tokenizer.encode(["The cat is cold."])
    state, total = LSTMState(*torch.zeros(2, 1, cell.hidden_size, dtype=torch.float64)), 0.0
    with torch.no_grad():
        for previous, token in zip([BEGIN, *ids], [*ids, END], strict=True):
            x = embedding[previous][None]
            gates = cell(x, state)
            state = LSTMState(gates.hidden, gates.cell)
            logits = readout(torch.cat([gates.hidden, x], 1)) @ embedding.T + network.output_bias
            logits[:, [PAD, UNKNOWN, BEGIN]] = -torch.inf  # never written
            total += float(logits.log_softmax(1)[0, token])
    assert model.score(["The cat is cold."])[0].log_probability == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("engine", ["int8", "fp32"])
def test_a_line_scores_alike_alone_and_among_others(engine):
    scorer = LanguageModel.from_bundle(tiny_language_bundle(), engine=engine)
    lines = [TARGETS[0], "", *TARGETS[1:6], "世"]
    together = scorer.score(lines)
    assert [each.status for each in together] == (
        ["scored", "blank"] + ["scored"] * 5 + ["unknown_characters"]
    )
    for line, score in zip(lines, together, strict=True):
        (alone,) = scorer.score([line])
        rounding = 0 if engine == "int8" else 1e-5
        assert alone.pieces == score.pieces
        assert alone.log_probabilities == pytest.approx(
            score.log_probabilities, rel=rounding, abs=rounding
        )


def test_perplexity_is_of_all_lines_together_by_piece_and_by_word(model):
    scores = model.score(["Good night!", "", "Are you hungry?"])
    found = perplexity(scores)
    total = scores[0].log_probability + scores[2].log_probability
    assert (found.words, found.lines) == (5, 2)
    assert found.pieces == len(scores[0].pieces) + len(scores[2].pieces)
    assert found.piece == pytest.approx(math.exp(-total / found.pieces))
    assert found.word == pytest.approx(math.exp(-total / 5))
    assert math.isnan(scores[1].log_probability)
    one_word = LineScore("scored", ("a",) * 200, (-9.0,) * 200, 1)
    found = perplexity([one_word])
    assert (found.piece, found.word) == (pytest.approx(math.exp(9)), math.exp(700))
    with pytest.raises(InputError, match="none of 1 lines"):
        perplexity(scores[1:2])


# What comes next


def test_what_is_suggested_is_as_likely_as_the_steps_say(model):
    found = model.suggest("I have no ", 4)
    (ids,) = model.tokenizer.encode(["I have no"])
    pieces = model.tokenizer.pieces(range(len(model.tokenizer)))
    begins = np.array([piece.startswith("▁") for piece in pieces])

    def after(tokens):
        state = model.start(1)
        for token in [model.begin, *tokens]:
            values, state = model.step(np.array([token]), state)
        return np.exp(values[0].astype(float))

    assert [each.joined for each in found] == [False] * 4
    assert sum(each.probability for each in found) <= 1
    # The best word of one piece, however many pieces the others have.
    first = after(ids)
    best = max(
        (first[token] / first[begins].sum() * after([*ids, token])[begins | ends(pieces)].sum(), t)
        for token, t in enumerate(pieces)
        if begins[token]
    )
    assert found[0].probability >= best[0] - 1e-6
    shown = {each.text: each.probability for each in found}
    if best[1].removeprefix("▁") in shown:
        assert shown[best[1].removeprefix("▁")] == pytest.approx(best[0], rel=1e-4)


def ends(pieces):
    return np.arange(len(pieces)) == END


def test_a_text_may_end_or_its_last_word_go_on_unless_white_space_follows(flat):
    end, *others = flat.suggest("I have no time", 20)
    assert end == ("", False, pytest.approx(0.5, rel=2e-3))
    assert any(each.joined for each in others)
    for beginning in ("I have no time ", ""):
        assert all(each.text and not each.joined for each in flat.suggest(beginning, 20))


def test_draws_begin_as_asked_and_come_again(model):
    drawn = model.sample("The cat", 3, seed=7, most_pieces=12)
    assert len(drawn) == 3
    assert all(each.text.startswith("The cat") for each in drawn)
    assert drawn == model.sample("  The   cat ", 3, seed=7, most_pieces=12)
    assert drawn[0].text == model.sample("The cat", seed=7, most_pieces=12)[0].text
    assert drawn != model.sample("The cat", 3, seed=8, most_pieces=12)
    cold = model.sample("The cat", 2, temperature=1e-6, most_pieces=12)
    (best,) = model.sample("The cat", top_k=1, most_pieces=12)
    assert [each.text for each in cold] == [best.text, best.text]


def test_the_best_continuation_has_the_probability_of_its_pieces(model):
    best, second = model.proceed("The water", 2, most_pieces=8)
    assert best.text != second.text
    assert best.text.startswith("The water")
    state, total = model.start(1), 0.0
    (beginning,) = model.tokenizer.encode(["The water"])
    (whole,) = model.tokenizer.encode([best.text])
    tokens = [*whole, *([END] if best.finished else [])]
    for place, (previous, token) in enumerate(zip([BEGIN, *tokens], tokens, strict=False)):
        values, state = model.step(np.array([previous]), state)
        total += float(values[0, token]) * (place >= len(beginning))
    if whole[: len(beginning)] == beginning:  # and the tokenizer cuts it as the search wrote it
        assert best.log_probability >= total - 1e-4


class TableEngine(TableScorer):
    """A table, which reads no source."""

    def start(self, sources, *, shortlist=0):
        return super().start()


@pytest.mark.parametrize(
    ("width", "alpha", "best"),
    # "1 end" has 0.6 * 0.5, "2 2 end" 0.4 * 0.7: the longer one wins if length counts, and if the
    # beam is wide enough to keep a first token that is not the likeliest.
    [(2, 0.0, 0.30), (2, 3.0, 0.28), (1, 3.0, 0.30)],
)
def test_width_and_length_penalty_of_a_search_are_the_models_own(model, width, alpha, best):
    ends = {(1, 1): [1.0, 0, 0], (1, 2): [1.0, 0, 0], (2, 1): [1.0, 0, 0], (2, 2): [1.0, 0, 0]}
    table = written({(): [0, 0.6, 0.4], (1,): [0.5, 0.25, 0.25], (2,): [0, 0.3, 0.7], **ends})
    options = SearchConfig(beam_size=width, length_penalty=alpha)
    asked = LanguageModel(TableEngine([table]), model.tokenizer, options, name="", language="en")
    (found,) = asked.proceed("", most_pieces=3)
    assert math.exp(found.log_probability) == pytest.approx(best)
    assert len(asked.proceed("", 2, most_pieces=3)) == 2  # the beam is at least as wide


def test_white_space_with_nothing_behind_it_takes_no_suggestions_place(model):
    pieces = model.tokenizer.pieces(range(len(model.tokenizer)))
    odds = {"▁": 0.6, "▁The": 0.3, "▁I": 0.1}
    table = written({(): [odds.get(piece, 0.0) for piece in pieces]}, len(pieces))
    asked = LanguageModel(TableEngine([table]), model.tokenizer, name="", language="en")
    found = [("The", False, pytest.approx(0.3)), ("I", False, pytest.approx(0.1))]
    assert asked.suggest("", 2) == found


def test_a_beginning_that_cannot_be_written_is_refused(model):
    for go_on in (model.suggest, model.sample, model.proceed):
        with pytest.raises(InputError, match=r"^'a 世' has characters that tiny-en cannot write$"):
            go_on("a 世")


# The folder


def test_a_folder_of_it_says_what_it_is(tmp_path):
    bundle = tiny_language_bundle()
    save_bundle(tmp_path, bundle, model_card(bundle))
    stored = LanguageModel.load(tmp_path, engine="fp32")
    assert (stored.name, stored.language) == ("tiny-en", "en")
    assert stored.identity == load_bundle(tmp_path).identity
    card = (tmp_path / "README.md").read_text()
    assert "An LSTM language model." in card
    assert "| Continues | texts in en |" in card
    assert "| Validation perplexity | 21.50, per piece, 95.25 per word, " in card
    for absent in ("Encoder", "Attention", "Longest", "beam", "BLEU"):
        assert absent not in card


def test_only_a_language_model_continues_and_it_translates_nothing():
    with pytest.raises(BundleError, match=r"tiny-de-en translates, .* use mt-translate"):
        LanguageModel.from_bundle(tiny_bundle())
    answering = tiny_bundle().config.model_copy(update={"task": "answer"})
    with pytest.raises(BundleError, match=r"answers questions, .* use mt-answer"):
        LanguageModel.from_bundle(dataclasses.replace(tiny_bundle(), config=answering))
    with pytest.raises(BundleError, match=r"tiny-en is a language model, .* use mt-continue"):
        Translator.from_bundle(tiny_language_bundle())

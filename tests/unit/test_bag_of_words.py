"""The loss of tokens that are foretold in no order."""

from __future__ import annotations

import math

import pytest
import torch

from mt.loss.bag_of_words import BagOfWords
from mt.lstm import LSTMState
from mt.model import DecoderState, Seq2Seq
from mt.tokens import END, PAD, UNKNOWN
from support.models import TARGET_SIZE, tiny_config, tiny_model


def told(bag: BagOfWords, model: Seq2Seq, target: list[list[int]]) -> float:
    """The loss of targets whose sources' summaries are all zero."""
    rows = len(target)
    state = DecoderState(
        LSTMState(torch.ones(2, rows, 4), torch.ones(2, rows, 4)), torch.zeros(rows, 7)
    )
    return bag(state, model.output_weight, torch.tensor(target)).item()


@pytest.fixture
def model() -> Seq2Seq:
    return tiny_model(1)


@pytest.fixture
def bag(model: Seq2Seq) -> BagOfWords:
    """Whatever the summary, p(4) = 1/2, p(5) = 1/4, and the other eleven share a quarter."""
    bag = BagOfWords(model)
    with torch.no_grad():
        bag.readout.bias.zero_()
        bag.bias.fill_(math.log(1 / 44))
        bag.bias[4], bag.bias[5] = math.log(1 / 2), math.log(1 / 4)
    return bag


def test_every_token_counts_as_often_as_it_is_there(bag, model):
    expected = 2 * math.log(2) + math.log(4) + math.log(44)
    assert told(bag, model, [[4, 5, 4, 9]]) == pytest.approx(expected, rel=1e-6)


def test_order_padding_and_special_tokens_do_not_count(bag, model):
    expected = pytest.approx(math.log(2) + math.log(4), rel=1e-6)
    assert told(bag, model, [[4, 5, END]]) == expected
    assert told(bag, model, [[5, UNKNOWN, 4, END, PAD]]) == expected


def test_sentences_add_up(bag, model):
    assert told(bag, model, [[4, END], [5, 4]]) == pytest.approx(
        told(bag, model, [[4, END]]) + told(bag, model, [[5, 4]])
    )


@pytest.mark.parametrize("context_size", [0, 7])
def test_the_gradient_reaches_the_encoder_and_not_the_decoder(context_size):
    model = tiny_model(1, tiny_config(context_size=context_size))
    state = model.encode(torch.tensor([[4, 5, END]]), torch.tensor([3]))
    BagOfWords(model)(state, model.output_weight, torch.tensor([[6, 7, END]])).backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None}
    assert "encoder.embedding.weight" in reached
    assert "decoder.embedding.weight" in reached  # the output layer, to which it is tied
    assert not [name for name in reached if name.startswith("decoder.layers")]
    assert ("bridge.context.weight" in reached) == (context_size > 0)
    assert ("bridge.cell.1.weight" in reached) == (context_size == 0)


def test_a_bridge_that_copies_is_summed_up_too():
    config = tiny_config(bridge="copy", encoder_hidden_size=4, bidirectional=False, context_size=0)
    model = tiny_model(1, config)
    state = model.encode(torch.tensor([[4, END]]), torch.tensor([2]))
    assert BagOfWords(model)(state, model.output_weight, torch.tensor([[6, END]])) > 0


def test_the_vocabulary_is_that_of_the_target(model):
    assert BagOfWords(model).bias.shape == (TARGET_SIZE,)

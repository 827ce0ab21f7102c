"""What an update minimises, term by term."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mt.config import TrainingConfig
from mt.corpus import Batch
from mt.loss.divergence import divergence
from mt.model import Seq2Seq
from mt.tokens import BEGIN, END, PAD
from mt.training.objective import Objective, Terms, token_loss
from support.models import tiny_config, tiny_model

BATCH = Batch(
    source=torch.tensor([[4, 5, END], [6, END, PAD]]),
    source_lengths=torch.tensor([3, 2]),
    previous=torch.tensor([[BEGIN, 5, 7], [BEGIN, 9, END]]),
    target=torch.tensor([[5, 7, END], [9, END, PAD]]),
)


def terms(model: Seq2Seq, **options: Any) -> Terms:
    torch.manual_seed(7)  # the same masks whatever was drawn to make the model
    return Objective(model, TrainingConfig(**options))(model, BATCH)


def noisy() -> Seq2Seq:
    rates = ("embedding_dropout", "layer_dropout", "output_dropout", "word_dropout")
    return tiny_model(1, tiny_config(**dict.fromkeys(rates, 0.3))).train()


def test_without_options_it_is_the_cross_entropy_bit_for_bit():
    model = noisy()
    found = terms(model, label_smoothing=0.1)
    torch.manual_seed(7)
    readouts = model(BATCH.source, BATCH.source_lengths, BATCH.previous)
    loss = token_loss(model, readouts, BATCH.target, smoothing=0.1)
    assert torch.equal(found.total, loss.smoothed)
    assert torch.equal(found.nll, loss.nll)
    assert (found.divergence, found.bag_of_words) == (0, 0)
    assert not list(Objective(model, TrainingConfig()).parameters())


def test_two_passes_without_dropout_are_one():
    model = tiny_model(1)
    once, twice = terms(model), terms(model, r_drop=5.0)
    assert twice.divergence.item() == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(twice.total, once.total)
    torch.testing.assert_close(twice.nll, once.nll)


def test_r_drop_adds_half_its_weight_of_the_divergence_to_the_mean_of_two_passes():
    model = noisy()
    found = terms(model, r_drop=3.0, label_smoothing=0.0)
    torch.manual_seed(7)
    both = Batch(*(torch.cat([each, each]) for each in BATCH))
    readouts = model(both.source, both.source_lengths, both.previous)
    first, second = readouts[:, :2], readouts[:, 2:]
    losses = [token_loss(model, half, BATCH.target, smoothing=0.0).nll for half in (first, second)]
    assert losses[0] != losses[1]
    real = BATCH.target.T != PAD
    apart = divergence(first[real], second[real], model.output_weight, model.output_bias)
    assert found.divergence.item() == pytest.approx(apart.item())
    assert apart > 0.01
    expected = (sum(losses) / 2 + 1.5 * apart).item()
    assert found.total.item() == pytest.approx(expected)
    assert found.nll.item() == pytest.approx((sum(losses) / 2).item())


def test_the_bag_of_words_has_its_weight():
    model = tiny_model(1)
    plain, light, heavy = (terms(model, bag_of_words=weight) for weight in (0.0, 0.25, 1.0))
    assert light.bag_of_words > 0
    assert light.bag_of_words == heavy.bag_of_words
    torch.testing.assert_close(light.total, plain.total + 0.25 * light.bag_of_words)
    torch.testing.assert_close(light.nll, plain.nll)


def test_of_two_passes_the_bag_of_words_is_the_mean():
    model = tiny_model(1)
    once, twice = terms(model, bag_of_words=1.0), terms(model, bag_of_words=1.0, r_drop=1.0)
    torch.testing.assert_close(twice.bag_of_words, once.bag_of_words)


@pytest.mark.parametrize("attention", ["none", "general"])
def test_all_terms_go_with_any_model(attention):
    model = tiny_model(1, tiny_config(attention=attention))
    terms(model, r_drop=1.0, bag_of_words=0.3).total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)

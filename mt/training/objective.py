"""What an update minimises: cross entropy, and what the options add to it.

Knows a model, a batch and the terms of the loss. Does not know optimisers, devices or schedules.

    r_drop > 0         every sentence goes through the model twice, with dropout masks of its own:
                       L = (CE_1 + CE_2) / 2 + (alpha / 2) D      (`mt.loss.divergence`)
                       (weight drop has one mask a batch, so both passes have the same)
    bag_of_words > 0   L + weight * BOW                           (`mt.loss.bag_of_words`)

Liang et al. 2021, eq. 4, is twice this L; halved, it is on the scale of training without it, so
that step size and clipping need not change.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mt.config import TrainingConfig
from mt.corpus import Batch
from mt.loss.bag_of_words import BagOfWords
from mt.loss.cross_entropy import Loss, cross_entropy
from mt.loss.divergence import divergence
from mt.model import Model
from mt.tokens import PAD


class Terms(NamedTuple):
    """Sums over the positions of a batch, each position counted once."""

    total: Tensor
    """What is minimised; carries the gradient."""
    nll: Tensor
    """Negative log-likelihood in nats, without smoothing, of both passes the mean."""
    divergence: Tensor
    """D of the two passes in nats; 0 without R-Drop."""
    bag_of_words: Tensor
    """The loss of the tokens foretold, in nats; 0 without it."""


class Objective(nn.Module):
    """The loss of one model. Its own parameters are those that no part of the model needs."""

    def __init__(self, model: Model, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        self.bag_of_words = BagOfWords(model) if config.bag_of_words else None

    def forward(self, model: Model, batch: Batch) -> Terms:
        """The terms of a batch."""
        config = self.config
        passes = 2 if config.r_drop else 1
        batch = Batch(*(torch.cat([each] * passes) for each in batch)) if passes > 1 else batch
        state = model.encode(batch.source, batch.source_lengths)
        readouts = model.decoder(batch.previous, state)
        loss = token_loss(model, readouts, batch.target, smoothing=config.label_smoothing)
        total, nll = loss.smoothed / passes, loss.nll / passes
        apart, bag = nll.new_zeros(()), nll.new_zeros(())
        if config.r_drop:
            apart = _divergence(model, readouts, batch.target)
            total = total + config.r_drop / 2 * apart
        if self.bag_of_words is not None:
            bag = self.bag_of_words(state, model.output_weight, batch.target) / passes
            total = total + config.bag_of_words * bag
        return Terms(total, nll, apart.detach(), bag.detach())


def token_loss(model: Model, readouts: Tensor, target: Tensor, *, smoothing: float) -> Loss:
    """The cross entropy of readouts [T, B, E] of the targets [B, T]; padding is left out."""
    targets = target.T
    real = targets != PAD
    return cross_entropy(
        readouts[real], model.output_weight, model.output_bias, targets[real], smoothing=smoothing
    )


def _divergence(model: Model, readouts: Tensor, target: Tensor) -> Tensor:
    """Of readouts [T, 2 B, E], where row B + n is the second pass of row n."""
    first, second = readouts.chunk(2, dim=1)
    real = target[: len(target) // 2].T != PAD
    return divergence(first[real], second[real], model.output_weight, model.output_bias)

"""What a source will be translated with, foretold before the first word is written.

Knows the state that a decoder starts from, and the right tokens. Does not know their order: that
is the decoder's own task. The final states are all that a decoder sees of a source, and here they
get a gradient that has not passed through it (Ma et al. 2018, 3; Zhao et al. 2017).

From the summary s of a source, one distribution over the vocabulary for all tokens y_1 ... y_T:

    p = softmax(O (W s + b) + d),     loss = - sum_t log p(y_t)

O is the model's own output layer; W, b and d serve this loss alone and are no part of the model.

Shapes: B sentences, T target positions, E readout width, D width of a summary, V pieces. Logits
are [B, V]: a row for each sentence, not for each position.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mt.lstm import Layer
from mt.model import DecoderState, Model, Seq2Seq
from mt.tokens import END


class BagOfWords(nn.Module):
    """Foretells the tokens of a translation from the state that its decoder starts from."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        assert isinstance(model, Seq2Seq), "a language model has no source to foretell from"
        vocabulary_size, readout_size = model.output_weight.shape
        self.readout = nn.Linear(_summary_size(model), readout_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def forward(self, state: DecoderState, weight: Tensor, target: Tensor) -> Tensor:
        """The loss in nats, summed over tokens; special ones, such as the end, do not count.

        Args:
            state: of B sentences, before the first step.
            weight: [V, E], the model's output layer.
            target: [B, T], padded.
        """
        logits = F.linear(self.readout(_summary(state)), weight, self.bias)
        log_p = logits.log_softmax(dim=1, dtype=self.bias.dtype)
        return -(log_p.gather(1, target) * (target > END)).sum()


def _summary(state: DecoderState) -> Tensor:
    """[B, D]: the context that is fed at every step, or all first states where there is none."""
    if state.context.shape[1]:
        return state.context
    return torch.cat([*state.lstm.hidden, *state.lstm.cell], dim=-1)


def _summary_size(model: Seq2Seq) -> int:
    if model.bridge.context is not None:
        return model.bridge.context.out_features
    top = model.decoder.layers[-1]
    assert isinstance(top, Layer)
    return 2 * len(model.decoder.layers) * top.hidden_size

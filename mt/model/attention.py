"""Attention: for each target position, a mean of the source's states, weighted by their fit.

Knows queries, what is remembered of a source, and the scores of the literature. Does not know
layers, tokens or search, nor where the context goes: `decoder.py` gives it to the output alone and
never back into the layers (no input feeding), so that a decoder still runs over a whole target at
once.

With h_t the state of the decoder at target position t and s_j the encoder's at source position j:

    e_tj = score(h_t, s_j)      a_tj = exp(e_tj) / sum_k exp(e_tk)      c_t = sum_j a_tj s_j

    dot         h_t . s_j                           Luong et al. 2015, 3.1
    general     h_t . W_a s_j                       the same
    additive    v_a . tanh(W_a h_t + U_a s_j)       Bahdanau et al. 2015, A.1.2

Luong's order of things in all three: h_t has read the token before position t, where Bahdanau's
query is the state before that. Sums go over the true positions of a source and no others.

Shapes: B sentences, N rows (sentences or hypotheses), S source positions, T target positions, H
width of the queries and of the keys (of both in dot), W width of what is remembered.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Score = Literal["dot", "general", "additive"]


class Memory(NamedTuple):
    """What attention looks back at. Rows of the same sentence share it."""

    keys: Tensor
    """[B, S, H] what queries are compared with; made once a sentence."""
    values: Tensor
    """[B, S, W] what is averaged."""
    padding: Tensor
    """[B, S] whether a position lies behind the sentence's end."""
    sentences: Tensor | None = None
    """[N] the sentence of each row; None where each sentence is one row."""

    def select(self, rows: Tensor) -> Memory:
        """What the given rows look at; they may repeat and come in any order."""
        chosen = rows if self.sentences is None else self.sentences.index_select(0, rows)
        return self._replace(sentences=chosen)

    def by_row(self) -> Memory:
        """The same, written out for each row: [N, S, H], [N, S, W], [N, S]."""
        if self.sentences is None:
            return self
        keys, values, padding = (each.index_select(0, self.sentences) for each in self[:3])
        return Memory(keys, values, padding)


class Attended(NamedTuple):
    """What came of looking back."""

    context: Tensor
    """[N, T, W]: c_t."""
    weights: Tensor
    """[N, T, S]: a_tj, which sum to 1 over j and are 0 in padding."""


class Attention(nn.Module):
    """One of the scores, with its parameters: W_a and U_a [H, .], v_a [H]; dot has none."""

    def __init__(self, score: Score, query_size: int, memory_size: int) -> None:
        """`query_size` is H, `memory_size` W; they are the same where the score is dot."""
        super().__init__()
        assert score != "dot" or query_size == memory_size, (query_size, memory_size)
        self.score = score
        if score == "general":
            self.W_a = _xavier(query_size, memory_size)
        elif score == "additive":
            self.W_a = _xavier(query_size, query_size)
            self.U_a = _xavier(query_size, memory_size)
            self.v_a = nn.Parameter(torch.empty(query_size).normal_(std=query_size**-0.5))

    def remember(self, states: Tensor, lengths: Tensor) -> Memory:
        """The encoder's states [B, S, W] and lengths [B] of sentences -> what to look back at."""
        positions = torch.arange(states.shape[1], device=states.device)
        padding = positions >= lengths.to(states.device)[:, None]
        return Memory(self._keys(states), states, padding)

    def forward(self, queries: Tensor, memory: Memory) -> Attended:
        """Look back from each of queries [N, T, H]; the weights are computed in fp32 at least."""
        keys, values, padding, _ = memory.by_row()
        scores = self._scores(queries, keys)
        exact = torch.promote_types(scores.dtype, torch.float32)
        masked = scores.to(exact).masked_fill(padding[:, None], -torch.inf)
        weights = masked.softmax(dim=-1)
        return Attended(weights.to(values.dtype) @ values, weights)

    def _keys(self, states: Tensor) -> Tensor:
        match self.score:
            case "dot":
                return states
            case "general":
                return F.linear(states, self.W_a)
            case "additive":
                return F.linear(states, self.U_a)

    def _scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """[N, T, H] and [N, S, H] -> [N, T, S]"""
        if self.score != "additive":
            return queries @ keys.transpose(1, 2)
        sums = F.linear(queries, self.W_a)[:, :, None] + keys[:, None]  # [N, T, S, H]
        return torch.tanh(sums) @ self.v_a


def _xavier(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(rows, columns)))

"""The plainest encoder-decoder in bare torch: what is left of our model without any of our code.

Knows nn.LSTM, its greedy loop and its training step, written as one would write them first. Does
not know this project's layers, search or loss: it is what those are compared with. Its weights are
also what other programs are given.

Shapes: B sentences, S source positions, T target positions, V pieces. Time first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from mt.bundle import Bundle
from mt.config import ModelConfig, TrainingConfig
from mt.errors import BundleError
from mt.tokens import BEGIN, END, PAD, UNKNOWN

Tokens = Sequence[int]

_PLAIN: dict[str, Any] = {
    "attention": "none",
    "bidirectional": False,
    "reverse_source": True,
    "bridge": "copy",
    "context_size": 0,
    "deep_output": False,
    "tied_output": False,
    "output_tanh": True,
    "coupled_gates": False,
    "peepholes": False,
    "layer_norm": False,
    "residual": False,
}


def check_plain(config: ModelConfig) -> None:
    """Refuse a model that other programs do not have.

    Raises:
        BundleError: an option differs from those of scripts/recipes/multi30k-de-en-plain.toml.
    """
    for name, value in _PLAIN.items():
        found = getattr(config, name)
        if found != value:
            raise BundleError(
                f"model.{name} = {found}, but a bare torch loop and other programs have {value}: "
                "give them a model of the recipe multi30k-de-en-plain"
            )


def plain_shape(bundle: Bundle) -> dict[str, Any]:
    """Sizes, special tokens and how training goes, by names that a driver understands."""
    config, training = bundle.config.model, TrainingConfig()
    return {
        "layers": config.encoder_layers,
        "embedding_size": config.embedding_size,
        "hidden_size": config.encoder_hidden_size,
        "source_size": len(bundle.tokenizers.source),
        "target_size": len(bundle.tokenizers.target),
        "dropout": config.layer_dropout,
        "learning_rate": training.learning_rate,
        "label_smoothing": training.label_smoothing,
        "clip_norm": training.clip_norm,
        "special": {"pad": PAD, "unknown": UNKNOWN, "begin": BEGIN, "end": END},
    }


def plain_weights(bundle: Bundle) -> dict[str, NDArray[np.float32]]:
    """The weights of a plain model under the names of `BareModel`, in fp32.

    Raises:
        BundleError: the model is not plain.
    """
    check_plain(bundle.config.model)
    ours = {name: array.astype(np.float32) for name, array in bundle.weights.items()}
    weights = {
        "source_embedding.weight": ours["encoder.embedding.weight"],
        "target_embedding.weight": ours["decoder.embedding.weight"],
        "output.weight": ours["separate_output"],
        "output.bias": ours["output_bias"],
    }
    for side in ("encoder", "decoder"):
        for layer in range(bundle.config.model.encoder_layers):
            for part in ("weight_ih", "weight_hh", "bias_ih"):
                array = ours[f"{side}.layers.{layer}.fused.{part}_l0"]
                weights[f"{side}.{part}_l{layer}"] = array
            # nn.LSTM adds a second bias, which this project leaves at zero.
            weights[f"{side}.bias_hh_l{layer}"] = np.zeros_like(array)
    return weights


class BareModel(nn.Module):
    """Embeddings, two nn.LSTM and an output layer."""

    def __init__(self, shape: dict[str, Any]) -> None:
        super().__init__()
        sizes = (shape["embedding_size"], shape["hidden_size"], shape["layers"])
        self.source_embedding = nn.Embedding(shape["source_size"], shape["embedding_size"])
        self.target_embedding = nn.Embedding(shape["target_size"], shape["embedding_size"])
        self.encoder = nn.LSTM(*sizes, dropout=shape["dropout"])
        self.decoder = nn.LSTM(*sizes, dropout=shape["dropout"])
        self.output = nn.Linear(shape["hidden_size"], shape["target_size"])
        self.dropout = nn.Dropout(shape["dropout"])
        self.label_smoothing: float = shape["label_smoothing"]

    @classmethod
    def of(cls, bundle: Bundle) -> BareModel:
        """A plain bundle's model.

        Raises:
            BundleError: the bundle's model is not plain.
        """
        weights = {name: torch.from_numpy(w) for name, w in plain_weights(bundle).items()}
        model = cls(plain_shape(bundle))
        model.load_state_dict(weights)
        return model

    @torch.inference_mode()
    def translate(self, sources: Sequence[Tokens], longest: int) -> list[list[int]]:
        """Greedy, up to the step at which every sentence has ended; the longest source first."""
        self.eval()
        state = self._encode(sources)
        previous = torch.full((len(sources),), BEGIN)
        ended = torch.zeros(len(sources), dtype=torch.bool)
        written = []
        for _ in range(longest):
            outputs, state = self.decoder(self.target_embedding(previous)[None], state)
            previous = self.output(outputs[0]).argmax(dim=1)
            written.append(previous)
            ended |= previous == END
            if ended.all():
                break
        rows: list[list[int]] = torch.stack(written, dim=1).tolist()
        return [row[: row.index(END)] if END in row else row for row in rows]

    def loss(self, sources: Sequence[Tokens], targets: Sequence[Tokens]) -> Tensor:
        """Mean label-smoothed cross entropy of the target tokens; any order of sentences."""
        self.train()
        previous = _padded([[BEGIN, *target] for target in targets])
        right = _padded([[*target, END] for target in targets])
        embedded = self.dropout(self.target_embedding(previous))
        outputs, _ = self.decoder(embedded, self._encode(sources))
        logits = self.output(self.dropout(outputs))
        return cross_entropy(
            logits.flatten(0, 1),
            right.flatten(),
            ignore_index=PAD,
            label_smoothing=self.label_smoothing,
        )

    def _encode(self, sources: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Final h and c, [layers, B, H] each."""
        rows = [[END, *reversed(source)] for source in sources]
        embedded = self.dropout(self.source_embedding(_padded(rows)))
        lengths = torch.tensor([len(row) for row in rows])
        _, state = self.encoder(pack_padded_sequence(embedded, lengths, enforce_sorted=False))
        return state  # type: ignore[no-any-return]  # nn.LSTM's call has no annotations


def _padded(rows: Sequence[Tokens]) -> Tensor:
    """[longest, rows]"""
    return pad_sequence([torch.tensor(row) for row in rows], padding_value=PAD)

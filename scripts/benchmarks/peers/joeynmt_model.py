"""JoeyNMT 2.3: its layers, its search and its loss, with this project's weights.

Knows JoeyNMT, in whose environment it runs; `driver.py` says what is asked.

JoeyNMT itself cannot have our model: its attention is not optional, its encoder has two directions,
its output layer no bias, and of the encoder's states only the top layer's h reaches the decoder. So
here attention is taken out and the states of all layers are handed over. Each change leaves its
program less to do than it does for a model of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import MethodType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

# Imported by the package's modules for features that nothing here calls.
for unused in (
    "torch.utils.tensorboard",
    "matplotlib",
    "matplotlib.pyplot",
    "matplotlib.backends",
    "matplotlib.backends.backend_pdf",
    "matplotlib.figure",
    "sentencepiece",
    "subword_nmt",
):
    sys.modules.setdefault(unused, MagicMock())

from joeynmt.batch import Batch  # noqa: E402  # after the names it needs
from joeynmt.builders import build_gradient_clipper, build_optimizer  # noqa: E402
from joeynmt.decoders import RecurrentDecoder  # noqa: E402
from joeynmt.embeddings import Embeddings  # noqa: E402
from joeynmt.encoders import RecurrentEncoder  # noqa: E402
from joeynmt.model import Model  # noqa: E402
from joeynmt.search import search  # noqa: E402


class Peer:
    """The model, and what searches and trains it."""

    version = version("joeynmt")

    def __init__(self, shape: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        self._special = shape["special"]
        self._model = _model(shape, weights)
        self._model.loss_function = ("crossentropy", shape["label_smoothing"])
        options = {
            "optimizer": "adam",
            "learning_rate": shape["learning_rate"],
            "clip_grad_norm": shape["clip_norm"],
            "clip_grad_val": None,
        }
        self._optimizer = build_optimizer(options, self._model.parameters())
        self._clip = build_gradient_clipper(options)

    def translate(
        self, sources: Sequence[Sequence[int]], beam: int, alpha: float, longest: int
    ) -> list[list[int]]:
        """The best hypothesis of each source, without special tokens."""
        self._model.eval()
        batch = self._batch(sources, None)
        back = batch.sort_by_src_length()
        outputs, _, _ = search(
            self._model, batch, longest, beam, alpha, generate_unk=False, min_output_length=0
        )
        return [self._cut(outputs[row].tolist()) for row in back]

    def train(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> float:
        """One optimisation step; returns the loss of a token."""
        self._model.train()
        batch = self._batch(sources, targets)
        batch.sort_by_src_length()
        loss, _, _, _ = self._model(return_type="loss", **vars(batch))
        mean = batch.normalize(loss, "tokens")
        mean.backward()
        self._clip(parameters=self._model.parameters())
        self._optimizer.step()
        self._model.zero_grad()
        return float(mean.item())

    def _batch(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]] | None
    ) -> Any:
        begin, end, pad = (self._special[name] for name in ("begin", "end", "pad"))
        rows = [[end, *reversed(source)] for source in sources]
        return Batch(
            src=_padded(rows, pad),
            src_length=torch.tensor([len(row) for row in rows]),
            src_prompt_mask=None,
            trg=targets and _padded([[begin, *target, end] for target in targets], pad),
            trg_prompt_mask=None,
            indices=torch.arange(len(rows)),
            device=torch.device("cpu"),
            pad_index=pad,
            eos_index=end,
            is_train=targets is not None,
        )

    def _cut(self, ids: list[int]) -> list[int]:
        end, pad = self._special["end"], self._special["pad"]
        ids = ids[: ids.index(end)] if end in ids else ids
        return [token for token in ids if token != pad]


def _padded(rows: Sequence[Sequence[int]], pad: int) -> Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=pad)


def _model(shape: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Any:
    special = shape["special"]
    sizes = {
        "rnn_type": "lstm",
        "emb_size": shape["embedding_size"],
        "hidden_size": shape["hidden_size"],
        "num_layers": shape["layers"],
        "dropout": shape["dropout"],
        "emb_dropout": shape["dropout"],
    }
    encoder = RecurrentEncoder(**sizes, bidirectional=False)
    decoder = RecurrentDecoder(
        **sizes,
        encoder=encoder,
        attention="luong",
        vocab_size=shape["target_size"],
        hidden_dropout=shape["dropout"],
        init_hidden="zero",
        input_feeding=False,
    )
    _take_attention_out(encoder, decoder, shape["target_size"])
    vocabulary = SimpleNamespace(
        pad_index=special["pad"],
        unk_index=special["unknown"],
        bos_index=special["begin"],
        eos_index=special["end"],
        sep_index=None,
        specials=[],
        lang_tags=[],
    )
    embeddings = [
        Embeddings(shape["embedding_size"], vocab_size=shape[size], padding_idx=special["pad"])
        for size in ("source_size", "target_size")
    ]
    model = Model(encoder, decoder, *embeddings, vocabulary, vocabulary)
    places = {
        "source_embedding": "src_embed.lut",
        "encoder": "encoder.rnn",
        "target_embedding": "trg_embed.lut",
        "decoder": "decoder.rnn",
        "output": "decoder.output_layer",
    }
    state = {}
    for name, weight in weights.items():
        module, _, parameter = name.partition(".")
        state[f"{places[module]}.{parameter}"] = weight
    model.load_state_dict(state)
    return model


def _take_attention_out(encoder: Any, decoder: Any, target_size: int) -> None:
    """Change these two objects; the installed package stays as it is."""
    encoder.forward = MethodType(_encode, encoder)
    decoder.attention = decoder.att_vector_layer = nn.Identity()
    decoder.output_layer = nn.Linear(decoder.hidden_size, target_size)
    decoder._check_shapes_input_forward = lambda **arguments: None
    decoder._init_hidden = lambda encoder_final: encoder_final
    decoder._forward_step = MethodType(_decode_step, decoder)


def _encode(self: Any, src_embed: Tensor, src_length: Tensor, mask: Tensor, **_: Any) -> Any:
    """`RecurrentEncoder.forward` for one direction, which returns all states and no outputs."""
    inputs = self.emb_dropout(src_embed)
    _, states = self.rnn(pack_padded_sequence(inputs, src_length, batch_first=True))
    return src_embed.new_zeros(*src_embed.shape[:2], 1), states


def _decode_step(
    self: Any,
    prev_embed: Tensor,
    prev_att_vector: Tensor,
    encoder_output: Tensor,
    src_mask: Tensor,
    hidden: Any,
) -> Any:
    """`RecurrentDecoder._forward_step` up to where its attention begins."""
    _, hidden = self.rnn(self.emb_dropout(prev_embed), hidden)
    query = self.hidden_dropout(hidden[0][-1].unsqueeze(1))
    return query, hidden, query.new_zeros(len(query), 1, 1)

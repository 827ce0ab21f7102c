"""OpenNMT-py 3.5: its layers, its Translator and its Trainer, with this project's weights.

Knows OpenNMT-py, in whose environment it runs; `driver.py` says what is asked. The model needs no
change to be the same as ours: encoder_type rnn, decoder_type rnn, global_attention none, input_feed
0. What is done here is what its command line does with text and options, for token ids.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any
from unittest.mock import MagicMock

import torch
from torch import Tensor, nn

# Imported by the package's modules for features that nothing here calls.
for unused in ("pyonmttok", "spacy", "ahocorasick", "rapidfuzz", "regex", "fasttext", "sacrebleu"):
    sys.modules.setdefault(unused, MagicMock())

from onmt.constants import DefaultTokens  # noqa: E402  # after the names it needs
from onmt.decoders.decoder import StdRNNDecoder  # noqa: E402
from onmt.encoders.rnn_encoder import RNNEncoder  # noqa: E402
from onmt.models import NMTModel  # noqa: E402
from onmt.modules import Embeddings  # noqa: E402
from onmt.trainer import Trainer  # noqa: E402
from onmt.translate import GNMTGlobalScorer, Translator  # noqa: E402
from onmt.utils import Statistics  # noqa: E402
from onmt.utils.loss import LossCompute  # noqa: E402
from onmt.utils.optimizers import Optimizer  # noqa: E402

Batch = dict[str, Tensor]


class Peer:
    """The model, and what searches and trains it."""

    version = version("OpenNMT-py")

    def __init__(self, shape: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        self._special = shape["special"]
        self._shape = shape
        self._model = _model(shape, weights)
        self._vocabularies = _vocabularies(shape)
        self._trainer: Any = None

    def translate(
        self, sources: Sequence[Sequence[int]], beam: int, alpha: float, longest: int
    ) -> list[list[int]]:
        """The best hypothesis of each source, without special tokens."""
        self._model.eval()
        translator = Translator(
            self._model,
            self._vocabularies,
            beam_size=beam,
            random_sampling_topk=1 if beam == 1 else 0,  # GreedySearch, its faster one of a beam 1
            max_length=longest,
            max_length_ratio=0,
            ban_unk_token=True,
            dump_beam="",
            global_scorer=GNMTGlobalScorer(alpha, 0.0, "wu", "none"),
        )
        found = translator.translate_batch(self._batch(sources), attn_debug=False)
        return [self._cut(best[0].tolist()) for best in found["predictions"]]

    def train(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> float:
        """One optimisation step; returns the loss of a token."""
        self._trainer = self._trainer or self._make_trainer()
        self._model.train()
        begin, end = self._special["begin"], self._special["end"]
        batch = self._batch(sources)
        batch["tgt"] = self._padded([[begin, *target, end] for target in targets])
        tokens = sum(len(target) + 1 for target in targets)
        statistics = Statistics()
        self._trainer._gradient_accumulation([batch], tokens, Statistics(), statistics)
        return float(statistics.loss / tokens)

    def _make_trainer(self) -> Any:
        criterion = nn.CrossEntropyLoss(
            ignore_index=self._special["pad"],
            reduction="sum",
            label_smoothing=self._shape["label_smoothing"],
        )
        rate = self._shape["learning_rate"]
        adam = torch.optim.Adam(self._model.parameters(), lr=rate, betas=(0.9, 0.998))
        return Trainer(
            self._model,
            LossCompute(criterion, self._model.generator),
            None,
            None,
            {},
            Optimizer(adam, rate, max_grad_norm=self._shape["clip_norm"]),
            n_gpu=0,
            norm_method="tokens",
        )

    def _batch(self, sources: Sequence[Sequence[int]]) -> Batch:
        end = self._special["end"]
        rows = [[end, *reversed(source)] for source in sources]
        return {"src": self._padded(rows), "srclen": torch.tensor([len(row) for row in rows])}

    def _padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """[rows, longest, 1], as the package holds a batch."""
        padded = nn.utils.rnn.pad_sequence(
            [torch.tensor(row) for row in rows],
            batch_first=True,
            padding_value=self._special["pad"],
        )
        return padded[:, :, None]

    def _cut(self, ids: list[int]) -> list[int]:
        end = self._special["end"]
        return ids[: ids.index(end)] if end in ids else ids


def _model(shape: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Any:
    dropout, layers, hidden = shape["dropout"], shape["layers"], shape["hidden_size"]
    source, target = (
        Embeddings(shape["embedding_size"], shape[size], shape["special"]["pad"], dropout=dropout)
        for size in ("source_size", "target_size")
    )
    model = NMTModel(
        RNNEncoder("LSTM", False, layers, hidden, dropout, source),
        StdRNNDecoder("LSTM", False, layers, hidden, "none", dropout=dropout, embeddings=target),
    )
    model.generator = nn.Linear(hidden, shape["target_size"])
    places = {
        "source_embedding": "encoder.embeddings.make_embedding.emb_luts.0",
        "encoder": "encoder.rnn",
        "target_embedding": "decoder.embeddings.make_embedding.emb_luts.0",
        "decoder": "decoder.rnn",
        "output": "generator",
    }
    state = {}
    for name, weight in weights.items():
        module, _, parameter = name.partition(".")
        state[f"{places[module]}.{parameter}"] = weight
    nn.Module.load_state_dict(model, state)  # the package's own method reads its checkpoints
    return model


def _vocabularies(shape: Mapping[str, Any]) -> dict[str, Any]:
    """What the Translator asks of a vocabulary: its size and the ids of special tokens."""
    special = shape["special"]
    ids = {
        DefaultTokens.PAD: special["pad"],
        DefaultTokens.UNK: special["unknown"],
        DefaultTokens.BOS: special["begin"],
        DefaultTokens.EOS: special["end"],
    }
    vocabulary = MagicMock()
    vocabulary.lookup_token = lambda token: ids.get(token, special["unknown"])
    vocabulary.__len__.return_value = shape["target_size"]
    return {"src": vocabulary, "tgt": vocabulary, "decoder_start_token": DefaultTokens.BOS}

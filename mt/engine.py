"""What turns a bundle into a scorer that search can ask for the next token.

Knows the model and torch. Does not know texts or beams. The torch engine in fp32 is the
reference that every other engine has to match.

Shapes: B sentences, N rows (hypotheses), V pieces, k best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from mt.bundle import Bundle
from mt.errors import BundleError
from mt.model import DecoderState, Seq2Seq
from mt.search import S, Scorer
from mt.tokens import BEGIN, END, PAD, UNKNOWN


class EngineState(NamedTuple):
    """The decoder's state behind the interface of search, which speaks numpy."""

    decoder: DecoderState

    def select(self, rows: NDArray[np.int64]) -> EngineState:
        device = self.decoder.context.device
        return EngineState(self.decoder.select(torch.from_numpy(rows).to(device)))


class Engine(Scorer[S], Protocol[S]):
    """A scorer that can also read sources."""

    name: str

    def start(self, sources: Sequence[Sequence[int]]) -> S:
        """Token ids of B sources, without special tokens -> the state before the first step."""
        ...


class TorchEngine:
    """The reference: fp32 on the CPU by torch."""

    name = "torch-fp32"
    begin = BEGIN
    end = END

    def __init__(self, model: Seq2Seq) -> None:
        """`model` is shared, not copied; it is used as it is, where it is, at each call."""
        self._model = model

    @property
    def _device(self) -> torch.device:
        return self._model.output_bias.device

    @torch.inference_mode()
    def start(self, sources: Sequence[Sequence[int]]) -> EngineState:
        lengths = torch.tensor([len(source) + 1 for source in sources])
        padded = torch.full((len(sources), int(lengths.max())), PAD)
        for row, source in zip(padded, sources, strict=True):
            row[: len(source) + 1] = torch.tensor([*source, END])
        return EngineState(self._model.encode(padded.to(self._device), lengths))

    def step(
        self, previous: NDArray[np.int64], state: EngineState
    ) -> tuple[NDArray[np.float32], EngineState]:
        """[N] previous tokens and N rows of state -> [N, V] log-probabilities, state after."""
        scores, state = self._step(previous, state)
        return scores.cpu().numpy(), state

    def step_top(
        self, previous: NDArray[np.int64], state: EngineState, k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], EngineState]:
        """As `step`, but only the C = min(k, V) best of each row: ids and log-probabilities [N, C].

        They fall along a row; of equal ones the lower id comes first.
        """
        scores, state = self._step(previous, state)
        values, ids = scores.topk(min(k + 1, scores.shape[1]), dim=1)
        if (values[:, 1:] == values[:, :-1]).any():
            # Rare. Which of equal values topk takes, and in which order, is nowhere promised.
            values, ids = scores.sort(dim=1, descending=True, stable=True)
        return ids[:, :k].cpu().numpy(), values[:, :k].cpu().numpy(), state

    @torch.inference_mode()
    def _step(
        self, previous: NDArray[np.int64], state: EngineState
    ) -> tuple[torch.Tensor, EngineState]:
        logits, decoder = self._model.step(
            torch.from_numpy(previous).to(self._device), state.decoder
        )
        logits[:, [PAD, UNKNOWN, BEGIN]] = -torch.inf
        return logits.log_softmax(dim=1), EngineState(decoder)


def load_engine(bundle: Bundle) -> TorchEngine:
    """Build the model of a bundle.

    Raises:
        BundleError: the weights do not fit the configuration.
    """
    return TorchEngine(load_model(bundle).eval())


def load_model(bundle: Bundle) -> Seq2Seq:
    """The bundle's model in fp32, in training mode.

    Raises:
        BundleError: the weights do not fit the configuration.
    """
    source, target = bundle.tokenizers
    model = Seq2Seq(bundle.config.model, len(source), len(target))
    weights = {name: torch.from_numpy(a.astype(np.float32)) for name, a in bundle.weights.items()}
    _check_shapes(weights, trained_parameters(model))
    model.load_state_dict(weights, strict=False)
    return model


def half_precision(model: Seq2Seq) -> dict[str, NDArray[np.float16]]:
    """The model's parameters as a bundle stores them."""
    return {
        name: parameter.detach().cpu().to(torch.float16).numpy()
        for name, parameter in trained_parameters(model).items()
    }


def trained_parameters(model: Seq2Seq) -> dict[str, torch.nn.Parameter]:
    """All parameters but the constant zero biases of the fused layers (see `mt.lstm`)."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _check_shapes(
    weights: Mapping[str, torch.Tensor], parameters: Mapping[str, torch.nn.Parameter]
) -> None:
    expected = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected | found):
        if found.get(name) != expected.get(name):
            raise BundleError(
                f"the weights do not fit the configuration: {name} has shape "
                f"{found.get(name, 'none')}, expected {expected.get(name, 'none')}"
            )

"""The model itself as an engine, by torch: in fp32 the reference that every other has to match.

Knows the model, torch, devices and their half precisions. Does not know texts or beams.

Shapes: B sentences, N rows (hypotheses), V pieces, k best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mt.engine.shortlist import shortlists
from mt.errors import ConfigError
from mt.lexicon import Lexicon
from mt.model import DecoderState, Model
from mt.search import best_of_each
from mt.tokens import BEGIN, END, NEVER_WRITTEN, PAD


class EngineState(NamedTuple):
    """The decoder's state behind the interface of search, which speaks numpy."""

    decoder: DecoderState
    forbidden: torch.Tensor | None = None
    """[N, V] what a shortlist leaves out, if there is one."""

    def select(self, rows: NDArray[np.int64]) -> EngineState:
        chosen = torch.from_numpy(rows).to(self.decoder.context.device)
        forbidden = None if self.forbidden is None else self.forbidden.index_select(0, chosen)
        return EngineState(self.decoder.select(chosen), forbidden)


class TorchEngine:
    """The model in fp32, bf16, or half precision on a GPU; the decoder's memory is always fp32."""

    begin = BEGIN
    end = END

    def __init__(self, model: Model, name: str = "fp32", lexicon: Lexicon | None = None) -> None:
        """`model`, in evaluation mode, is shared, not copied; it is used where it is."""
        self._model = model
        self._lexicon = lexicon
        self.name = name

    @classmethod
    def load(
        cls,
        model: Model,
        name: str,
        lexicon: Lexicon | None = None,
        threads: int | None = None,
    ) -> TorchEngine:
        """Move a model to where an engine of this name has it.

        Args:
            name: "fp32", "bf16" or "cuda".
            threads: CPU threads of all of torch; torch decides if None.

        Raises:
            ConfigError: there is no CUDA GPU.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        if name == "cuda" and not torch.cuda.is_available():
            raise ConfigError("engine = 'cuda': no CUDA GPU is available; fp32, bf16 and int8 are")
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "cuda": torch.float16}[name]
        device = "cuda" if name == "cuda" else "cpu"
        return cls(model.to(device, dtype).eval(), name, lexicon)

    @property
    def environment(self) -> Mapping[str, Any]:
        """As `Engine.environment`."""
        return {"torch": torch.__version__, "threads": torch.get_num_threads()}

    @torch.inference_mode()
    def start(self, sources: Sequence[Sequence[int]], *, shortlist: int = 0) -> EngineState:
        """As `Engine.start`."""
        assert not self._model.training, "dropout would make translations random: model.eval()"
        lengths = torch.tensor([len(source) + 1 for source in sources])
        padded = torch.full((len(sources), int(lengths.max())), PAD)
        for row, source in zip(padded, sources, strict=True):
            row[: len(source) + 1] = torch.tensor([*source, END])
        state = self._model.encode(padded.to(self._device), lengths)
        decoder = state._replace(lstm=state.lstm._replace(cell=state.lstm.cell.float()))
        return EngineState(decoder, self._forbidden(sources, shortlist) if shortlist else None)

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
        if scores.device.type == "cpu":
            return *best_of_each(scores.numpy(), k), state
        ids, values = best_by_topk(scores, k)
        return ids.cpu().numpy(), values.cpu().numpy(), state

    @property
    def _device(self) -> torch.device:
        return self._model.output_bias.device

    @torch.inference_mode()
    def _step(
        self, previous: NDArray[np.int64], state: EngineState
    ) -> tuple[torch.Tensor, EngineState]:
        logits, decoder = self._model.step(
            torch.from_numpy(previous).to(self._device), state.decoder
        )
        logits = logits.float()  # the best of many are found sooner, and told apart, in fp32
        logits[:, [*NEVER_WRITTEN]] = -torch.inf
        if state.forbidden is not None:
            logits.masked_fill_(state.forbidden, -torch.inf)
        return logits.log_softmax(dim=1), EngineState(decoder, state.forbidden)

    def _forbidden(self, sources: Sequence[Sequence[int]], shortlist: int) -> torch.Tensor:
        forbidden = torch.ones(len(sources), len(self._model.output_bias), dtype=torch.bool)
        for row, ids in zip(forbidden, shortlists(self._lexicon, sources, shortlist), strict=True):
            row[ids] = False
        return forbidden.to(self._device)


def best_by_topk(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and values of the C best of each row of scores [N, V], of equal ones the lower id first.

    For a GPU: on a CPU `best_of_each` is faster.
    """
    values, ids = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    # Which of equal values topk takes, and in which order, is nowhere promised.
    tied = (values[:, 1:] == values[:, :-1]).any(dim=1)
    if tied.any():
        ranked, places = scores[tied].sort(dim=1, descending=True, stable=True)
        values[tied], ids[tied] = ranked[:, : values.shape[1]], places[:, : ids.shape[1]]
    return ids[:, :k], values[:, :k]

"""The unit of a language model that carries agreement from the subject to where it is needed.

Knows choices (`mt.datasets.agreement`), cells and thresholds. Does not know how anything is shown.

Of the choices with a noun or a person besides the one that decides, one half, drawn, fits a
threshold on each unit's cell state c, as it is just before the place; the other half measures it.
The unit that fits best is then taken out: its output gate is held shut, so nobody sees its cell,
itself included (ablation as of Lakretz et al. 2019). How many of the model's choices come out
otherwise says how far they hang on that unit. Its forget gate, where a subject appears and
elsewhere, says whether it makes room for what it has to carry.

Shapes: N choices, T steps of the longest, H units of a layer.
"""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mt.datasets.agreement import SAME, Choice, Kind
from mt.engine.reference import TorchEngine
from mt.explain.agreement import preferences
from mt.explain.labels import word_number
from mt.explain.threshold import fit_thresholds
from mt.explain.watched import watch, watched_layers
from mt.language_model import LanguageModel
from mt.lstm import Layer
from mt.model import Model
from mt.tokenizer import Tokenizer
from mt.tokens import BEGIN, PAD, UNKNOWN

Floats = NDArray[np.float32]

ENOUGH = 20
"""With fewer choices no unit is looked for."""
SEED = 1
SHUTTING_BIAS = -1e4
"""A bias at which a sigmoid is 0, whatever else is added."""
_ROWS = 64
"""Choices read at once."""

SUBJECT, BETWEEN = "at the subject", "at nouns between"
NEW_SUBJECT, MENTIONED = "at a new subject of the other gender", "at a person mentioned"
ELSEWHERE = "elsewhere"


class Forgetting(NamedTuple):
    """The unit's forget gate at places of one sort."""

    where: str
    mean: float
    places: int


class Example(NamedTuple):
    """One choice, and what the unit does at each piece before the place."""

    pieces: tuple[str, ...]
    forget: tuple[float, ...]
    cell: tuple[float, ...]


class Carrier(NamedTuple):
    """The best unit for one kind of choice."""

    kind: Kind
    layer: int
    """Counted from 1, which reads the embeddings."""
    unit: int
    """Counted from 0."""
    fitted: float
    """Share of the choices that its cell tells, on the half that chose it."""
    accuracy: float
    """On the other half, as the two below."""
    whole: float
    """Share that the model gets right."""
    ablated: float
    """The same without the unit."""
    changed: float
    """Share of the choices that come out otherwise without it."""
    choices: int
    """Of the other half."""
    forgetting: tuple[Forgetting, ...]
    example: Example
    """The first with the most words that could mislead."""


def find_carrier(model: Model, tokenizer: Tokenizer, choices: Sequence[Choice]) -> Carrier | None:
    """The unit that tells best which form is right; None if there are too few choices.

    Args:
        model: a language model in evaluation mode; it stays as it is.
        tokenizer: its own.
        choices: all of one kind.
    """
    choices = [c for c in choices if c.others and _can_be_followed(c, tokenizer)]
    if len(choices) < ENOUGH:
        return None
    random.Random(SEED).shuffle(choices)  # their forms may take turns
    pieces = [tokenizer.pieces(ids) for ids in tokenizer.encode([c.before for c in choices])]
    traces = _traces(model, tokenizer, choices)
    labels = np.array([choice.second for choice in choices])
    layer, unit, fitted, accuracy = _best(traces, labels)
    held = choices[1::2]
    before = _outcomes(model, tokenizer, held)
    after = _outcomes(without_unit(model, layer, unit), tokenizer, held)
    return Carrier(
        choices[0].kind,
        layer,
        unit,
        fitted,
        accuracy,
        whole=float(before.mean()),
        ablated=float(after.mean()),
        changed=float((before != after).mean()),
        choices=len(held),
        forgetting=_forgetting(choices, pieces, [f[:, unit] for f in traces[layer - 1].forget]),
        example=_example(choices, pieces, traces[layer - 1], unit),
    )


@torch.no_grad()
def without_unit(model: Model, layer: int, unit: int) -> Model:
    """A copy of a model in which one unit of a decoder layer, counted from 1, gives out nothing."""
    changed = copy.deepcopy(model)
    found = changed.decoder.layers[layer - 1]
    assert isinstance(found, Layer)
    (cell,) = found.cells()
    cell.b_o[unit] = SHUTTING_BIAS
    found.load_cells(cell)
    return changed


class _Traces(NamedTuple):
    """What one layer did before the place of each choice."""

    cell: list[Floats]
    """Of each choice [pieces, H], and so the next."""
    forget: list[Floats]


def _can_be_followed(choice: Choice, tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer has all characters, of both forms too, and the words that there are:
    odd white space may be none to it."""
    forms = [f"{choice.before} {form}" for form in (choice.right, choice.wrong)]
    before, *whole = tokenizer.encode([choice.before, *forms])
    words = word_number(tokenizer.pieces(before))[-1]
    return words == len(choice.before.split()) and not any(UNKNOWN in ids for ids in whole)


@torch.no_grad()
def _traces(model: Model, tokenizer: Tokenizer, choices: Sequence[Choice]) -> list[_Traces]:
    """Of each layer."""
    watched = watch(model)
    layers = [*watched_layers(watched.decoder.layers)]
    found = [_Traces([], []) for _ in layers]
    for start in range(0, len(choices), _ROWS):
        read = tokenizer.encode([choice.before for choice in choices[start : start + _ROWS]])
        lengths = [len(ids) for ids in read]
        previous = torch.full((len(read), max(lengths) + 1), PAD)
        for row, ids in zip(previous, read, strict=True):
            row[: len(ids) + 1] = torch.tensor([BEGIN, *ids])
        # What is read behind a row's end comes too late to change what is looked at.
        watched.decoder(previous, watched.decoder.zero_state(len(read)))
        for traces, layer in zip(found, layers, strict=True):
            (gates,) = layer.activations
            for row, length in enumerate(lengths):
                traces.cell.append(gates.cell[1 : length + 1, row].numpy())
                traces.forget.append(gates.forget[1 : length + 1, row].numpy())
    return found


def _best(traces: Sequence[_Traces], labels: NDArray[np.bool_]) -> tuple[int, int, float, float]:
    """Layer, unit, and its share of right answers on each half."""
    units = []
    for layer, own in enumerate(traces, start=1):
        last = np.stack([cell[-1] for cell in own.cell])
        fitted = fit_thresholds(last[::2], labels[::2])
        accuracy = fitted.accuracy_on(last[1::2], labels[1::2])
        unit = int(fitted.accuracy.argmax())
        units.append((layer, unit, float(fitted.accuracy[unit]), float(accuracy[unit])))
    return max(units, key=lambda each: each[2])


def _outcomes(model: Model, tokenizer: Tokenizer, choices: Sequence[Choice]) -> NDArray[np.bool_]:
    """Whether each choice comes out right."""
    scorer = LanguageModel(TorchEngine(model), tokenizer, name="probed", language="en")
    return np.array([(found or 0) > 0 for found in preferences(scorer, choices)])


def _forgetting(
    choices: Sequence[Choice], pieces: Sequence[Sequence[str]], forget: Sequence[Floats]
) -> tuple[Forgetting, ...]:
    """By sort of place; `forget` is the gate at each piece of each choice."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for choice, own, gate in zip(choices, pieces, forget, strict=True):
        for where, value in zip(_places(choice, own), gate.tolist(), strict=True):
            values[where].append(value)
    order = (SUBJECT, NEW_SUBJECT, BETWEEN, MENTIONED, ELSEWHERE)
    return tuple(
        Forgetting(where, float(np.mean(values[where])), len(values[where]))
        for where in order
        if where in values
    )


def _places(choice: Choice, pieces: Sequence[str]) -> Iterator[str]:
    """What each piece is; of a word of several the last one stands for it."""
    words = word_number(pieces)
    for number, following in zip(words, [*words[1:], 0], strict=True):
        word = number - 1
        if number == following or word not in (choice.decider, *choice.others):
            yield ELSEWHERE
        elif choice.kind == "verb":
            yield SUBJECT if word == choice.decider else BETWEEN
        elif word > choice.decider:
            yield MENTIONED
        elif word == choice.decider > min(choice.others) and choice.case != SAME:
            yield NEW_SUBJECT
        else:
            yield SUBJECT


def _example(
    choices: Sequence[Choice], pieces: Sequence[Sequence[str]], traces: _Traces, unit: int
) -> Example:
    most = max(range(len(choices)), key=lambda n: len(choices[n].others))
    forget, cell = traces.forget[most][:, unit], traces.cell[most][:, unit]
    return Example(tuple(pieces[most]), tuple(forget.tolist()), tuple(cell.tolist()))

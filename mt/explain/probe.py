"""Which units keep track of something: a probe of the encoder's cells over many sentences.

Knows trackers (`mt.explain.labels`) and thresholds (`mt.explain.threshold`). Does not know how its
findings are shown.

Of the sentences that tell something of what is tracked, every second one fits a threshold for each
unit's cell state c, and the others measure it, so that the accuracy of a unit is one on sentences
that had no say in its choice. Beside it stands what one reaches who always says what is said most
often. That single cells track a thing was found by Karpathy, Johnson and Fei-Fei (2015, section
4.2); of what is spread over many units this probe says little.

Shapes: N places (pieces of sentences), U units of a layer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mt.config import ProbeConfig
from mt.explain.activations import encoder_layers
from mt.explain.explainer import Explainer
from mt.explain.labels import Tracker, Values, trackers
from mt.explain.threshold import fit_thresholds
from mt.tokens import END

Floats = NDArray[np.float32]

ENOUGH_SENTENCES = 20
"""With fewer, nothing is probed."""
_ROWS = 64
"""Sentences of equal length read at once."""


class Unit(NamedTuple):
    """A unit that keeps track, as far as its accuracy says so."""

    layer: str
    number: int
    """Counted from 0."""
    cut: float
    above: bool
    """Whether yes is told by c above the cut; else by c below."""
    fitted: float
    """Accuracy on the half that chose it."""
    accuracy: float
    """On the other half."""


class Example(NamedTuple):
    """A sentence of the held-out half, and the best unit's cell state at each piece."""

    pieces: tuple[str, ...]
    labels: tuple[bool, ...]
    cell: tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """What was found of one thing to keep track of."""

    name: str
    told: int
    """Sentences that tell something of it, of those that were looked at."""
    sentences: int = 0
    """Those of them that can be probed, both halves."""
    places: int = 0
    """Pieces of the held-out half."""
    majority: float = 0.0
    """Accuracy of always saying what the fitted half says most often."""
    units: tuple[Unit, ...] = ()
    """Best on the fitted half first; none if too few sentences can be probed."""
    examples: tuple[Example, ...] = ()


class Survey(NamedTuple):
    """What became of the lines of a text."""

    counts: Counter[str]
    """Of lines: read, blank, repeated, too long, and left to be probed."""
    findings: tuple[Finding, ...]


def probe(explainer: Explainer, lines: Sequence[str], config: ProbeConfig) -> Survey:
    """Look for units of the encoder that track what `labels.trackers` has for the language.

    Args:
        explainer: has the model.
        lines: sentences in the source language, with or without line ends; each is one sequence.
        config: how many sentences, how many units.
    """
    sentences, counts = _tokenised(explainer, lines)
    random.Random(config.seed).shuffle(sentences)
    found = trackers(explainer.config.source_language)
    findings = [
        _find(explainer, name, tracker, sentences, config) for name, tracker in found.items()
    ]
    return Survey(counts, tuple(findings))


class _Sentence(NamedTuple):
    tokens: tuple[int, ...]
    pieces: tuple[str, ...]
    values: Values


def _tokenised(
    explainer: Explainer, lines: Sequence[str]
) -> tuple[list[tuple[int, ...]], Counter[str]]:
    """The token ids of the lines that can be probed, each once, and what became of all lines."""
    tokenizer, most = explainer.tokenizers.source, explainer.config.search.max_source_pieces
    counts: Counter[str] = Counter(read=len(lines))
    kept: dict[tuple[int, ...], None] = {}
    for ids in map(tuple, tokenizer.encode([line.strip() for line in lines])):
        if not ids:
            counts["blank"] += 1
        elif len(ids) > most:
            counts["too long"] += 1
        elif ids in kept:
            counts["repeated"] += 1
        else:
            kept[ids] = None
    counts["left"] = len(kept)
    return list(kept), counts


def _find(
    explainer: Explainer,
    name: str,
    tracker: Tracker,
    sentences: Sequence[tuple[int, ...]],
    config: ProbeConfig,
) -> Finding:
    count, chosen = _told(explainer, tracker, sentences, config.sentences)
    if len(chosen) < ENOUGH_SENTENCES:
        return Finding(name, count, len(chosen))
    fitting, held = chosen[::2], chosen[1::2]
    name, cut = _as_question(name, fitting)
    labels, held_labels = _labels(fitting, cut), _labels(held, cut)
    common = labels.mean() > 0.5
    units: list[Unit] = []
    cells, held_cells = _cells(explainer, fitting), _cells(explainer, held)
    for layer, values in cells.items():
        fitted = fit_thresholds(values, labels)
        accuracy = fitted.accuracy_on(held_cells[layer], held_labels)
        each = zip(fitted.cut, fitted.above, fitted.accuracy, accuracy, strict=True)
        units += [
            Unit(layer, number, float(c), bool(above), float(fit), float(other))
            for number, (c, above, fit, other) in enumerate(each)
        ]
    best = sorted(units, key=lambda unit: -unit.fitted)[: config.units]
    return Finding(
        name,
        count,
        len(chosen),
        len(held_labels),
        float((held_labels == common).mean()),
        tuple(best),
        tuple(_examples(held, cut, held_cells[best[0].layer][:, best[0].number])),
    )


def _told(
    explainer: Explainer, tracker: Tracker, sentences: Sequence[tuple[int, ...]], most: int
) -> tuple[int, list[_Sentence]]:
    """How many sentences the tracker tells something of, until there are enough; the first of them.

    Where it says the same all through each of them, as many are taken of which it says yes as of
    which it says no: what is rare could hardly be told from what is always said, and what is always
    said not at all.
    """
    some: list[tuple[int, _Sentence]] = []
    never: list[tuple[int, _Sentence]] = []
    changes = False
    for place, tokens in enumerate(sentences):
        pieces = tuple(explainer.tokenizers.source.pieces(tokens))
        values = tracker(pieces)
        if values is not None:
            changes |= min(values) != max(values)
            (some if any(values) else never).append((place, _Sentence(tokens, pieces, values)))
            enough = len(some) >= most if changes else min(len(some), len(never)) >= most // 2
            if enough:
                break
    count = len(some) + len(never)
    if not changes:
        half = min(len(some), len(never), most // 2)
        some, never = some[:half], never[:half]
    return count, [sentence for _, sentence in sorted(some + never)][:most]


def _as_question(name: str, sentences: Sequence[_Sentence]) -> tuple[str, int]:
    """A name that can be answered by yes or no, and the value above which the answer is yes."""
    values = [value for sentence in sentences for value in sentence.values]
    if max(values) <= 1:
        return name, 0
    middle = int(np.median(values))
    return f"{name} over {middle}", middle


def _labels(sentences: Sequence[_Sentence], cut: int) -> NDArray[np.bool_]:
    """[N]"""
    return np.array([value > cut for sentence in sentences for value in sentence.values])


def _cells(explainer: Explainer, sentences: Sequence[_Sentence]) -> dict[str, Floats]:
    """The cell states of each layer at the pieces of the sentences, in their order: [N, U]."""
    by_layer: dict[str, list[Floats]] = {}
    for places in _of_equal_length(sentences):
        for name, cells in _read(explainer, [sentences[place].tokens for place in places]).items():
            rows = by_layer.setdefault(name, [np.empty(0, np.float32)] * len(sentences))
            for place, row in zip(places, cells, strict=True):
                rows[place] = row
    return {name: np.concatenate(rows) for name, rows in by_layer.items()}


def _of_equal_length(sentences: Sequence[_Sentence]) -> Iterator[list[int]]:
    lengths: dict[int, list[int]] = {}
    for place, sentence in enumerate(sentences):
        lengths.setdefault(len(sentence.tokens), []).append(place)
    for places in lengths.values():
        yield from (places[start : start + _ROWS] for start in range(0, len(places), _ROWS))


@torch.no_grad()
def _read(explainer: Explainer, sources: Sequence[Sequence[int]]) -> dict[str, Floats]:
    """Sources of equal length -> for each layer [sources, pieces, U], without the end token."""
    tokens = torch.tensor([[*source, END] for source in sources])
    lengths = torch.full((len(sources),), tokens.shape[1])
    explainer.watched.encoder(tokens, lengths)
    return {
        layer.name: layer.activations.cell[:-1].transpose(0, 1).numpy()
        for layer in encoder_layers(explainer.watched)
    }


def _examples(held: Sequence[_Sentence], cut: int, cell: Floats) -> Iterator[Example]:
    """Held-out sentences with the cell's states [N]: one with a yes in it first, then without."""
    wanted = [True, False]
    start = 0
    for sentence in held:
        stop = start + len(sentence.pieces)
        labels = tuple(value > cut for value in sentence.values)
        if wanted and any(labels) in wanted:
            wanted.remove(any(labels))
            yield Example(sentence.pieces, labels, tuple(cell[start:stop].tolist()))
        start = stop

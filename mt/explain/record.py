"""An explanation in JSON's types.

Knows the names and the order of its fields. Does not know who reads it. Numbers have six digits
behind the point, but for `full`, whose activations are as exact as they were computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from mt.explain.activations import ObservedLayer
from mt.explain.explainer import Dependence, Explanation
from mt.explain.summaries import summarise


def to_record(
    explanation: Explanation, layers: Iterable[int] | None = None, *, full: bool = False
) -> dict[str, Any]:
    """The explanation.

    Args:
        layers: numbers of the layers to tell of, from 1; all of them if None.
        full: also every activation of every unit, which may be megabytes.
    """
    numbers = range(1, len(explanation.layers) + 1) if layers is None else layers
    attention = explanation.attention
    return {
        "model": explanation.model,
        "sha256": explanation.identity,
        "source": explanation.source,
        "translation": explanation.translation,
        "log_probability": round(explanation.log_probability, 6),
        "source_pieces": list(explanation.source_pieces),
        "target_read": list(explanation.read),
        "target_written": list(explanation.written),
        "layers": [_layer(explanation.layers[number - 1], full) for number in numbers],
        "dependence": [_dependence(each, full) for each in explanation.dependence],
        "attention": None if attention is None else _rounded(attention),
    }


def _layer(layer: ObservedLayer, full: bool) -> dict[str, Any]:
    summaries = {
        name: {kind: _rounded(values) for kind, values in summary._asdict().items()}
        for name, summary in summarise(layer.activations).items()
    }
    record: dict[str, Any] = {
        "layer": layer.name,
        "side": layer.side,
        "depth": layer.depth,
        "backwards": layer.backwards,
        "units": layer.units,
        "summary": summaries,
    }
    if full:
        record["initial_cell"] = layer.initial.cell.tolist()
        record["activations"] = {n: v.tolist() for n, v in layer.activations._asdict().items()}
    return record


def _dependence(each: Dependence, full: bool) -> dict[str, Any]:
    most, unit = each.kept.max(dim=-1)
    record = {
        "layer": each.layer,
        "gradient": _rounded(each.gradient),
        "kept": {"mean": _rounded(each.kept.mean(-1)), "most": _rounded(most)},
        "most_by_unit": unit.tolist(),
    }
    return record | ({"kept_by_unit": each.kept.tolist()} if full else {})


def _rounded(values: Tensor) -> Any:
    return _digits(values.tolist())


def _digits(values: Any) -> Any:
    return [*map(_digits, values)] if isinstance(values, list) else round(values, 6)

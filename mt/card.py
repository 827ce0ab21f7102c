"""The model card: what a bundle is, in words and figures, for people.

Knows a bundle's configuration and record. Does not measure anything: every figure in it was
recorded by training or evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mt.bundle import Bundle, BundleConfig
from mt.config import ModelConfig
from mt.criterion import find_criterion

# They have rows of their own, or are plain sizes.
_TOLD_ELSEWHERE = {
    *("bidirectional", "encoder_layers", "encoder_hidden_size", "decoder_layers"),
    *("decoder_hidden_size", "embedding_size", "context_size", "attention"),
}

_ATTENTION = {
    "none": "none: the decoder sees the encoder's final states only",
    "dot": "dot (Luong et al. 2015): the output looks back at every source position",
    "general": "general (Luong et al. 2015): the output looks back at every source position",
    "additive": "additive (Bahdanau et al. 2015): the output looks back at every source position",
}

_KIND = {
    "translate": "A sequence-to-sequence LSTM translation model",
    "answer": "A sequence-to-sequence LSTM question-answering model",
    "continue": "An LSTM language model",
}
_TOO_LONG = {"sentences": "longer ones are split", "whole": "longer texts are refused"}


def model_card(bundle: Bundle) -> str:
    """A page of Markdown about a bundle; without the rows that its record has nothing to say in."""
    config, record = bundle.config, bundle.record
    model = config.model
    parameters = sum(array.size for array in bundle.weights.values())
    reads = config.task != "continue"
    rows = [
        _task(config),
        *([_encoder(model)] if reads else []),
        ("Decoder", f"LSTM, {_layers(model.decoder_layers, model.decoder_hidden_size)}"),
        *([("Attention", _ATTENTION[model.attention])] if reads else []),
        *_variants(model),
        ("Vocabulary", " + ".join(f"{len(side):,}" for side in dict.fromkeys(bundle.tokenizers))),
        ("Parameters", f"{parameters:,}, stored in half precision"),
        *(_decoding(config) if reads else []),
        *_training(record),
    ]
    table = "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows)
    return f"# {config.name}\n\n{_KIND[config.task]}.\n\n| | |\n|---|---|\n{table}\n"


def parameters_by_part(bundle: Bundle) -> dict[str, int]:
    """Parameters of each part, such as "encoder.embedding"; by name."""
    counts: Counter[str] = Counter()
    for name, array in bundle.weights.items():
        module = name.split(".")[:-1] or [name]  # without the parameter's own name
        counts[".".join(module[:2])] += array.size
    return dict(sorted(counts.items()))


def _task(config: BundleConfig) -> tuple[str, str]:
    if config.task == "answer":
        return "Answers", f"questions in {config.source_language}, in {config.target_language}"
    if config.task == "continue":
        return "Continues", f"texts in {config.target_language}"
    return "Translates", f"{config.source_language} to {config.target_language}"


def _encoder(model: ModelConfig) -> tuple[str, str]:
    directions = "bidirectional" if model.bidirectional else "unidirectional"
    layers = _layers(model.encoder_layers, model.encoder_hidden_size)
    return "Encoder", f"{directions} LSTM, {layers}"


def _layers(count: int, size: int) -> str:
    return f"{count} layer{'' if count == 1 else 's'} of {size}"


def _decoding(config: BundleConfig) -> list[tuple[str, str]]:
    search = config.search
    digits = ", no digits but those of the source" if search.copy_digits else ""
    default = f"beam {search.beam_size}, length penalty {search.length_penalty:g}{digits}"
    return [
        ("Decoding default", default),
        ("Longest segment", f"{search.max_source_pieces} pieces; {_TOO_LONG[config.segmentation]}"),
    ]


def _training(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if "pairs" in record:
        rows.append(("Training text", str(record["pairs"])))
    if "licence" in record:
        rows.append(("Licence of the text", str(record["licence"])))
    if "update" in record:
        rows.append(("Trained for", f"{record['update']:,} updates, epoch {record['epoch'] + 1}"))
    if criterion := find_criterion(record):
        score = f"{record[criterion.key]:.2f}, {criterion.how}"
        if "word_perplexity" in record:
            score += f", {record['word_perplexity']:.2f} per word"
        rows.append((f"Validation {criterion.name}", f"{score}, {record['signature']}"))
    return rows


def _variants(model: ModelConfig) -> list[tuple[str, str]]:
    # Whatever else makes it another model than the plain one; dropout is of training only.
    options = model.model_dump(exclude_defaults=True, exclude=_TOLD_ELSEWHERE)
    named = [f"{k} = {v}" for k, v in options.items() if "drop" not in k]
    return [("Other options", ", ".join(named))] if named else []


def _cell(value: str) -> str:
    # A sacreBLEU signature is full of bars, which would be columns; a licence may have line ends.
    return " ".join(value.split()).replace("|", "\\|")

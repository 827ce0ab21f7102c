"""What a model is for, which a recipe says and the model folder that comes of it.

Knows tasks. Does not know how a model carries one out.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Literal

from pydantic import Field

from mt.config.model import ModelConfig
from mt.config.options import Options

Task = Literal["translate", "answer", "continue"]
Segmentation = Literal["sentences", "whole"]


class Purpose(Options):
    """What a model is for: at the head of a recipe, and in the model folder that comes of it."""

    task: Task = Field("translate", exclude_if=partial(operator.eq, "translate"))
    """What the model does with a text: translate it, answer it (`mt-answer`; source and target
    language may be the same), or continue it (`mt-continue`). What continues texts is a language
    model, a decoder without an encoder: its recipe names the target side of [data] alone, and needs
    no size of an encoder."""
    segmentation: Segmentation = Field("sentences", exclude_if=partial(operator.eq, "sentences"))
    """What a model is given at a time: each sentence of a text by itself, or the text as a whole,
    with its line ends as spaces. A whole text that is longer than `search.max_source_pieces` is
    refused, since nothing may be cut out of it."""


def check_task(task: Task, model: ModelConfig) -> None:
    """Refuse a language model with an encoder, and a translator or answerer without one.

    Raises:
        ValueError: they do not go together.
    """
    if (task == "continue") != (model.encoder_layers == 0):
        raise ValueError(
            'task = "continue" and model.encoder_layers = 0 go together: both say that it is a '
            f"language model (found {task!r} and {model.encoder_layers})"
        )

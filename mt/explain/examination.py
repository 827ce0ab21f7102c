"""A language model asked for agreement: how often it is right, and which units it owes that to.

Knows the order of the steps. Does not know how choices are made (`mt.datasets.agreement`), how
units are found (`mt.explain.carriers`), or how the findings are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from mt.bundle import Bundle
from mt.datasets.agreement import Choice, Kind, choices
from mt.engine.reference import TorchEngine
from mt.errors import ConfigError
from mt.explain.agreement import Accuracy, accuracies
from mt.explain.carriers import Carrier, find_carrier
from mt.language_model import LanguageModel, check_continues
from mt.model import Model
from mt.parameters import load_model
from mt.tokenizer import Tokenizer


class Examination(NamedTuple):
    """What was found."""

    accuracies: list[Accuracy]
    carriers: list[Carrier]
    """For each kind of choice of which there are enough."""


def examine(model: Model, tokenizer: Tokenizer, asked: Sequence[Choice]) -> Examination:
    """Ask a language model for all choices, and look for the units that carry them."""
    scorer = LanguageModel(TorchEngine(model), tokenizer, name="examined", language="en")
    found = (
        find_carrier(model, tokenizer, [choice for choice in asked if choice.kind == kind])
        for kind in get_args(Kind)
    )
    carriers = [carrier for carrier in found if carrier is not None]
    return Examination(accuracies(scorer, asked), carriers)


def examine_bundle(bundle: Bundle, asked: Sequence[Choice] | None = None) -> Examination:
    """The same of a model folder's model, in fp32; by default of the generated test sentences.

    Raises:
        BundleError: it is no language model, or its weights do not fit its configuration.
        ConfigError: it is not of English.
    """
    check_continues(bundle)
    config = bundle.config
    if config.target_language != "en":
        raise ConfigError(
            f"{config.name} is a language model of {config.target_language!r}: agreement is known "
            "of 'en' only"
        )
    model = load_model(bundle).eval()
    return examine(model, bundle.tokenizers.target, choices("test") if asked is None else asked)

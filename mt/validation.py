"""What a model in training is validated by: real translations, real answers, or perplexity.

Knows recipes, and how such a model is asked. Does not know when it is, or what follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mt.config import Recipe
from mt.corpus import Pairs
from mt.engine.reference import TorchEngine
from mt.errors import ConfigError, InputError
from mt.language_model import LanguageModel, perplexity
from mt.model import Model
from mt.planning import Planner
from mt.scoring import bleu, words_of
from mt.scoring.answers import SIGNATURE, allowed_answers, exact_match
from mt.tokenizer import TokenizerPair
from mt.training import Validate
from mt.translator import Translator

T = TypeVar("T")

GREEDY = {"beam_size": 1, "temperature": 0.0, "top_k": 0, "shortlist": 0}
"""What validation has in the place of a recipe's [search]: its figures are to be comparable, and a
model in training has no lexical table yet."""


def make_validator(
    recipe: Recipe, tokenizers: TokenizerPair, text: Pairs, count: int | None = None
) -> Validate:
    """The validator of a run: it gives the scores of a model, what was scored, and an example.

    Args:
        tokenizers: as the model reads and writes.
        text: what to validate on.
        count: at most how many of its lines, evenly spread; `training.validate_sentences` if None.
    """
    kind = _Foretelling if recipe.task == "continue" else _Translating
    return kind(recipe, tokenizers, text, count or recipe.training.validate_sentences)


class _Translating:
    """Translates or answers validation text greedily and scores what comes of it."""

    def __init__(self, recipe: Recipe, tokenizers: TokenizerPair, text: Pairs, count: int) -> None:
        self.sources, self.references = (_spread(side, count) for side in text)
        self.text = text
        self.recipe = recipe
        self.planner = Planner(
            recipe.name,
            tokenizers,
            recipe.search.model_copy(update=GREEDY),
            recipe.data.source_language,
            recipe.data.target_language,
            recipe.task,
            recipe.segmentation,
        )
        if recipe.segmentation == "whole":
            self._check_lengths()

    def __call__(self, model: Model) -> Mapping[str, Any]:
        translator = Translator(TorchEngine(model), self.planner)
        texts = [translation.text for translation in translator.translate(self.sources)]
        return {**self._scores(texts), "sentences": len(texts), "example": texts[0]}

    def _check_lengths(self) -> None:
        """Refuse, before the first update, what the first validation would."""
        for source in self.sources:
            try:
                self.planner.plan(source)
            except InputError as error:
                text = self.recipe.data.valid_source or "the pairs held out"
                line = f"the line that begins {source[:40]!r}"
                raise ConfigError(f"{text}, {line}: {error}") from error

    def _scores(self, texts: Sequence[str]) -> dict[str, Any]:
        if self.recipe.task == "answer":
            allowed = _spread(allowed_answers(*self.text), len(texts))
            return {"exact": exact_match(texts, allowed), "signature": SIGNATURE}
        score = bleu(texts, self.references, words=words_of(self.recipe.data.target_language))
        return {"bleu": score.value, "signature": score.signature}


class _Foretelling:
    """Asks a language model how likely it finds validation text, and for a text of its own."""

    def __init__(self, recipe: Recipe, tokenizers: TokenizerPair, text: Pairs, count: int) -> None:
        self.lines = _spread(text[1], count)
        self.recipe, self.tokenizer = recipe, tokenizers.target

    def __call__(self, model: Model) -> Mapping[str, Any]:
        language_model = LanguageModel(
            TorchEngine(model),
            self.tokenizer,
            name=self.recipe.name,
            language=self.recipe.data.target_language,
        )
        found = perplexity(language_model.score(self.lines))
        return {
            "perplexity": found.piece,
            "word_perplexity": found.word,
            "signature": found.signature,
            "sentences": found.lines,
            "example": language_model.sample("")[0].text,
        }


def _spread(lines: Sequence[T], count: int) -> list[T]:
    """At most count lines, evenly spread over all."""
    count = min(count, len(lines))
    return [lines[number * len(lines) // count] for number in range(count)]

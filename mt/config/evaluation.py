"""How translations are compared.

Knows buckets and tests by name. Does not know a metric.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from mt.config.options import Options, WholeNumbers

Words = Literal["13a", "intl", "zh", "char", "none"]
"""What BLEU counts, by the names of sacreBLEU's tokenizers."""


class EvaluationConfig(Options):
    """How translations are compared: no table of a recipe, and no part of a model folder."""

    paired_test: Literal["randomization", "bootstrap"] = "randomization"
    """Paired test behind the p-values: "randomization" (approximate; Riezler and Maxwell 2005) or
    "bootstrap" (Koehn 2004), which takes more chance differences for real ones."""
    tokenize: Words | None = None
    """What BLEU counts, as sacreBLEU names it: "13a", words and punctuation of a text with spaces;
    "intl", the same by Unicode; "zh" and "char", characters of Chinese and of any text; "none",
    what stands between spaces, for text that is tokenized already. Unset it is "13a", or what suits
    the target language of the first model."""
    length_edges: WholeNumbers = (10, 15, 20, 30)
    """Longest sources, in words, of each bucket but the last."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        edges = self.length_edges
        if any(low >= high for low, high in zip((0, *edges), edges, strict=False)):
            raise ValueError(f"length_edges rise from 1 on (found {list(edges)})")
        return self

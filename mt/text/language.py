"""Which language a text is written in, by py3langid: naive Bayes over byte n-grams.

Knows the languages of that classifier. Does not know which of them a model translates, nor what
is done about a text in the wrong one.

The classifier is read from its package when a text is first asked about: that takes half a second
and some 75 MB, and nobody who asks about no text has to pay for it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from mt.text.verbatim import without_verbatim

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

CLEAR = 0.75
"""Probability from which a text is taken to be in a language that nobody expects, such as the one
translated to. A word or two may belong to either: "Hallo" looks English at 0.65."""

# All letters, and some that are none: fractions and Roman numerals of one character.
_LETTER = re.compile(r"[^\W\d_](?!\ufe0f)")


def has_letters(text: str) -> bool:
    """Whether a text holds anything that a language could be told from, or translated from.

    What is asked everywhere before a text is handed to a model. A letter is one of any script,
    ideographs among them, unless U+FE0F turns it into an emoji. Digits of whatever script are
    none, nor are signs: "12.05.2023" and "3,50 €" have no letter, "5 kg" and "犬" have. Those of
    addresses and placeholders, https://example.com and {name}, do not count: they belong to no
    language (`mt.text.verbatim`).
    """
    return any(match[0].isalpha() for match in _LETTER.finditer(without_verbatim(text)))


def is_rather(text: str, language: str, expected: str) -> bool:
    """Whether a text is clearly in a language instead of the expected one.

    It is if of all languages known that one is the likeliest, and `CLEAR` where the expected one is
    the only other choice. So a text in a third language is not, and no text is where the classifier
    does not know the language.
    """
    if not has_letters(text):
        return False
    probabilities = _probabilities(text)
    here, there = (probabilities.get(code, 0.0) for code in (language, expected))
    return here == max(probabilities.values()) and here >= CLEAR * (here + there)


class Detection(NamedTuple):
    """The language a text seems to be written in."""

    language: str
    confidence: int
    """Percent; 0 where the text gives no hint at all."""


class Detector:
    """Tells a few languages apart.

    Args:
        languages: codes to choose from, the most expected first; it wins a tie.

    Raises:
        ValueError: the classifier does not know one of the languages.
    """

    def __init__(self, languages: Iterable[str]) -> None:
        self._languages = tuple(languages)
        unknown = set(self._languages) - set(_classifier().labels)
        if unknown:
            raise ValueError(f"unknown to py3langid: {', '.join(sorted(unknown))}")

    def rank(self, text: str) -> list[Detection]:
        """The languages that are possible, likeliest first; the expected one if nothing says."""
        shares = self._shares(text)
        ranked = [_detection(*each) for each in sorted(shares.items(), key=lambda each: -each[1])]
        return [each for each in ranked if each.confidence] or ranked[:1]

    def source(self, text: str, target: str) -> Detection:
        """The language to translate a text from.

        The likeliest, where the expected one counts double. But the target only if it is clear,
        since a text in the target language comes back as it is.
        """
        shares, expected = self._shares(text), self._languages[0]
        weights = shares | {expected: 2 * shares[expected]}
        likeliest, *others = sorted(weights, key=lambda code: -weights[code])
        if likeliest == target and shares[target] < CLEAR and others:
            likeliest = others[0]
        return _detection(likeliest, shares[likeliest])

    def _shares(self, text: str) -> dict[str, float]:
        """How likely each of the languages is among them; 0 for all if nothing says."""
        probabilities = _probabilities(text) if has_letters(text) else {}
        shares = {code: probabilities.get(code, 0.0) for code in self._languages}
        total = sum(shares.values())  # 0, too, of a long text that is clearly in none of them
        return {code: share / (total or 1) for code, share in shares.items()}


def _detection(language: str, share: float) -> Detection:
    return Detection(language, round(100 * share))


def _probabilities(text: str) -> dict[str, float]:
    """How likely each language known is; the sum is 1."""
    return dict(_classifier().rank(text))


@functools.cache
def _classifier() -> LanguageIdentifier:
    # Only read afterwards, so that everyone and every thread shares it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

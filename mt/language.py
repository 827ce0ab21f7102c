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

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

CLEAR = 0.75
"""Probability from which a text is taken for another language than the expected one. A word or two
may belong to either ("Hallo" looks English at 0.65), and a text wrongly held to be in the target
language already would come back untranslated."""

# All letters, and some that are none: fractions and Roman numerals of one character.
_LETTER = re.compile(r"[^\W\d_](?!\ufe0f)")


def has_letters(text: str) -> bool:
    """Whether a text holds anything that a language could be told from, or translated from.

    What is asked everywhere before a text is handed to a model. A letter is one of any script,
    ideographs among them, unless U+FE0F turns it into an emoji. Digits of whatever script are
    none, nor are signs: "12.05.2023" and "3,50 €" have no letter, "5 kg" and "犬" have.
    """
    return any(match[0].isalpha() for match in _LETTER.finditer(text))


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

    def detect(self, text: str) -> Detection:
        """The likeliest of the languages, if it is clear; else the most expected one."""
        return self.rank(text)[0]

    def rank(self, text: str) -> list[Detection]:
        """What `detect` finds, and then the other languages that are possible, likeliest first."""
        expected = self._languages[0]
        if not has_letters(text):
            return [Detection(expected, 0)]
        probabilities = _probabilities(text)
        total = sum(probabilities[language] for language in self._languages)
        if not total:  # underflow: a long text that is clearly in none of them
            return [Detection(expected, 0)]
        shares = {language: probabilities[language] / total for language in self._languages}
        likeliest = max(self._languages, key=shares.__getitem__)
        found = likeliest if shares[likeliest] >= CLEAR else expected
        ranked = [Detection(code, round(100 * share)) for code, share in shares.items()]
        ranked.sort(key=lambda each: (each.language != found, -each.confidence))
        return [each for each in ranked if each.confidence or each.language == found]


def _probabilities(text: str) -> dict[str, float]:
    """How likely each language known is; the sum is 1."""
    return dict(_classifier().rank(text))


@functools.cache
def _classifier() -> LanguageIdentifier:
    # Only read afterwards, so that everyone and every thread shares it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

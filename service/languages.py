"""Languages by name, and which of a few languages a text is written in.

Knows codes, English names and the detector. Does not know which languages a model translates.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "eo": "Esperanto", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "mt": "Maltese", "nb": "Norwegian Bokmål", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian",
    "sq": "Albanian", "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
    "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese",
    "zh": "Chinese",
}  # fmt: skip


def language_name(code: str) -> str:
    """The English name of a language, or its code where we have no name for it."""
    return NAMES.get(code, code)


def has_letters(text: str) -> bool:
    """Whether a text holds anything that a language could be told from, or translated from."""
    return any(character.isalpha() for character in text)


CLEAR = 0.75
"""Probability from which a text is taken for another language than the expected one. A word or two
may belong to either ("Hallo" looks English at 0.65), and a text wrongly held to be in the target
language already would come back untranslated."""


class Detection(NamedTuple):
    """The language a text seems to be written in."""

    language: str
    confidence: int
    """Percent; 0 where the text gives no hint at all."""


class Detector:
    """Tells a few languages apart (py3langid, a naive Bayes classifier over byte n-grams).

    Args:
        languages: codes to choose from, the most expected first; it wins a tie.

    Raises:
        ValueError: the classifier does not know one of the languages.
    """

    def __init__(self, languages: Iterable[str]) -> None:
        self._languages = tuple(languages)
        self._identifier = _identifier(frozenset(self._languages))

    def detect(self, text: str) -> Detection:
        """The likeliest of the languages, if it is clear; else the most expected one."""
        if not has_letters(text):
            return Detection(self._languages[0], 0)
        probabilities: dict[str, float] = dict(self._identifier.rank(text))
        language = max(self._languages, key=probabilities.__getitem__)
        if probabilities[language] < CLEAR:
            language = self._languages[0]
        return Detection(language, round(100 * probabilities[language]))


@functools.cache
def _identifier(languages: frozenset[str]) -> LanguageIdentifier:
    # Takes about a second to load and is only read afterwards, so every detector shares it.
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(languages)
    return identifier

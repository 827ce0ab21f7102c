"""Languages as DeepL writes them: codes in upper case, variants of a target, names.

Knows DeepL's codes and names. Does not know which languages a model translates.

A source has no variant: what is written in PT-BR or PT-PT is PT. A target has one where DeepL
distinguishes them, so a model that writes English is offered as EN-GB and as EN-US; both give the
same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from service.texts.languages import language_name

VARIANTS = {"EN": ("EN-GB", "EN-US"), "PT": ("PT-BR", "PT-PT")}
"""What DeepL offers as target in place of a language."""
NAMES = {
    "EN-GB": "English (British)",
    "EN-US": "English (American)",
    "NB": "Norwegian (Bokmål)",
    "PT-BR": "Portuguese (Brazilian)",
    "PT-PT": "Portuguese (European)",
    "ZH-HANS": "Chinese (simplified)",
    "ZH-HANT": "Chinese (traditional)",
}
"""Where DeepL's differ from `service.texts.languages`, or a code is a variant."""


class Listed(NamedTuple):
    """A language as a list of them has it."""

    code: str
    name: str


def source_code(language: str) -> str:
    """DeepL's code of a language that texts are written in."""
    return language.partition("-")[0].upper()


def sources(languages: Iterable[str]) -> list[Listed]:
    """Languages to translate from."""
    return _listed(map(source_code, languages))


def targets(languages: Iterable[str]) -> list[Listed]:
    """Languages to translate to."""
    return _listed(variant for language in languages for variant in _variants(language.upper()))


def _variants(code: str) -> Iterable[str]:
    return VARIANTS.get(code, (code,))


def _listed(codes: Iterator[str]) -> list[Listed]:
    # Once each: models may be of two variants of one language.
    return [Listed(code, _name(code)) for code in sorted(set(codes))]


def _name(code: str) -> str:
    return NAMES.get(code) or language_name(code.lower())

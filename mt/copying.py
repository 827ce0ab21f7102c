"""Which digits the translation of a source may have.

Knows tokenizers and how numbers are written. Does not know how a search obeys
(`mt.search.copying`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mt.config import SearchConfig
from mt.search import DigitRule, Numerals, Spellings, beginning
from mt.segmentation import SPACE
from mt.text.digits import DIGITS, find_numbers, spellings
from mt.tokenizer import RightToLeft, Tokenizer, TokenizerPair
from mt.tokens import UNKNOWN


def digit_rules(
    tokenizers: TokenizerPair,
    languages: tuple[str, str],
    sources: Sequence[Sequence[int]],
    config: SearchConfig,
) -> list[DigitRule | None]:
    """The rule of each source, given as token ids; None where there is none.

    That is where `copy_digits` does not ask for it, and where a source has no digits, or some that
    one of the two vocabularies cannot spell.

    Args:
        languages: of the sources, which says what is a number, and of their translations, which
            says how it is written.
    """
    if not config.copy_digits:
        return [None] * len(sources)
    found = [_numbers(tokenizers, languages, source) for source in sources]
    if not any(found):
        return [None] * len(sources)
    numerals = _numerals(tokenizers.target)
    return [DigitRule(numerals, numbers) if numbers else None for numbers in found]


def _numbers(
    tokenizers: TokenizerPair, languages: tuple[str, str], source: Sequence[int]
) -> list[Spellings]:
    """Those of a source, their characters in the order in which they are written."""
    numerals = tokenizers.source.numerals
    if not any(token in numerals for token in source):
        return []
    if UNKNOWN in source and not DIGITS.issubset(numerals.values()):
        return []  # what is unknown may be a digit
    text = "".join(tokenizers.source.pieces(source)).replace(SPACE, " ")
    if not DIGITS.intersection(text).issubset(tokenizers.target.numerals.values()):
        return []
    step = _step(tokenizers.target)
    return [
        tuple(each.replace(" ", SPACE)[::step] for each in spellings(number, languages[1]))
        for number in find_numbers(text, languages[0])
    ]


def _numerals(target: Tokenizer) -> Numerals:
    step = _step(target)
    texts = {token: text[::step] for token, text in target.numerals.items()}
    # A separator of thousands is such a beginning, or a piece by itself.
    others = {beginning(text) for text in texts.values()} | {",", ".", SPACE}
    tokens = {target.find(text[::step]): text for text in others}
    return Numerals({n: text for n, text in tokens.items() if n != UNKNOWN} | texts)


def _step(target: Tokenizer) -> int:
    """1 if a hypothesis writes characters from the first to the last, -1 for the other order."""
    return -1 if isinstance(target, RightToLeft) else 1

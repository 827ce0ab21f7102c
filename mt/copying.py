"""Which digits the translation of a source may have.

Knows tokenizers and how numbers are written. Does not know how a search obeys
(`mt.search.copying`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mt.config import SearchConfig
from mt.search import DigitRule, Numerals, Spellings, beginning
from mt.segmentation import SPACE
from mt.text.digits import DIGITS, find_numbers, has_rows, spellings
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
    texts = [_text(tokenizers, source) for source in sources]
    if not any(texts):
        return [None] * len(sources)
    numerals = _numerals(tokenizers.target)
    step = _step(tokenizers.target)
    return [
        DigitRule(numerals, _numbers(text, languages, step), rows=has_rows(text, languages[0]))
        if text
        else None
        for text in texts
    ]


def _text(tokenizers: TokenizerPair, source: Sequence[int]) -> str:
    """A source that has digits, all of which can be copied; else nothing."""
    numerals = tokenizers.source.numerals
    if not any(token in numerals for token in source):
        return ""
    if UNKNOWN in source and not DIGITS.issubset(numerals.values()):
        return ""  # what is unknown may be a digit
    text = "".join(tokenizers.source.pieces(source)).replace(SPACE, " ")
    spelled = DIGITS.intersection(text).issubset(tokenizers.target.numerals.values())
    return text if spelled else ""


def _numbers(text: str, languages: tuple[str, str], step: int) -> list[Spellings]:
    """Those of a source, their characters in the order in which they are written."""
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

r"""Where the sentences of a text end, by sentencex and by a few rules more.

Knows sentencex, what it cannot be shown, and full stops that it takes for the end of a sentence and
that are none: titles and ordinal numbers. Does not know lines or cells
(`documents.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

# What sentencex is shown at once, ending with a word where it can: unclosed quotes cost it time
# quadratic in the length.
_WINDOW = re.compile(r".{1,10000}\S{0,100} ?")
_BLANK = re.compile(r"[\s\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

# Behind these a sentence goes on, by language.
_ABBREVIATIONS = {
    "de": "Abs|Bd|Fa|Frl|Hrn|Ing|Kap|Tel|exkl|inkl",
    "en": "Fig|approx",
    "es": "D|Dña",
    "fr": "Dr|M|MM|Mgr|Mlle|Mlles|Mme|Mmes|Pr|Prof|St|Ste|prof",
}
_OPEN = {
    language: re.compile(rf"(?<!\S)[(\"«„]?(?:{words})\.\Z")
    for language, words in _ABBREVIATIONS.items()
}
# "im 19. Jahrhundert", "der 2. Stock": in German a number with a full stop and what it belongs to.
_ORDINAL = re.compile(
    r"(?<!\S)(?:am|im|beim|vom|zum|zur|d(?:er|ie|as|em|en|es)|(?:dies|jed|jen)e[mnrs]?"
    r"|[dkms]?ein(?:e[mnrs]?)?|(?:ih|eu|unse)re?[mnrs]?) \d{1,3}\.\Z",
    re.IGNORECASE,
)
# What it cannot belong to: "Ich komme am 3. Du auch?"
_NO_NOUN = re.compile(
    r"(?:aber|also|bitte|da|dann|das|dem|den|der|die|doch|du|ein|eine|er|es|ich|ihr|ja|man|nein|sie"
    r"|so|und|wann|warum|was|wer|wie|wir|wo)\b",
    re.IGNORECASE,
)


def sentence_ends(text: str, language: str) -> Iterator[int]:
    """Where the sentences of a text without line ends end, the white space behind them included.

    Args:
        language: ISO 639 code in lower case; one that sentencex does not know gets general rules.
    """
    twin = _twin(text)
    start = 0
    while window := _WINDOW.match(twin, start):
        sentences = _joined(_sentences(window[0], language), language)
        if window.end() < len(twin):
            # The last sentence may go on behind the window, so it is looked at again; one that
            # fills the window ends with it.
            sentences = sentences[:-1] or sentences
        for sentence in sentences:
            start += len(sentence)
            yield start


def _twin(text: str) -> str:
    """A text with the same sentences at the same places that is safe to hand to sentencex.

    sentencex 1.0.32 panics on non-ASCII white space in places like "A\\xa0." and cannot take lone
    surrogates; a panic is no `Exception` and would take a worker thread down.
    """
    return _SURROGATE.sub("\ufffd", _BLANK.sub(" ", text))


def _sentences(text: str, language: str) -> list[str]:
    sentences: list[str] = sentencex.segment(language, text)
    # Never seen to differ; text left whole is text kept.
    return sentences if "".join(sentences) == text else [text]


def _joined(sentences: list[str], language: str) -> list[str]:
    """The sentences, those that were cut in two joined again."""
    joined = sentences[:1]
    for sentence in sentences[1:]:
        if _goes_on(joined[-1], sentence, language):
            joined[-1] += sentence
        else:
            joined.append(sentence)
    return joined


def _goes_on(before: str, behind: str, language: str) -> bool:
    tail = before.rstrip()[-30:]  # longer than whatever is looked for
    if language in _OPEN and _OPEN[language].search(tail):
        return True
    return language == "de" and bool(_ORDINAL.search(tail)) and not _NO_NOUN.match(behind)

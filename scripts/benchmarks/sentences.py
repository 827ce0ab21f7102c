"""Distinct sentences to ask a server for, and requests that hold them.

Knows German made of word lists, files of lines, and the bodies of POST /translate. Does not know
connections. No two sentences are equal, so that no cache can answer for a model.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from mt.corpus import read_lines
from mt.errors import ConfigError
from scripts.benchmarks.load import Request

_SUBJECTS = (
    *("Der Hund", "Die Frau", "Ein Kind", "Mein Bruder", "Unser Lehrer", "Das Mädchen"),
    *("Ein Mann", "Meine Schwester", "Der Junge", "Die Katze", "Dein Freund", "Ihre Mutter"),
    *("Der Arzt", "Ein Vogel", "Die Köchin", "Unser Nachbar"),
)
_VERBS = (
    *("läuft", "wartet", "sitzt", "arbeitet", "schläft", "spielt", "singt", "lacht"),
    *("liest", "steht", "tanzt", "weint", "isst", "schreibt", "träumt", "redet"),
)
_TIMES = (
    *("heute", "jeden Tag", "seit gestern", "am Abend", "wieder", "oft", "am Morgen", "selten"),
    *("seit Stunden", "jetzt", "im Winter", "am Sonntag", "noch immer", "bald"),
    *("seit einer Woche", "manchmal"),
)
_MANNERS = (
    *("allein", "mit Freunden", "ohne Pause", "ganz ruhig", "sehr gern", "mit einem Buch"),
    *("ohne Schuhe", "mit viel Freude", "im Regen", "leise", "mit seinem Vater", "ohne Eile"),
    *("mit einem Hut", "trotz der Kälte", "ohne ein Wort", "wie immer"),
)
_PLACES = (
    *("im Garten", "auf der Straße", "vor dem Haus", "in der Schule", "am See", "im Wald"),
    *("auf dem Sofa", "am Fenster", "in der Küche", "auf der Wiese", "im Zug", "am Tisch"),
    *("hinter der Tür", "auf dem Markt", "in der Stadt", "unter dem Baum"),
)
_LISTS = (_SUBJECTS, _VERBS, _TIMES, _MANNERS, _PLACES)
_STEP = 0x9E377
"""Odd, so that its multiples come to every combination before any comes again; and about 0.618 of
their number, so that neighbours differ."""


def endless_sentences(file: Path | None, language: str) -> Iterator[str]:
    """Different sentences without end, in an order that is always the same.

    They are the lines of a file, blank ones and repetitions aside, or else German ones of like
    length. When they run out they come again, each behind the number of the round.

    Args:
        language: code of what is needed.

    Raises:
        ConfigError: the file has no sentence, or it takes a file to have that language.
        CorpusError: the file is missing or damaged.
    """
    if file is not None:
        lines = list(dict.fromkeys(line for line in read_lines(file) if line.strip()))
        if not lines:
            raise ConfigError(f"--source {file}: no sentence in it")
        return _rounds(lambda: lines)
    if language != "de":
        raise ConfigError(f"--source: needed for a model of {language}; made up are German ones")
    return _rounds(_german)


class Pair(NamedTuple):
    """Codes of two languages."""

    source: str
    target: str

    def request(self, text: str | Sequence[str], **more: object) -> Request:
        """POST /translate with a JSON body, of one text or a list of them.

        Args:
            more: further parameters, or others instead.
        """
        body = {"q": text, "source": self.source, "target": self.target, **more}
        characters = len(text) if isinstance(text, str) else sum(map(len, text))
        return post(json.dumps(body).encode(), characters=characters)

    def form(self, text: str) -> Request:
        """The same as a form."""
        return post(
            self._urlencoded(text).encode(),
            content="application/x-www-form-urlencoded",
            characters=len(text),
        )

    def query(self, text: str) -> Request:
        """The same with all parameters in the query string and no body."""
        path = f"/translate?{self._urlencoded(text)}"
        return post(b"", path=path, content=None, characters=len(text))

    def _urlencoded(self, text: str) -> str:
        return urlencode({"q": text, "source": self.source, "target": self.target})


def get(path: str) -> Request:
    """A GET of a path."""
    return Request(_head("GET", path))


def post(
    body: bytes,
    *,
    path: str = "/translate",
    content: str | None = "application/json",
    characters: int = 0,
) -> Request:
    """A POST of any body."""
    headers = [f"Content-Length: {len(body)}"]
    if content is not None:
        headers.append(f"Content-Type: {content}")
    return Request(_head("POST", path, *headers) + body, characters=characters)


def _rounds(sentences: Callable[[], Iterable[str]]) -> Iterator[str]:
    yield from sentences()
    for number in itertools.count(2):
        # No sentence ends with a colon, so a server cannot cut off one that it has had before.
        yield from (f"{number}: {sentence}" for sentence in sentences())


def _german() -> Iterator[str]:
    """Every combination of the words above, a million, neighbours different in every word."""
    count = len(_SUBJECTS) ** len(_LISTS)
    for index in range(count):
        number, words = index * _STEP % count, []
        for choices in _LISTS:
            number, choice = divmod(number, len(choices))
            words.append(choices[choice])
        yield " ".join(words) + "."


def _head(method: str, path: str, *headers: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", "")
    return "\r\n".join(lines).encode()

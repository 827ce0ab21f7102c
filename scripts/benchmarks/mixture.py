"""Requests of every kind, mixed as clients and passers-by mix them, always in the same order.

Knows how often each kind comes and which statuses answer it. Does not know connections: whoever
sends a request of a kind in `ABANDONED` has to leave before its answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from scripts.benchmarks.load import Request
from scripts.benchmarks.sentences import Pair, get, post

LEFT = "left"
"""Outcome of a request whose client did not wait."""
HTML, HALF_SENT = "html", "left while sending"
ABANDONED = (HALF_SENT, "left while waiting")


class Author:
    """Writes texts of sentences that nobody has used yet.

    Args:
        sentences: all different, without end.
    """

    def __init__(self, pair: Pair, sentences: Iterator[str]) -> None:
        self.pair, self._sentences = pair, sentences
        self.random = random.Random(1)

    def sentence(self) -> str:
        return next(self._sentences)

    def several(self, least: int, most: int) -> list[str]:
        return list(islice(self._sentences, self.random.randint(least, most)))

    def document(self) -> str:
        """Some two thousand characters, in lines and paragraphs."""
        sentences = self.several(20, 60)
        ends = self.random.choices([" ", "\n", "\n\n"], [8, 2, 1], k=len(sentences))
        return "".join(each + end for each, end in zip(sentences, ends, strict=True))

    def markup(self) -> str:
        items = "".join(f"<li>{each}</li>" for each in self.several(1, 4))
        link = f'<a href="/x?a=1&amp;b=2">{self.sentence()}</a>'
        return f"<p>{self.sentence()} {link}</p><ul>{items}</ul>"

    def unclosed_json(self) -> bytes:
        return b'{"q": ' + b"[" * self.random.randint(1, 9999)


class Kind(NamedTuple):
    """One kind of request."""

    name: str
    weight: int
    """How often it comes, beside the others."""
    expected: frozenset[str]
    """Outcomes that are right."""
    write: Callable[[Author], Request]


def _kind(name: str, weight: int, expected: str, write: Callable[[Author], Request]) -> Kind:
    return Kind(name, weight, frozenset(expected.split()), write)


KINDS = (
    _kind("single", 30, "200", lambda a: a.pair.request(a.sentence())),
    _kind("list", 15, "200", lambda a: a.pair.request(a.several(2, 10))),
    _kind("long text", 5, "200", lambda a: a.pair.request(a.document())),
    _kind(HTML, 8, "200", lambda a: a.pair.request(a.markup(), format="html")),
    _kind("form", 8, "200", lambda a: a.pair.form(a.sentence())),
    _kind("query string", 4, "200", lambda a: a.pair.query(a.sentence())),
    _kind("alternatives", 4, "200", lambda a: a.pair.request(a.sentence(), alternatives=2)),
    _kind("source=auto", 4, "200", lambda a: a.pair.request(a.sentence(), source="auto")),
    _kind("blank items", 2, "200", lambda a: a.pair.request(["", " \n", "123", a.sentence()])),
    _kind("lone surrogate", 2, "200", lambda a: a.pair.request(f"\ud800 {a.sentence()} \0")),
    # The limit is a setting.
    _kind("too long", 1, "200 400 413", lambda a: a.pair.request(a.sentence() * 500)),
    _kind("no text", 2, "400", lambda a: a.pair.request("")),
    _kind("unknown language", 2, "400", lambda a: a.pair.request(a.sentence(), source="xx")),
    _kind("wrong type", 2, "400", lambda a: a.pair.request(a.sentence(), q=[17])),
    _kind("broken JSON", 2, "400", lambda a: post(a.unclosed_json())),
    _kind("wrong path", 1, "404", lambda a: get(f"/{a.random.getrandbits(64):x}")),
    _kind("wrong method", 1, "405", lambda a: get("/translate")),
    _kind("GET /health", 2, "200", lambda a: get("/health")),
    _kind("GET /languages", 1, "200", lambda a: get("/languages")),
    *(_kind(name, 3, LEFT, lambda a: a.pair.request(a.several(5, 10))) for name in ABANDONED),
)
EXPECTED = {kind.name: kind.expected for kind in KINDS}
"""Outcomes that are right, by name of the kind."""


def mixture(pair: Pair, sentences: Iterator[str], *, html: bool) -> Iterator[Request]:
    """Requests without end.

    Args:
        html: whether `format=html` is served.
    """
    author = Author(pair, sentences)
    kinds = [kind for kind in KINDS if html or kind.name != HTML]
    weights = [kind.weight for kind in kinds]
    while True:
        (kind,) = author.random.choices(kinds, weights)
        yield kind.write(author)._replace(kind=kind.name)

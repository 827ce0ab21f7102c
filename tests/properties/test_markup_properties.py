"""Markup of any kind survives any translation of the texts between it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from mt.markup import Markup, split_markup
from mt.markup.references import escape as escape_text

KINDS = st.sampled_from(["html", "xml"])
# What opens, closes or looks like markup, so that random texts meet it often.
PIECES = [
    *("<", "</", ">", "/>", "<!--", "-->", "--!>", "<!-->", "<!--->", "<!", "<?", "?>", "</>"),
    *("&", ";", "&amp;", "&lt;", "&#60;", "&lt", "&nbsp;", "&#160;", "&#0;", "&#1", "&x;"),
    *('"', "'", "=", '="', "='", " ", "\n", "\r", "\t", "\f", "/", "!", "-", "\xa0", "\u017f"),
    *("a", "ja", "Hund ", "犬", "7", "<a ", "<a href=", "<a title='", '<a title="', "\ud800"),
    *("<p>", "</p>", "<br/>", "<b>", "</b>", "<x>", "</x>", "<code>", "</code>", "<plaintext>"),
    *("<p translate=no>", "<i class='x notranslate'>", "</i>", "<!DOCTYPE ", "[", "]>"),
    *("<script>", "</script>", "<SCRIPT ", "</script", "<style>", "</style>"),
    *("<title>", "</title>", "<textarea>", "</textarea>"),
]
# Not read as browsers do by the parser that the tests compare with, which builds no SVG.
TREACHEROUS = ["<svg>", "</svg>", "<math>", "<noscript>", "</noscript>", "<![CDATA[", "]]>"]
SOUP = st.lists(st.sampled_from(PIECES + TREACHEROUS), max_size=25).map("".join)
TEXTS = st.text(st.characters(exclude_categories=())) | SOUP
IGNORED = st.sampled_from([frozenset(), frozenset({"x"}), frozenset({"X", "b"})])
HOSTILE = [
    "<script>alert(1)</script>",
    "\" onclick=\"x\" ' onclick='x' onclick=x ja",
    "--><img src=x onerror=alert(1)>",
    "]]><b>ja</b>",
    "</title></textarea></style></script><b>ja",
    "&lt;b&gt; &nbsp; &#60;ja",
    "ja\xa0&",
]


def hostile_to(markup: Markup, data: st.DataObject) -> list[str]:
    count = len(markup.texts)
    return data.draw(st.lists(st.sampled_from(HOSTILE), min_size=count, max_size=count))


@given(TEXTS, KINDS, IGNORED)
def test_the_texts_joined_are_the_text(text, kind, ignored):
    markup = split_markup(text, kind, ignored)
    assert markup.join(markup.texts) == text


@given(TEXTS, KINDS)
def test_gaps_and_passages_alternate_through_the_text(text, kind):
    markup = split_markup(text, kind)
    pairs = zip(markup.gaps, (*(each.written for each in markup.passages), ""), strict=True)
    assert "".join(gap + written for gap, written in pairs) == text


@given(TEXTS, KINDS)
def test_every_text_has_a_letter(text, kind):
    texts = split_markup(text, kind).texts
    assert all(any(character.isalpha() for character in text) for text in texts)


@given(SOUP, IGNORED, st.data())
@settings(max_examples=300)
def test_whatever_is_handed_back_is_read_as_text_in_the_same_place(text, ignored, data):
    markup = split_markup(text, "xml", ignored)
    translations = hostile_to(markup, data)
    again = split_markup(markup.join(translations), "xml", ignored)
    assert (again.gaps, again.texts) == (markup.gaps, tuple(translations))


WORDS = st.lists(st.sampled_from(["ja", "Hund", "7", "犬", "2.", "don't", "--", "&"]), max_size=8)
INSIDE = st.lists(st.sampled_from(["<b>", "</b>", "<i>", "</i>", "<a x>", "</a>", " ", "ja"]))


@given(WORDS, INSIDE, WORDS, INSIDE, st.sampled_from(HOSTILE) | WORDS.map(" ".join))
@settings(max_examples=300)
def test_tags_inside_a_text_stay_and_so_do_the_words_of_its_translation(
    one, inside, two, outside, translation
):
    markup = split_markup(" ".join([*one, *inside, *two, *outside]), "html")
    for passage in markup.passages:
        rest, words = passage.join(translation), []
        for tag in passage.tags:
            before, found, rest = rest.partition(tag.written)
            assert found
            words.append(before)
        written = (
            passage.stretches
            if translation == passage.text
            else (escape_text(translation, "html"),)
        )
        assert "".join([*words, rest]) == "".join(written)


@given(st.integers(0, 7), st.integers(1, 8), st.integers(0, 7), st.integers(1, 20), st.data())
def test_an_element_with_words_has_some_in_the_translation(before, inside, behind, after, data):
    words = [f"w{n}" for n in range(before + inside + behind)]
    words[before] = f"<b>{words[before]}"
    words[before + inside - 1] += "</b>"
    (passage,) = split_markup(" ".join(words), "html").passages
    translation = " ".join(
        data.draw(st.sampled_from([f"w{n}", f"x{n}", f"w{n},"])) for n in range(after)
    )
    joined = passage.join(translation)
    if passage.tags:
        assert re.search(r"<b>[^<]*\w[^<]*</b>", joined)


SPOKEN = ["ja", "Tom", "Tommy", "Hund", ",", "7", " ", " "]
NESTED = st.recursive(
    st.sampled_from([*SPOKEN, "<b/>"]),
    lambda inner: st.lists(inner, max_size=4).map(lambda each: ["<b>", *each, "</b>"]),
    max_leaves=12,
)
LINKED = st.none() | st.dictionaries(st.integers(0, 12), st.integers(0, 12)).map(
    lambda pairs: [(n, m) for m, n in {m: n for n, m in pairs.items()}.items()]
)


def numbered(nested: Any, numbers: Iterator[int]) -> str:
    """Nested elements as XML in which each has a number of its own."""
    if nested == "<b/>":
        return f'<b n="{next(numbers)}"/>'
    if isinstance(nested, str):
        return nested
    within = next(numbers)
    inside = "".join(numbered(each, numbers) for each in nested[1:-1])
    return f'<b n="{within}">{inside}</b>'


def parents(tree: Any) -> dict[str, str]:
    return {each.get("n"): each.getparent().get("n") for each in tree.iter("b")}


def wordless(tree: Any) -> set[str]:
    return {
        each.get("n") for each in tree.iter("b") if not re.search(r"\w", "".join(each.itertext()))
    }


@given(st.lists(NESTED, max_size=8), LINKED, st.lists(st.sampled_from(SPOKEN), max_size=12))
@settings(max_examples=1000)
def test_elements_lie_in_each_other_as_before_however_words_are_linked(nested, links, translated):
    numbers = itertools.count()
    source = f"<p>so {''.join(numbered(each, numbers) for each in nested)} ja</p>"
    markup = split_markup(source, "xml", non_splitting_tags=frozenset("b"))
    assume(len(markup.passages) == 1)
    translation = "".join(translated)
    before, after = etree.XML(source), etree.XML(markup.join([translation], [links]))
    assert "".join(after.itertext()) == translation
    assert parents(after) == parents(before)
    if links is None:  # which links no sign to a word
        assert wordless(after) >= wordless(before)


class Events:
    """What an HTML parser meets that is alive: tags, comments, and the text of scripts."""

    def __init__(self) -> None:
        self.alive: list[Any] = []
        self._raw: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.alive.append(("start", name, dict(attributes)))
        self._raw.append(name)

    def end(self, name: str) -> None:
        self.alive.append(("end", name))
        if name in self._raw:
            while self._raw.pop() != name:
                pass

    def data(self, text: str) -> None:
        if self._raw and self._raw[-1] in ("script", "style"):
            self.alive.append(("script", text))

    def comment(self, text: str) -> None:
        self.alive.append(("comment", text))

    def pi(self, target: str, text: str | None) -> None:
        self.alive.append(("instruction", target, text))

    def close(self) -> list[Any]:
        return self.alive


def alive(text: str) -> list[Any]:
    parser = etree.HTMLParser(target=Events())
    # The letter keeps the parser from refusing a text without any content.
    return list(etree.fromstring("<html><body>ja" + text, parser))


@pytest.mark.skipif(etree.LIBXML_VERSION < (2, 14), reason="no tokenizer of HTML 5 to compare with")
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.data())
@settings(max_examples=500)
def test_an_html_parser_finds_the_same_markup_whatever_is_handed_back(text, data):
    text = text.replace("\ud800", "")  # which the parser cannot take
    markup = split_markup(text, "html")
    assert alive(markup.join(hostile_to(markup, data))) == alive(text)


NAMES = st.sampled_from(["a", "b", "ü:x", "title", "script"])
CONTENT = st.text(st.sampled_from("aä犬<>&\"' \n\xa0-]7"), max_size=8)


def element(name: str, attributes: dict[str, str], content: Sequence[str]) -> str:
    inside = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{inside}>{''.join(content)}</{name}>" if content else f"<{name}{inside}/>"


LEAVES = st.one_of(
    CONTENT.map(escape),
    st.sampled_from(
        ["<!-- <a> ' -->", "<?php a > b ?>", "<![CDATA[<a>ja]]>", "&#228;", "&apos;ja"]
    ),
)
XML = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        element,
        NAMES.map(lambda name: name.replace("ü:", "ü")),
        st.dictionaries(st.sampled_from(["c", "d"]), CONTENT, max_size=2),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


def nodes(text: str) -> list[tuple[Any, dict[str, str]]]:
    """Tag and attributes of every node, comments and instructions by their text."""
    parser = etree.XMLParser(strip_cdata=False)
    return [
        (node.tag, dict(node.attrib)) if isinstance(node.tag, str) else (str(node), {})
        for node in etree.fromstring(f"<root>{text}</root>", parser).iter()
    ]


@given(XML, st.data())
def test_an_xml_parser_finds_the_same_nodes_whatever_is_handed_back(text, data):
    markup = split_markup(text, "xml")
    assert nodes(markup.join(hostile_to(markup, data))) == nodes(text)


@given(XML)
def test_the_texts_are_what_an_xml_parser_reads(text):
    root = etree.fromstring(f"<root>{text}</root>", etree.XMLParser(strip_cdata=False))
    markup = split_markup(text, "xml")
    read = "".join(root.itertext(with_tail=True))
    position = 0
    for each in markup.texts:
        position = read.index(each, position) + len(each)


RUNS = st.builds(
    lambda unit, times: unit * times,
    st.lists(st.sampled_from(PIECES + TREACHEROUS), min_size=1, max_size=3).map("".join),
    st.integers(1000, 5000),
)


@given(RUNS, KINDS)
@settings(max_examples=40)
def test_a_huge_run_of_anything_survives(text, kind):
    markup = split_markup(text, kind)
    assert markup.join(markup.texts) == text
    assert len(markup.join([f"{each.upper()} x" for each in markup.texts])) >= len(text) / 9

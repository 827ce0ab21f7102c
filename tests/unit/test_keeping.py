"""What is the same in every language: found, left out of what a model is shown, and put back."""

from __future__ import annotations

import time

import pytest

from mt.keeping import Kept, Shown, leave_out
from mt.text.verbatim import find_verbatim, without_verbatim
from mt.text.words import find_words


def found(text: str) -> list[str]:
    return [match[0] for match in find_verbatim(text)]


def in_order(text: str, translation: str) -> list[tuple[int, int]]:
    """Links of texts whose words stand in one order."""
    counts = (len([*find_words(each)]) for each in (text, translation))
    return [(n, n) for n in range(min(counts))]


def through(text: str, translation: str) -> str:
    """A text of which a model makes that translation, word by word."""
    shown = leave_out(text)
    return shown.restored(translation, in_order(shown.text, translation))


# Finding


@pytest.mark.parametrize(
    "text",
    [
        *(
            "https://example.com/a?b=c#d",
            "http://example.com",
            "www.example.com/ü",
            "a.b+c@d.co.uk",
        ),
        *("{name}", "{0:.2f}", "{}", "${name}", "{{name}}", "{{ user.name }}"),
        *("%s", "%d", "%1$s", "%-5.2f", "%(name)s", "%lld", "%@", "%name%"),
        *('<x id="1"/>', "<br />"),
        *("😀", "👨‍👩‍👧", "❤️", "🇩🇪🇫🇷", "👍🏽"),
    ],
)
def test_it_is_found_alone_and_among_words(text):
    assert found(text) == [text]
    assert found(f"Siehe {text}, bitte.") == [text]
    assert found(f"({text})") == [text]


@pytest.mark.parametrize(
    "text",
    [
        *("100 % sicher", "50%d", "100%ig", "a < b", "3 <4/>", "{ein Wort", "{ zwei Wörter }"),
        *("max@", "@max", "http://", "5 € © ½ ① →"),
    ],
)
def test_what_only_looks_like_it_is_not(text):
    assert found(text) == []


def test_the_end_of_a_sentence_is_no_part_of_an_address():
    assert found("Siehe https://example.com/a. (www.example.com)") == [
        "https://example.com/a",
        "www.example.com",
    ]


def test_without_it_there_is_a_space():
    assert without_verbatim("a{b}c") == "a c"


@pytest.mark.parametrize("unit", ["{", "{{", "%", "%0", "<a", "a@a", "http://", "www.", "😀", "%a"])
def test_no_text_takes_long(unit):
    started = time.process_time()
    found(unit * (200_000 // len(unit)))
    assert time.process_time() - started < 2


# Leaving out and putting back


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Guten Tag.", "Guten Tag."),
        ("Sie haben %d neue Nachrichten.", "Sie haben neue Nachrichten."),
        ("Schreiben Sie an a@b.de.", "Schreiben Sie an."),
        ("{name} schläft.", "schläft."),
        ("Der Hund {a} {b} schläft {c}", "Der Hund schläft"),
        ("Die Datei „%s“ fehlt (%d).", "Die Datei fehlt."),
        ("Das{x}ist", "Dasist"),
        ("'{a}'{b}' schläft", "' schläft"),
    ],
)
def test_what_a_model_is_shown(text, shown):
    assert leave_out(text).text == shown


@pytest.mark.parametrize(
    ("text", "translation", "whole"),
    [
        ("Sie haben %d neue Nachrichten.", "You have new messages.", "You have %d new messages."),
        ("Schreiben Sie an a@b.de.", "Write you to.", "Write you to a@b.de."),
        ("{name} schläft.", "sleeps.", "{name} sleeps."),
        ("Hallo {name}, willkommen!", "Hello, welcome!", "Hello {name}, welcome!"),
        ("{name}, willkommen!", ", welcome!", "{name}, welcome!"),
        ("{name}, willkommen!", "Welcome!", "{name} Welcome!"),
        ("Danke 😀🎉", "Thanks", "Thanks 😀🎉"),
        ("Die Datei „%s“ fehlt (%d).", "The file lacks.", "The file „%s“ lacks (%d)."),
        ("Der Hund {a} {b} schläft.", "The dog sleeps.", "The dog {a} {b} sleeps."),
        ("Guten {a}{b} Tag", "Good day", "Good {a}{b} day"),
        ("Siehe %s", "", "%s"),
    ],
)
def test_it_is_put_beside_what_the_words_around_it_became(text, translation, whole):
    assert through(text, translation) == whole


def test_words_that_change_places_take_it_along():
    shown = leave_out("Morgen kommt {name} nach Hause.")
    assert shown == Shown(
        "Morgen kommt nach Hause.", (Kept("{name}", len("Morgen kommt"), " ", " "),)
    )
    links = [(0, 2), (1, 0), (2, 1)]
    assert shown.restored("Comes home tomorrow.", links) == "Comes {name} home tomorrow."


@pytest.mark.parametrize("text", ["Ein Hund.", "", "a@ {"])
def test_a_text_that_has_nothing_of_it_is_left_alone(text):
    assert leave_out(text) == Shown(text)
    assert Shown(text).restored("what you like", []) == "what you like"


def test_many_take_no_longer_than_their_number():
    started = time.process_time()
    text = "{a} Wort " * 5000
    assert through(text.strip(), "word " * 5000).count("{a}") == 5000
    assert time.process_time() - started < 5

import re

import pytest

from mt.markup import split_markup
from mt.markup.places import MOST_WORDS


def html(text: str, *ignored: str) -> list[str]:
    return list(split_markup(text, "html", frozenset(ignored)).texts)


def xml(text: str, *ignored: str) -> list[str]:
    return list(split_markup(text, "xml", frozenset(ignored)).texts)


def shouted(text: str, kind="html") -> str:
    """The text with every text in it in capitals."""
    markup = split_markup(text, kind)
    return markup.join([each.upper() for each in markup.texts])


# Texts and gaps


def test_tags_stand_in_the_gaps():
    markup = split_markup("<ul><li>Ein Hund<li>&Auml;hren</ul>\n", "html")
    assert markup.gaps == ("<ul><li>", "<li>", "</ul>\n")
    assert markup.texts == ("Ein Hund", "Ähren")
    assert markup.preformatted == (False, False)
    assert markup.join(["A dog", "Ears"]) == "<ul><li>A dog<li>Ears</ul>\n"


@pytest.mark.parametrize("kind", ["html", "xml"])
def test_a_text_without_markup_is_one_text(kind):
    assert split_markup("Ja.\n\nNein.", kind).texts == ("Ja.\n\nNein.",)
    nothing = split_markup("", kind)
    assert (nothing.gaps, nothing.texts) == (("",), ())


def test_what_has_no_letter_is_gap():
    assert html("<td>7 &amp; 8</td><td> \n</td><td>--- &nbsp;</td><td>&uuml;</td>") == ["ü"]


@pytest.mark.parametrize("kind", ["html", "xml"])
def test_texts_are_preformatted_where_line_ends_are_seen(kind):
    source = "ja<pre>ja <br/>ja</pre>ja<listing>ja</listing><p>ja</p>"
    markup = split_markup(source, kind)
    assert markup.preformatted == (False, True, True, False, True, False)
    area = split_markup("<textarea>ja</textarea>ja", kind)  # in HTML left as it is
    assert area.preformatted == ((False,) if kind == "html" else (True, False))


def test_the_translations_have_to_be_as_many_as_the_texts():
    with pytest.raises(AssertionError):
        split_markup("Ja<br>Nein", "html").join(["Yes"])


# Tags inside a text


@pytest.mark.parametrize(
    "source",
    [
        "Er hat <b>keine</b> Zeit.",
        "<a href=x>Hier</a> ist er.",
        "<em>Der <b>Hund</b></em> bellt.",
        "5 <b>Hunde</b>",
        "Der Hund</b> bellt <i>laut",
        "H<sub>2</sub>O",
    ],
)
def test_a_sentence_goes_on_over_tags_of_words(source):
    (text,) = html(f"<p>{source}</p>")
    assert text == re.sub("<.*?>", "", source)
    assert shouted(source) == re.sub("(<.*?>)|(.)", lambda m: m[1] or m[2].upper(), source)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("<a>Start</a> <a>Hilfe</a> | <a>Suche</a>", ["Start", "Hilfe", "Suche"]),  # a row of links
        ("Mehr: <span>Start</span><span>Hilfe</span>", ["Mehr: ", "Start", "Hilfe"]),
        ("<b>Tom</b>", ["Tom"]),
        ("Ein<br>Hund", ["Ein", "Hund"]),
        ("Ein <img src=x> Hund", ["Ein ", " Hund"]),
        ("Ein <code>x</code> Hund", ["Ein ", " Hund"]),
        ("Ein <!-- x --> Hund", ["Ein ", " Hund"]),
        ("<p>Ein <b>Hund</b></p><p>bellt</p>", ["Ein Hund", "bellt"]),
    ],
)
def test_a_text_ends_where_tags_part_it(source, texts):
    assert html(source) == texts


def test_a_tag_of_xml_ends_a_text_unless_the_caller_knows_better():
    source = "<p>Er hat <b>keine</b> Zeit,<x/> Tom.</p>"
    assert xml(source) == ["Er hat ", "keine", " Zeit,", " Tom."]
    markup = split_markup(source, "xml", non_splitting_tags=frozenset("bx"))
    assert markup.texts == ("Er hat keine Zeit, Tom.",)
    assert markup.join(["He has no time, Tom."]) == "<p>He has <b>no</b> time,<x/> Tom.</p>"


def test_a_caller_may_know_of_tags_of_html_too():
    source = "Er hat <B>keine</B> Zeit, <X>Tom</X>."
    markup = split_markup(
        source, "html", splitting_tags=frozenset("B"), non_splitting_tags=frozenset("X")
    )
    assert markup.texts == ("Er hat ", "keine", " Zeit, Tom.")


def test_tags_stand_where_the_translation_has_their_words():
    markup = split_markup("<p>Er hat <b>keine</b> Zeit &amp; l&auml;uft.</p>", "html")
    assert markup.texts == ("Er hat keine Zeit & läuft.",)
    assert markup.join(["He has no time & runs."]) == "<p>He has <b>no</b> time &amp; runs.</p>"


def linked(source: str, translation: str, *links: tuple[int, int]) -> str:
    (passage,) = split_markup(source, "html").passages
    return passage.join(translation, links)


def test_tags_stand_where_linked_words_do():
    read = "Ich habe das <b>Buch</b> heute gelesen."
    links = (0, 0), (2, 2), (3, 3), (4, 4), (5, 1), (6, 5)
    assert linked(read, "I read the book today.", *links) == "I read the <b>book</b> today."
    several = "Ich habe <b>das Buch heute</b> gelesen."
    assert linked(several, "I read the book today.", *links) == "I read <b>the book today</b>."


def test_elements_follow_their_words_past_each_other():
    links = (0, 3), (1, 1), (2, 0), (3, 2)
    assert (
        linked("<i>Heute</i> rannte er <b>weg</b>", "he ran off today", *links)
        == "he ran <b>off</b> <i>today</i>"
    )
    assert (
        linked("<u><i>Heute</i> rannte</u> er <b>weg</b>", "off ran today", (0, 2), (1, 1), (3, 0))
        == "<b>off</b> <u>ran <i>today</i></u>"
    )


def test_what_stands_among_the_words_of_an_element_is_part_of_it_unless_it_is_of_another():
    links = (0, 0), (1, 1), (2, 3)
    assert linked("er <b>lief weg</b>", "he ran far away", *links) == "he <b>ran far away</b>"
    assert (
        linked("er <b>lief weit weg</b>", "off far he ran away", (0, 2), (1, 3), (2, 1), (3, 4))
        == "off far he <b>ran away</b>"
    )


def test_words_without_a_link_go_with_those_beside_them():
    brother = "Mein <b>kleiner Bruder</b> spielt"
    links = (0, 0), (2, 2), (3, 3)
    assert linked(brother, "My younger brother plays", *links) == "My <b>younger brother</b> plays"
    assert linked("er <b>lief davon</b> und", "he ran off and", (0, 0), (1, 1), (3, 3)) == (
        "he <b>ran off</b> and"
    )
    assert linked("er <b>lief</b> davon", "he ran off", (0, 0), (1, 1)) == "he <b>ran</b> off"
    assert linked("so <b>lieber Bruder</b>", "so, brother", (0, 0), (2, 2)) == (
        "so, <b>brother</b>"
    )


def test_an_element_reaches_around_those_in_it():
    links = (0, 0), (1, 3), (2, 1), (3, 2)
    assert linked("<u>a <b>b</b> c</u> d", "A C D B", *links) == "<u>A C D <b>B</b></u>"


def test_an_element_without_room_stays_in_the_one_around_it():
    source = "<u><b>a</b> <i>c</i></u> d"
    assert linked(source, "A D", (0, 0), (2, 1)) == "<u><b>A</b><i></i></u> D"


def test_signs_have_no_say_in_where_words_are():
    assert (
        linked("er <b>(lief)!</b> ja", "he ran ja ( ) !", (2, 1), (1, 3), (3, 4), (4, 5), (5, 2))
        == "he <b>ran</b> ja ( ) !"
    )
    assert (
        linked("er <b>lief weg</b>, ja", "he ran, off ja", (0, 0), (1, 1), (2, 3), (3, 2))
        == "he <b>ran, off</b> ja"
    )
    assert linked("so <b>- Bruder</b>", "so my brother", (0, 0), (2, 2)) == "so my <b>brother</b>"


def test_signs_of_an_element_stay_with_its_words():
    assert (
        linked("er sagt: <b>(weg!)</b>", "(off!) he says:", (3, 0), (4, 1), (5, 2), (6, 3), (0, 4))
        == "<b>(off!)</b> he says:"
    )


def test_an_element_whose_words_are_not_linked_lies_between_those_that_are():
    assert linked("er <b>lief</b> weg", "he ran off", (0, 0), (2, 2)) == "he <b>ran</b> off"
    assert linked("er <b>lief,</b> weg", "he ran, off", (0, 0), (3, 3)) == "he <b>ran,</b> off"
    assert linked("er <b>(lief</b> weg", "he (ran off", (0, 0), (3, 3)) == "he <b>(ran</b> off"


def test_words_without_a_link_have_their_share_from_the_end_of_the_link_before():
    assert linked("a <b>b</b> c d", "a t u v w x y z", (0, 0)) == "a <b>t u</b> v w x y z"


def test_what_is_another_elements_is_not_shared():
    source = "<b>Heute</b> kommt Tom nicht <i>mit</i>"
    links = (0, 3), (1, 2), (2, 0), (3, 1)
    assert linked(source, "Tom isn't coming today", *links) == (
        "Tom isn't <i>coming</i> <b>today</b>"
    )


def test_what_holds_no_word_has_one_place():
    links = (0, 3), (1, 2), (2, 1), (3, 0)
    assert linked("er<b> </b>lief <i>weg</i> ja", "ja off ran he", *links) == (
        "ja <i>off</i> ran he<b></b>"
    )
    assert linked("to<b></b>m lief weg", "off tom ran", (0, 1), (2, 0)) == "off to<b></b>m ran"
    assert "<b></b>" in linked("to<b></b>m lief weg", "he ran off", (1, 1), (2, 2))


def test_an_end_inside_a_word_that_both_have_is_inside_it():
    assert linked("offic<b>e ja</b> so", "o\ufb03ce ja so", (0, 0), (1, 1), (2, 2)) == (
        "o\ufb03ce<b> ja</b> so"
    )
    swapped = linked("Tom<b>my und Jer</b>ry", "Jerry and Tommy", (0, 2), (1, 1), (2, 0))
    assert swapped == "<b>Jerry and Tommy</b>"


def test_a_tag_alone_clings_to_the_word_before_it_or_else_to_the_one_behind():
    markup = split_markup("er<x/> lief <y/>weg", "xml", non_splitting_tags=frozenset("xy"))
    assert markup.join(["off ran he"], [((0, 2), (2, 0))]) == "<y/>off ran he<x/>"
    markup = split_markup("er <y/>lief heute weg", "xml", non_splitting_tags=frozenset("y"))
    crossed = ((1, 3), (2, 0), (3, 1))
    assert markup.join(["off now he ran"], [crossed]) == "off now he <y/>ran"


def test_tags_whose_others_are_elsewhere_keep_their_order():
    source = "<i>Heute</i> rannte</b> er"
    (passage,) = split_markup(source + " weg", "html").passages
    joined = passage.join("he ran off today", [(0, 3), (1, 1), (2, 0), (3, 2)])
    assert re.findall("<.*?>", joined) == ["<i>", "</i>", "</b>"]
    (passage,) = split_markup("er</i> ja <b>lief</b> <u>weg</u>", "html").passages
    pushed = passage.join("he off ran away", [(2, 2), (3, 1)])
    assert pushed == "he</i> off <b>ran</b> <u>away</u>"


def test_links_of_words_that_there_are_not_are_passed_over():
    assert linked("er <b>lief</b>", "he ran", (7, 0), (0, 7), (1, 1)) == "he <b>ran</b>"


def test_words_of_a_long_element_are_told_by_their_share():
    inside = range(1, 2 + MOST_WORDS)
    source = f"w0 <b>{' '.join(f'w{n}' for n in inside)}</b> y"
    translation = " ".join(["w0", *(f"v{n}" for n in inside), "y"])
    lonely = (0, 0), (MOST_WORDS, 5), (2 + MOST_WORDS, 2 + MOST_WORDS)
    assert linked(source, translation, *lonely).endswith(f" v{inside[-1]}</b> y")
    assert " v5</b> " in linked(source.replace(" w7 ", " "), translation, *lonely)


def test_elements_in_elements_take_no_longer_than_side_by_side():
    depth = 100_000
    assert html("<b>ja " * depth) == ["ja "] * depth  # quadratic time would be minutes


# References and escaping


def test_escaped_markup_stays_escaped():
    source = "&lt;img src=x onerror=alert(1)&gt; ja"
    assert html(source) == ["<img src=x onerror=alert(1)> ja"]
    assert shouted(source) == "&lt;IMG SRC=X ONERROR=ALERT(1)&gt; JA"


def test_a_translation_cannot_bring_forth_markup():
    markup = split_markup("<b>Hund</b>", "html")
    assert markup.join(["<script>x && y</script>"]) == (
        "<b>&lt;script&gt;x &amp;&amp; y&lt;/script&gt;</b>"
    )


def test_a_reference_in_a_translation_is_text():
    assert split_markup("ja", "html").join(["&lt;b&gt;"]) == "&amp;lt;b&amp;gt;"


def test_an_unchanged_text_keeps_its_references():
    source = "<i>&uuml; &#252; &xfc; ü < & &amp; &amp &nbsp;</i>"
    markup = split_markup(source, "html")
    assert markup.texts == ("ü ü &xfc; ü < & & & \xa0",)
    assert markup.join(markup.texts) == source


@pytest.mark.parametrize(("kind", "reference"), [("html", "&nbsp;"), ("xml", "&#160;")])
def test_a_no_break_space_is_written_as_the_language_does(kind, reference):
    assert split_markup("ja", kind).join(["10\xa0km"]) == f"10{reference}km"


@pytest.mark.parametrize(
    ("reference", "character"),
    [
        ("&Auml;", "Ä"),
        ("&auml", "ä"),
        ("&#228;", "ä"),
        ("&#xE4;", "ä"),
        ("&#000000000000228;", "ä"),
        ("&#0;", "\ufffd"),
        ("&#xD800;", "\ufffd"),
        ("&#99999999999;", "\ufffd"),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("&#150;", "–"),
        ("&unknown;", "&unknown;"),
    ],
)
def test_a_reference_in_html_is_read(reference, character):
    assert html(f"ja {reference}!") == [f"ja {character}!"]


@pytest.mark.parametrize(
    ("reference", "character"),
    [
        ("&lt;", "<"),
        ("&apos;", "'"),
        ("&auml;", "ä"),
        ("&#228;", "ä"),
        ("&#xe4;", "ä"),
        ("&#000000000000228;", "ä"),
        ("&#x1F415;", "🐕"),
        ("&auml", "&auml"),
        ("&#228", "&#228"),
        ("& ", "& "),
    ],
)
def test_a_reference_in_xml_is_read(reference, character):
    assert xml(f"<a>ja {reference}!</a>") == [f"ja {character}!"]


@pytest.mark.parametrize(
    "reference",
    ["&brand;", "&m:x.y-z;", "&#0;", "&#xD800;", "&#xFFFF;", "&#1114112;", "&#" + "9" * 5000 + ";"],
)
def test_a_reference_in_xml_that_is_unknown_stays_as_markup(reference):
    assert shouted(f"<a>ja {reference} ja</a>", "xml") == f"<a>JA {reference} JA</a>"


# Where markup ends


@pytest.mark.parametrize(
    "tag",
    [
        '<a title="x > y">',
        "<a title='\"x\" > y'>",
        '<a title = "x > y" href=/a/b/>',
        "<a title=\"x\"y='>'>",
        "<a =>",
        "<a / b>",
        "<a<b>",
        "<A\n\tB\f/>",
        "</a b='>'>",
        "<a b=c\"d'e>",
    ],
)
@pytest.mark.parametrize("kind", ["html", "xml"])
def test_a_tag_ends_behind_its_attributes(tag, kind):
    assert shouted(f"ja{tag}ja", kind) == f"JA{tag}JA"


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <b>nein</b> -->",
        "<!-->",
        "<!--->",
        "<!---->",
        "<!-- nein --!>",
        "<!DOCTYPE html>",
        "<!doctype html>",
        "<![endif]>",
        "<!--[if mso]><b>nein</b><![endif]-->",
        "<?php nein ?>",
        "</>",
        "</ nein>",
        "<!>",
    ],
)
def test_markup_of_html_that_is_no_tag_stays(markup):
    assert shouted(f"ja{markup}ja") == f"JA{markup}JA"


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <b>nein</b> --!> -->",
        "<!--> nein -->",
        "<![CDATA[ <b>nein</b> > ]]>",
        "<?nein a > b ?>",
        '<!DOCTYPE a PUBLIC "x > y" [<!ENTITY e "> nein">]>',
        "<!DOCTYPE a [<!-- ' ]> nein --><?nein ]> ' ?><!ELEMENT b (c)>]>",
        "<ü:nein.x>",
    ],
)
def test_markup_of_xml_that_is_no_tag_stays(markup):
    assert shouted(f"ja{markup}ja", "xml") == f"JA{markup}JA"


@pytest.mark.parametrize("kind", ["html", "xml"])
@pytest.mark.parametrize(
    "rest", ["<b", '<b c="nein>nein', "<b c='>ja", "<!-- nein >", "<!nein", "</b x"]
)
def test_what_is_never_closed_reaches_to_the_end(rest, kind):
    assert shouted(f"ja{rest}", kind) == f"JA{rest}"


@pytest.mark.parametrize("kind", ["html", "xml"])
@pytest.mark.parametrize(
    "stray", ["ja < nein", "ja <3", "ja<", "<<< ja", "ja > nein", "a <= b", "< b>"]
)
def test_a_sign_that_opens_nothing_is_text(stray, kind):
    assert split_markup(stray, kind).texts == (stray,)


# What is left as it is


@pytest.mark.parametrize(
    "name",
    [
        *("script", "style", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript"),
        *("code", "kbd", "samp", "var", "svg", "math"),
    ],
)
def test_the_content_of_some_elements_of_html_stays(name):
    source = f"ja<{name.upper()} x>nein</{name} >ja"
    assert shouted(source) == f"JA<{name.upper()} x>nein</{name} >JA"


def test_the_title_is_text_without_markup():
    assert html("<title>Ja <b> &amp; ja</title>ja") == ["Ja <b> & ja", "ja"]


@pytest.mark.parametrize(
    "content", ["a<b && c>d", "'<b title=\"'", "</scripts><b c='", "</\u017fcript><b c='", "<!--"]
)
def test_a_script_ends_at_its_own_end_tag_only(content):
    assert html(f"ja<script>{content}</SCRIPT\n>ja") == ["ja", "ja"]


def test_nothing_is_translated_behind_a_script_that_may_hide_its_end():
    # To a browser "nein" is part of the script.
    assert html("ja<script><!--<script></script>nein--></script>nein") == ["ja"]


@pytest.mark.parametrize("kind", ["html", "xml"])
@pytest.mark.parametrize(
    "mark", ["translate=no", 'translate="NO"', "class='x notranslate y'", "id=1 translate = 'no'"]
)
def test_marked_elements_stay_with_all_they_hold(mark, kind):
    source = f"<p>ja<span {mark}>nein <span>nein</span> nein</span>ja</p>"
    assert split_markup(source, kind).texts == ("ja", "ja")


@pytest.mark.parametrize(
    "mark", ["translate=yes", "data-translate=no", "class=notranslated", "title='translate=no'"]
)
def test_other_marks_keep_nothing(mark):
    assert html(f"<p {mark}>ja</p>") == ["ja"]


def test_elements_left_as_they_are_may_lie_in_each_other():
    assert html("<code>nein<b translate=no><code>nein</code>nein</b>nein</code>ja") == ["ja"]


def test_the_first_of_two_attributes_of_a_name_counts():
    assert html("<p translate=no translate=yes>nein</p><p translate=yes translate=no>ja</p>") == [
        "ja"
    ]


def test_ignored_tags_stay_with_their_content():
    source = 'Ein <x id="3">%s</x> Hund <X/>läuft'
    assert xml(source, "x") == ["Ein ", " Hund ", "läuft"]
    assert html(source, "X") == ["Ein ", " Hund ", "läuft"]


def test_the_case_of_names_counts_in_xml_only():
    assert xml("<X>ja</X>", "x") == ["ja"]
    assert html("<X>nein</X>", "x") == []


def test_an_element_without_content_keeps_nothing_from_translation():
    assert html("<br translate=no>ja<img class=notranslate>ja<x/>ja", "x") == ["ja", "ja", "ja"]
    assert xml("<br translate='no'/>ja") == ["ja"]


def test_an_element_left_open_ends_with_the_one_around_it():
    assert html("<div><span translate=no>nein</div>ja") == ["ja"]
    assert xml("<a><x>nein</a>ja", "x") == ["ja"]


def test_a_paragraph_or_item_ends_where_the_next_begins():
    assert html("<ul><li translate=no>nein<li>ja</ul>ja") == ["ja", "ja"]
    assert html("<p translate=no>nein<p>ja") == ["ja"]


def test_an_end_tag_of_nothing_changes_nothing():
    assert html("ja</b><p translate=no>nein</b>nein</p>ja") == ["ja", "ja"]


@pytest.mark.parametrize("tag", ["<plaintext>", "<frameset>"])
def test_behind_some_tags_nothing_is_translated(tag):
    assert html(f"ja{tag}nein</plaintext></frameset>nein") == ["ja"]


def test_html_has_cdata_sections_in_graphics_and_formulas_only():
    assert html("<![CDATA[nein>ja]]>") == ["ja]]>"]


# Where browsers read in two ways


@pytest.mark.parametrize(
    "source",
    [
        '<svg><style><a title="</style></svg>nein">',
        '<svg><title><a title="</title></svg>nein">',
        "<svg><![CDATA[><a title=']]></svg>nein'>",
        "<svg><![CDATA[></svg>nein]]>",
        '<noscript><a title="</noscript>nein">',
        '<noscript><style></noscript><a title="</style>nein">',
        "<svg><foreignObject><div></svg></div></foreignObject>"
        '<style><a title="</style></svg>nein">',
        '<svg></body><style><a title="</style></svg>nein">',
        "<svg><noscript><style></noscript></style></svg>nein",
        '<svg><style><a title="</style></svg><b title="></a></style></svg>nein">',
        '<noscript><a title="</noscript><b title="></a></noscript>nein">',
        '<noscript><style></noscript><a title="</style></noscript>nein">',
        '<svg><![CDATA[><style><!-- ]]><a title="--></style></svg>nein">',
    ],
)
def test_nothing_is_translated_behind_what_reads_in_two_ways(source):
    assert html("ja" + source) == ["ja"]


@pytest.mark.parametrize(
    "source",
    [
        "<svg viewBox='0 0'><!-- x --><style>.a { b }</style><title>nein</title><path/></svg>",
        "<svg><style><![CDATA[.a]]></style><g><svg></svg></g></svg>",
        "<svg/>",
        "<noscript><style>a</style><img src=x></noscript>",
        "<math><mi>nein</mi></math><script>a<b</script>",
        "<![CDATA[nein]]>",
    ],
)
def test_what_reads_the_same_in_both_ways_ends_where_it_should(source):
    assert html(f"ja{source}ja") == ["ja", "ja"]

"""From the texts of a job to their outcomes: how often they are read, and who else has a turn."""

import asyncio

import service.texts.cutting
from mt.markup import split_markup
from mt.translation import given
from service.telemetry.metrics import Metrics
from service.texts.catalogue import Catalogue
from service.texts.cutting import Style
from service.texts.jobs import Job
from service.texts.passage import Passage
from service.texts.sharing import SEGMENTS_A_TURN, Found, Origin
from service.texts.ways import Ways
from service.workers.work import Options
from support.turns import most_in_a_turn
from support.workers import stub_catalogue, stub_model


class Memory:
    """A translation memory that counts how often it is asked, and knows nothing."""

    asked = 0

    def find(self, source, target, segment):
        self.asked += 1


class Shouting:
    """Has segments translated at once."""

    def in_parts(self, parts):
        return None

    async def translate(self, model, options, segments, *, work, done):
        for index, segment in enumerate(segments):
            done(index, Found(given(segment.upper()), Origin.MODEL))


class Noting(Shouting):
    """Notes what it is asked, and flags each translation with its model."""

    def __init__(self):
        self.asked = []

    async def translate(self, model, options, segments, *, work, hops=1, done=None):
        self.asked.append((model.name, options, hops, work is not None))
        found = []
        for index, segment in enumerate(segments):
            translation = given(segment.upper())._replace(flags=frozenset({model.name}))
            found.append(Found(translation, Origin.MODEL))
            if done:
                done(index, found[-1])
        return found

    def in_parts(self, parts):
        return object()


def test_what_is_asked_of_a_way_is_asked_of_its_last_model_and_admitted_for_both():
    sharing = Noting()
    passage = Passage(Ways(stub_catalogue("de-en", "en-fr")), Memory(), sharing, Metrics())
    asked = Options(n_best=3, search=(("temperature", 0.5),))
    (answer,) = asyncio.run(passage.translate(Job(["Hallo."], "de", "fr", options=asked)))
    assert sharing.asked == [("de-en", Options(), 2, True), ("en-fr", asked, 1, False)]
    assert answer.flags == {"de-en", "en-fr"}


def test_markup_is_read_once_though_the_language_is_to_be_told(monkeypatch):
    read = []

    def split(text, *arguments, **named):
        read.append(text)
        return split_markup(text, *arguments, **named)

    monkeypatch.setattr(service.texts.cutting, "split_markup", split)
    html = "<p>Der Hund läuft über die <b>Wiese</b>.</p>"
    for model in (stub_model("de-en"), stub_model("de-en", segmentation="whole")):
        ways = Ways(Catalogue([model, stub_model("fr-en")]))
        passage = Passage(ways, Memory(), Shouting(), Metrics())
        job = Job([html], None, "en", style=Style("html"))
        (answer,) = asyncio.run(passage.translate(job))
        assert answer.detection.language == "de"
        assert answer.text == "<p>DER HUND LÄUFT ÜBER DIE <b>WIESE</b>.</p>"
    assert read == [html] * 2


def test_others_have_their_turn_while_many_segments_are_looked_for_in_the_memory():
    lines = "\n".join(["ja"] * (SEGMENTS_A_TURN // 2))
    memory = Memory()
    passage = Passage(Ways(stub_catalogue()), memory, Shouting(), Metrics())

    async def scenario():
        async with most_in_a_turn(lambda: memory.asked) as most:
            answers = await passage.translate(Job([lines] * 6, "de", "en"))
        return most, [answer.text for answer in answers]

    most, texts = asyncio.run(scenario())
    assert texts == [lines.upper()] * 6
    assert most == [SEGMENTS_A_TURN]

"""POST /v1/answer, over stand-in workers; and that what answers is never a language or a way."""

import dataclasses
import logging
import shutil

import pytest

from mt.bundle import BUNDLED_MODELS, load_bundle, save_bundle
from mt.card import model_card
from mt.errors import ConfigError, InputError
from mt.translation import given
from service.errors import Kind
from service.native.schemas import AnswerResult
from service.settings import Settings
from service.texts.catalogue import Catalogue, load_catalogue
from service.workers.work import Batch, Options
from service.workers.worker import translate_batch
from support.bundles import tiny_bundle, tiny_language_bundle
from support.serving import ask
from support.workers import StubWorkers, stub_model


def answering(name="small-talk", **fields):
    given = {"source": "en", "target": "en", "task": "answer", "segmentation": "whole"}
    return stub_model(name, **{**given, **fields})


def catalogue(*extra):
    return Catalogue([stub_model("de-en"), stub_model("en-fr"), answering(), *extra])


def test_questions_are_answered_in_their_order_each_as_a_whole():
    workers = StubWorkers(flags=frozenset({"repeated"}))

    async def conversation(client):
        body = {"questions": ["Hi. How are you?\nWell?", "?!"], "model": "small-talk"}
        response = await client.http.post("/v1/answer", json=body)
        assert response.status_code == 200
        result = AnswerResult.model_validate(response.json())
        assert result.model.model_dump() == {
            "name": "small-talk",
            "sha256": answering().sha256,
            "engine": "stub",
        }
        assert response.json()["answers"] == [
            {"text": "HI. HOW ARE YOU? WELL?", "score": 0.5, "flags": ["repeated"]},
            {"text": "?!", "score": 0.5, "flags": ["repeated"]},
        ]
        assert workers.segments == ["Hi. How are you? Well?", "?!"]
        assert {batch.model for batch in workers.batches} == {"small-talk"}

    ask(conversation, workers, catalogue=catalogue())


@pytest.mark.parametrize("segmentation", ["sentences", "whole"])
def test_a_question_without_letters_is_answered_all_the_same(segmentation):
    workers = StubWorkers()

    async def conversation(client):
        response = await client.http.post("/v1/answer", json={"questions": ["2+2?", " "]})
        assert response.json()["answers"][1]["text"] == " "
        assert workers.segments == ["2+2?"]

    served = Catalogue([stub_model("de-en"), answering(segmentation=segmentation)])
    ask(conversation, workers, catalogue=served)


def test_a_story_is_put_behind_each_question_and_one_question_needs_no_list():
    workers = StubWorkers()

    async def conversation(client):
        body = {"questions": "Where is Mary?", "story": "Mary is here. John is there."}
        response = await client.http.post("/v1/answer", json=body)
        assert workers.segments == ["Where is Mary? Mary is here. John is there."]
        assert len(response.json()["answers"]) == 1

    ask(conversation, workers, catalogue=catalogue())


def test_a_story_counts_with_each_question():
    async def conversation(client):
        body = {"questions": ["Who?", "Where?"], "story": "Mary is here."}
        assert (await client.http.post("/v1/answer", json=body)).status_code == 200
        access = client.server.access
        characters, _ = access.usage(access.identify({}, None, ""))
        assert characters == len("Who? Mary is here.") + len("Where? Mary is here.")

    ask(conversation, catalogue=catalogue())


def test_a_blank_question_asks_nothing_of_a_story():
    workers = StubWorkers()

    async def conversation(client):
        body = {"questions": ["", "Well?"], "story": "John is there."}
        response = await client.http.post("/v1/answer", json=body)
        assert workers.segments == ["Well? John is there."]
        blank, asked = response.json()["answers"]
        assert (blank["text"], bool(asked["text"])) == ("", True)

    ask(conversation, workers, catalogue=catalogue())


def test_a_question_that_fails_has_its_error_in_its_place():
    workers = StubWorkers(fails="bad")

    async def conversation(client):
        response = await client.http.post("/v1/answer", json={"questions": ["good", "bad"]})
        good, bad = response.json()["answers"]
        assert (response.status_code, good["text"]) == (200, "GOOD")
        assert bad["error"]["code"] == "internal"
        alone = await client.http.post("/v1/answer", json={"questions": ["bad too"]})
        assert alone.status_code == 500
        assert alone.json()["error"]["code"] == "internal"

    ask(conversation, workers, catalogue=catalogue())


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"questions": "a", "model": "de-en"}, 404, "no model named 'de-en' answers questions"),
        ({"questions": "a", "model": "x"}, 404, "there are small-talk"),
        ({"questions": 7}, 400, "questions: Input should be a string or a list of strings"),
        ({}, 400, "questions: Field required"),
        (
            {"questions": "a", "target": "de"},
            400,
            "target: unknown field; there are questions, story, model",
        ),
        ({"question": "a", "y": 2}, 400, "question: unknown field; did you mean questions?"),
        ({"questions": "a" * 21}, 400, "the length of a question is 21, more than the 20"),
        ({"questions": "a", "story": "b" * 21}, 400, "the length of the story is 21, more than"),
        (
            {"questions": "a", "story": "b" * 20},
            400,
            "the length of a question and the story together is 22, more than the 20",
        ),
        ({"questions": ["a", "b", "c"]}, 400, "the number of questions is 3, more than the 2"),
    ],
)
def test_mistakes_name_the_field_and_what_is_allowed(body, status, words):
    async def conversation(client):
        response = await client.http.post("/v1/answer", json=body)
        assert response.status_code == status
        assert words in response.json()["error"]["message"]

    ask(conversation, catalogue=catalogue(), char_limit=20, batch_limit=2)


def test_a_server_without_such_a_model_says_so():
    async def conversation(client):
        response = await client.http.post("/v1/answer", json={"questions": "a"})
        assert response.status_code == 404
        message = response.json()["error"]["message"]
        assert message == "no model answers questions; there are none"

    ask(conversation)


def test_what_answers_is_no_language_no_way_and_no_translator():
    served = catalogue(answering("frage-antwort", source="fr", target="es"))
    assert served.languages == ("de", "en", "fr")
    assert served.way("fr", "es") is None
    assert served.way("en", "en") is None
    assert served.targets("fr") == []
    assert [model.name for model in served.models] == ["de-en", "en-fr"]
    assert [model.name for model in served.answering] == ["small-talk", "frage-antwort"]
    assert served.answering_model(None).name == "small-talk"

    async def conversation(client):
        refused = await client.http.post(
            "/v1/translate", json={"texts": "a", "model": "small-talk"}
        )
        assert refused.status_code == 404

    ask(conversation, catalogue=served)


def test_what_answers_is_listed_behind_what_translates():
    async def conversation(client):
        listed = (await client.http.get("/v1/models")).json()["models"]
        tasks = [(model["name"], model["task"]) for model in listed]
        assert tasks == [("de-en", "translate"), ("en-fr", "translate"), ("small-talk", "answer")]
        assert (await client.http.get("/v1/models/small-talk")).json() == listed[-1]
        assert not listed[-1]["default"]
        assert (await client.http.get("/ready")).json()["models"] == [name for name, _ in tasks]

    ask(conversation, catalogue=catalogue())


def test_translations_that_are_remembered_are_no_answers(tmp_path):
    memory = tmp_path / "terms.en-en.tsv"
    memory.write_text("hello\tnever\n", encoding="utf-8")

    async def conversation(client):
        response = await client.http.post("/v1/answer", json={"questions": "hello"})
        assert response.json()["answers"][0]["text"] == "HELLO"

    ask(conversation, catalogue=catalogue(), translation_memory=[memory])


def test_a_model_that_translates_whole_texts_gets_them_whole():
    workers = StubWorkers()

    async def conversation(client):
        response = await client.translate("Eins. Zwei!\nDrei?")
        assert response.json() == {"translatedText": "EINS. ZWEI! DREI?"}
        assert workers.segments == ["Eins. Zwei! Drei?"]

    whole = stub_model("de-en", segmentation="whole")
    ask(conversation, workers, catalogue=Catalogue([whole]))


def test_two_models_of_one_name_are_refused_whatever_they_do():
    with pytest.raises(ConfigError, match="two models are named 'de-en'"):
        Catalogue([stub_model("de-en"), answering("de-en")])
    with pytest.raises(ConfigError, match="there is no model to serve that translates"):
        Catalogue([answering()])


def test_a_folder_of_models_is_read_by_what_each_is_for(tmp_path, caplog):
    shutil.copytree(BUNDLED_MODELS / "de-en", tmp_path / "de-en")
    answers = tiny_bundle().config.model_copy(update={"task": "answer"})
    small_talk = dataclasses.replace(tiny_bundle(), config=answers)
    for name, made in (("small-talk", small_talk), ("words", tiny_language_bundle())):
        save_bundle(tmp_path / name, made, model_card(made))
    with caplog.at_level(logging.WARNING, "mt.service"):
        served = load_catalogue(Settings(models=tmp_path))
    assert [model.name for model in served.models] == ["de-en"]
    assert [model.name for model in served.answering] == ["small-talk"]
    assert "model words continues texts, which is not served" in caplog.text
    assert load_bundle(tmp_path / "small-talk").config.task == "answer"


def test_a_question_that_is_too_long_for_the_model_is_the_clients_mistake_alone():
    def translate(batch):
        if any(len(each) > 3 for each in batch.segments):
            raise InputError("a text of 4 pieces is too long")
        return [given(each) for each in batch.segments]

    good, bad = translate_batch(translate, Batch("small-talk", Options(), ("abc", "abcd")))
    assert good == given("abc")
    assert (bad.kind, bad.message) == (Kind.INVALID_REQUEST, "a text of 4 pieces is too long")

"""Clients that others wrote, unmodified, against a running mt-serve with the bundled model.

What a text becomes is taken from the library: a client has to get just that.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mt import Translator
from service.clients.access import UNLIMITED
from service.clients.keys import sha256_of
from support.clients import node_client, python_client
from support.commands import ROOT
from support.serving import real_server
from support.workers import StubWorkers

pytestmark = pytest.mark.clients

MODEL = "de-en"
KEYS = {
    "good": {},
    "counted": {"character_limit": 1000},
    "spent": {"character_limit": 1},
    "hasty": {"characters_per_minute": 10},
    "hasty-too": {"characters_per_minute": 10},
}
"""Keys, each its own name, and what they are allowed."""

HELLO = "Guten Morgen."
DOG = "Ein Hund läuft über die Wiese."
LINES = "Ein Hund läuft.\r\n\r\n  Zwei Kinder spielen."
ENGLISH = "A dog is running across the grass."
HTML = '<p class="a">Ein Hund läuft.</p>\n<ul><li>Zwei Kinder\nspielen.</li></ul>'
PLACEHOLDERS = 'Ein Hund läuft. <x id="3"></x> Zwei Kinder <x id="26">spielen</x>.'

Ask = Callable[..., Any]
"""Runs the body of a function with the client at hand; gives what it returns."""


@pytest.fixture(scope="module")
def english() -> Callable[[str], str]:
    """What the library makes of a German text."""
    translator = Translator.load(MODEL)
    return lambda text: translator.translate([text])[0].text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that asks for keys and has a translation memory."""
    folder = tmp_path_factory.mktemp("server")
    entries = [{"name": name, "sha256": sha256_of(name)} | limits for name, limits in KEYS.items()]
    (folder / "keys.json").write_text(json.dumps({"keys": entries}))
    (folder / "terms.de-en.tsv").write_text("Glück auf!\tGood luck, miners!\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.serve", "--port", "0", "--model", MODEL, "--workers", "1"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "MT_API_KEYS_FILE": str(folder / "keys.json"),
            "MT_TRANSLATION_MEMORY": str(folder / "terms.de-en.tsv"),
        },
    )
    assert process.stderr is not None
    try:
        said = ""
        while not (found := re.search(r"on (http://127\.0\.0\.1:\d+)\n", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        # Read on, or the server would wait for room in the pipe.
        rest = threading.Thread(target=process.stderr.read)
        rest.start()
        yield found[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM
        rest.join()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def cache(request: pytest.FixtureRequest) -> Path:
    """Where clients stay installed from one run to the next."""
    folders = request.config.cache
    assert folders is not None
    return folders.mkdir("clients")


@pytest.fixture(scope="module")
def deepl(cache: Path, server: str) -> Ask:
    run = python_client(cache, "deepl")

    def ask(body: str, key: str = "good", url: str = server) -> Any:
        # Its documented way to change how often it sends again.
        return run(
            f"import deepl, deepl.http_client\ndeepl.http_client.max_network_retries = 0\n"
            f"client = deepl.DeepLClient({key!r}, server_url={url!r})\n" + CAUGHT,
            body,
        )

    return ask


@pytest.fixture(scope="module")
def deepl_node(cache: Path, server: str) -> Ask:
    run = node_client(cache, "deepl-node")

    def ask(body: str, key: str = "good") -> Any:
        options = json.dumps({"serverUrl": server, "maxRetries": 0})
        return run(
            "const deepl = require('deepl-node');\n"
            f"const client = new deepl.Translator({key!r}, {options});\n"
            "const caught = (call) => call.then(() => null, (error) => "
            "[error.constructor.name, error.message]);",
            body,
        )

    return ask


@pytest.fixture(scope="module")
def libretranslatepy(cache: Path, server: str) -> Ask:
    run = python_client(cache, "libretranslatepy")

    def ask(body: str, key: str = "good") -> Any:
        return run(
            "from libretranslatepy import LibreTranslateAPI\n"
            f"client = LibreTranslateAPI({server!r}, {key!r})\n" + CAUGHT,
            body,
        )

    return ask


@pytest.fixture(scope="module")
def deep_translator(cache: Path, server: str) -> Ask:
    run = python_client(cache, "deep-translator")

    def ask(body: str, key: str = "good", source: str = "de") -> Any:
        return run(
            "from deep_translator import LibreTranslator\n"
            f"client = LibreTranslator(source={source!r}, target='en', api_key={key!r}, "
            f"custom_url={server + '/'!r})\n" + CAUGHT,
            body,
        )

    return ask


@pytest.fixture(scope="module")
def translate(cache: Path, server: str) -> Ask:
    run = python_client(cache, "translate")

    def ask(body: str, key: str = "good", source: str = "de") -> Any:
        return run(
            "from translate import Translator\n"
            f"client = Translator(to_lang='en', from_lang={source!r}, provider='libre', "
            f"base_url={server!r}, secret_access_key={key!r})\n" + CAUGHT,
            body,
        )

    return ask


CAUGHT = """
def caught(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except Exception as error:
        return [type(error).__name__, str(error)]
"""


# --- deepl, of PyPI ----------------------------------------------------------------------


def test_deepl_translates_a_text(deepl, english):
    body = f"""
    result = client.translate_text({DOG!r}, target_lang="EN-GB")
    return [result.text, result.detected_source_lang, result.billed_characters]
    """
    assert deepl(body) == [english(DOG), "DE", len(DOG)]


def test_deepl_translates_a_list_in_its_order(deepl, english):
    texts = [DOG, "", LINES, ENGLISH, HELLO]
    body = f"""
    results = client.translate_text({texts!r}, target_lang="EN-US")
    return [[each.text, each.detected_source_lang] for each in results]
    """
    answers = deepl(body)
    assert [text for text, _ in answers] == [
        english(DOG),
        "",
        english(LINES),
        ENGLISH,
        english(HELLO),
    ]
    assert [answers[index][1] for index in (0, 2, 3)] == ["DE", "DE", "EN"]


def test_deepl_may_ask_for_whatever_changes_nothing(deepl, english):
    body = f"""
    result = client.translate_text(
        {DOG!r}, source_lang="DE", target_lang="en-gb", context="Ein Brief.",
        split_sentences=deepl.SplitSentences.ALL, preserve_formatting=True,
        formality=deepl.Formality.PREFER_MORE, outline_detection=False,
        model_type=deepl.ModelType.PREFER_QUALITY_OPTIMIZED,
        extra_body_parameters={{"a_parameter_of_the_future": [1]}},
    )
    return [result.text, result.model_type_used]
    """
    assert deepl(body) == [english(DOG), "quality_optimized"]


def test_deepl_keeps_tags_and_what_weblates_placeholders_hold(deepl, english):
    body = f"""
    results = [
        client.translate_text(
            {PLACEHOLDERS!r}, source_lang="DE", target_lang="EN-GB", tag_handling="xml",
            ignore_tags=["x"],
        ),
        client.translate_text({HTML!r}, source_lang="DE", target_lang="EN-GB", tag_handling="html"),
    ]
    return [each.text for each in results]
    """
    xml, html = deepl(body)
    assert re.findall("<[^>]*>[^<]*</[^>]*>", xml) == ['<x id="3"></x>', '<x id="26">spielen</x>']
    assert xml.startswith(english("Ein Hund läuft."))
    dog, children = english("Ein Hund läuft."), english("Zwei Kinder spielen.")
    assert html == f'<p class="a">{dog}</p>\n<ul><li>{children}</li></ul>'


def test_deepl_gets_the_translation_memory(deepl):
    body = 'return client.translate_text("Glück auf!", source_lang="DE", target_lang="EN-GB").text'
    assert deepl(body) == "Good luck, miners!"


def test_deepl_lists_languages(deepl):
    body = """
    return [
        [str(each), each.code, each.name, each.supports_formality]
        for each in client.get_source_languages() + client.get_target_languages()
    ]
    """
    assert deepl(body) == [
        ["DE", "DE", "German", None],
        ["EN-GB", "EN-GB", "English (British)", False],
        ["EN-US", "EN-US", "English (American)", False],
    ]


def test_deepl_reads_its_usage(deepl):
    body = f"""
    client.translate_text({DOG!r}, target_lang="EN-GB")
    usage = client.get_usage()
    return [usage.character.count, usage.character.limit, usage.any_limit_reached]
    """
    assert deepl(body, key="counted") == [len(DOG), 1000, False]
    body = "return client.get_usage().character.limit"
    assert deepl(body) == UNLIMITED


def test_deepl_finds_no_glossaries(deepl):
    body = """
    return [
        client.list_glossaries(),
        client.get_glossary_languages(),
        caught(client.get_glossary, "5"),
        caught(client.create_glossary, "mine", "DE", "EN", {"Hund": "hound"}),
        caught(client.list_multilingual_glossaries),
        caught(client.translate_text, "ja", source_lang="DE", target_lang="EN-GB", glossary="5"),
    ]
    """
    glossaries, pairs, *errors, translation = deepl(body)
    assert glossaries == pairs == []
    assert [name for name, _ in errors] == ["GlossaryNotFoundException"] * 3
    assert translation == ["DeepLException", "Not found, message: Glossary not found"]


def test_deepl_tells_a_wrong_key_a_spent_one_and_a_hasty_one_apart(deepl):
    body = f'return caught(client.translate_text, {HELLO!r}, target_lang="EN-GB")'
    assert deepl(body, key="wrong")[0] == "AuthorizationException"
    assert deepl(body, key="spent")[0] == "QuotaExceededException"
    # Three times eight characters cannot all be in a minute, nor in two, of ten.
    body = """
    call = lambda: caught(client.translate_text, "Ja, ja, ", target_lang="EN-GB")
    return [each[0] for each in (call(), call(), call()) if each]
    """
    assert "TooManyRequestsException" in deepl(body, key="hasty")


def test_deepl_shows_what_is_wrong_with_a_request(deepl):
    body = """
    call = lambda **named: caught(client.translate_text, **{"text": "ja", **named})
    return [
        call(target_lang="XX"),
        call(target_lang="EN-GB", source_lang="XX"),
        call(target_lang="EN-GB", formality="more"),
        call(target_lang="EN-GB", split_sentences="sometimes"),
        call(target_lang="EN-GB", text=["ja"] * 51),
        call(target_lang="EN-GB", text="ja" * 70_000),
    ]
    """
    errors = deepl(body)
    assert {name for name, _ in errors} == {"DeepLException"}
    messages = [message for _, message in errors]
    assert messages[0] == "Bad request, message: Value for 'target_lang' not supported."
    assert messages[1] == "Bad request, message: Value for 'source_lang' not supported."
    assert "formality" in messages[2]
    assert "split_sentences" in messages[3]
    assert "51 texts" in messages[4]
    assert "413" in messages[5]


def test_deepl_may_send_again_what_a_server_in_trouble_refused(deepl):
    body = """
    try:
        client.translate_text("stirb", source_lang="DE", target_lang="EN-GB")
    except deepl.DeepLException as error:
        return [error.http_status_code, error.should_retry, str(error)]
    """
    with real_server(StubWorkers(kills="stirb")) as url:
        status, again, message = deepl(body, url=url)
        assert (status, again) == (503, True)
        assert "Service unavailable, message: the worker" in message
    late = StubWorkers()
    late.hold()
    with real_server(late, deadline_s=0.5) as url:
        status, _, message = deepl(body, url=url)
        assert status == 504
        assert "the translation took too long" in message


# --- deepl-node, of npm ------------------------------------------------------------------


def test_deepl_node_translates_a_text_and_a_list(deepl_node, english):
    body = f"""
    const one = await client.translateText({json.dumps(DOG)}, null, 'en-GB');
    const two = await client.translateText(
        {json.dumps([LINES, HELLO])}, 'de', 'en-US', {{modelType: 'latency_optimized'}},
    );
    return [one, ...two];
    """
    first, *others = deepl_node(body)
    assert first == {
        "text": english(DOG),
        "detectedSourceLang": "de",
        "billedCharacters": len(DOG),
    }
    assert [each["text"] for each in others] == [english(LINES), english(HELLO)]
    assert [each["modelTypeUsed"] for each in others] == ["latency_optimized"] * 2


def test_deepl_node_keeps_tags(deepl_node, english):
    body = f"""
    const options = {{tagHandling: 'xml', ignoreTags: ['x', 'y'], splitSentences: 'nonewlines'}};
    const result = await client.translateText(
        {json.dumps(PLACEHOLDERS)}, 'de', 'en-GB', options,
    );
    return result.text;
    """
    text = deepl_node(body)
    assert text.startswith(english("Ein Hund läuft.") + ' <x id="3"></x>')
    assert '<x id="26">spielen</x>' in text


def test_deepl_node_lists_languages_and_reads_its_usage(deepl_node):
    body = """
    const usage = await client.getUsage();
    return [
        await client.getSourceLanguages(),
        await client.getTargetLanguages(),
        await client.getGlossaryLanguagePairs(),
        await client.listGlossaries(),
        [usage.character.limit, usage.anyLimitReached()],
    ];
    """
    sources, targets, *glossaries, usage = deepl_node(body)
    assert sources == [{"name": "German", "code": "de"}]
    assert [each["code"] for each in targets] == ["en-GB", "en-US"]
    assert [each["supportsFormality"] for each in targets] == [False, False]
    assert glossaries == [[], []]
    assert usage == [UNLIMITED, False]


def test_deepl_node_tells_errors_apart(deepl_node):
    body = "return await caught(client.translateText('Guten Tag', null, 'en-GB'));"
    assert deepl_node(body, key="wrong")[0] == "AuthorizationError"
    assert deepl_node(body, key="spent")[0] == "QuotaExceededError"
    body = """
    const call = () => caught(client.translateText('Ja, ja, ', null, 'en-GB'));
    return [await call(), await call(), await call()].map((each) => each && each[0]);
    """
    assert "TooManyRequestsError" in deepl_node(body, key="hasty-too")
    body = "return await caught(client.translateText('ja', null, 'xx'));"
    assert deepl_node(body) == [
        "DeepLError",
        "Bad request, message: Value for 'target_lang' not supported.",
    ]
    body = "return await caught(client.getGlossary('5'));"
    assert deepl_node(body)[0] == "GlossaryNotFoundError"


# --- libretranslatepy, of PyPI -----------------------------------------------------------


def test_libretranslatepy_translates(libretranslatepy, english):
    body = f"""
    return [
        client.translate({LINES!r}, "de", "en"),
        client.translate({DOG!r}, source="auto", target="en", timeout=60),
    ]
    """
    assert libretranslatepy(body) == [english(LINES), english(DOG)]


def test_libretranslatepy_detects_and_lists_languages(libretranslatepy):
    found, languages = libretranslatepy(f"return [client.detect({DOG!r}), client.languages()]")
    assert found[0]["language"] == "de"
    assert found[0]["confidence"] > 50
    assert [each["code"] for each in languages] == ["de", "en"]
    assert languages[0] == {"code": "de", "name": "German", "targets": ["de", "en"]}


def test_libretranslatepy_gets_errors_with_their_status(libretranslatepy):
    body = 'return caught(client.translate, "ja", "de", "en")'
    assert libretranslatepy(body, key="wrong") == ["HTTPError", "HTTP Error 403: Forbidden"]
    body = """
    import urllib.error
    try:
        client.translate("ja", "de", "xx")
    except urllib.error.HTTPError as error:
        return [error.code, json.load(error)]
    """
    assert libretranslatepy(body) == [400, {"error": "xx is not supported"}]


# --- deep-translator, of PyPI ------------------------------------------------------------


def test_deep_translator_translates_a_text_and_a_list(deep_translator, english):
    body = f"""
    return [client.translate({LINES!r}), *client.translate_batch({[DOG, HELLO]!r})]
    """
    assert deep_translator(body) == [english(LINES), english(DOG), english(HELLO)]
    assert deep_translator(f"return client.translate({DOG!r})", source="auto") == english(DOG)


def test_deep_translator_tells_a_wrong_key_from_other_errors(deep_translator):
    body = 'return caught(client.translate, "ja")'
    assert deep_translator(body, key="wrong")[0] == "AuthorizationException"
    assert deep_translator(body, source="fr")[0] == "ServerException"


# --- translate, of PyPI ------------------------------------------------------------------


def test_translate_translates_and_detects(translate, english):
    body = f"return client.translate({DOG!r})"
    assert translate(body) == english(DOG)
    assert translate(body, source="autodetect") == english(DOG)


def test_translate_gets_errors(translate):
    body = f"return caught(client.translate, {DOG!r})"
    assert translate(body, key="wrong") == ["TranslationError", "HTTP Error 403: Forbidden"]

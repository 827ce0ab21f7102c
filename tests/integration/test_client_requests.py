"""Requests as Weblate and Mastodon send them, which are no libraries that a test could install.

Taken from their sources: weblate/machinery/{deepl,libretranslate}.py and
app/lib/translation_service/{deepl,libre_translate}.rb.
"""

from __future__ import annotations

import json

from support.serving import JSON, ask
from support.workers import stub_catalogue

FORM = {"content-type": "application/x-www-form-urlencoded"}
DEEPL_KEY = {"authorization": "DeepL-Auth-Key not-asked-for"}


def test_weblate_over_deepl():
    async def conversation(client):
        http = client.http
        sources, targets = [
            {each["language"] for each in (await http.get("/v2/languages", params=asked)).json()}
            for asked in ({"type": "source"}, {"type": "target", "enable_beta_languages": "1"})
        ]
        assert ("DE" in sources, "EN-GB" in targets) == (True, True)
        pairs = await http.get("/v2/glossary-language-pairs", headers=DEEPL_KEY)
        assert pairs.json()["supported_languages"] == []
        body = {
            "text": ['Noch <x id="5"></x> Zeichen &amp; <x id="23"></x>', "Fertig"],
            "source_lang": "DE",
            "target_lang": "EN",
            "formality": "default",
            "tag_handling": "xml",
            "ignore_tags": ["x"],
            "context": "Ein Programm.",
            "model_type": "prefer_quality_optimized",
        }
        response = await http.post("/v2/translate", json=body, headers=DEEPL_KEY)
        assert [each["text"] for each in response.json()["translations"]] == [
            'NOCH <x id="5"></x> ZEICHEN &amp; <x id="23"></x>',
            "FERTIG",
        ]

    ask(conversation)


def test_mastodon_over_deepl():
    async def conversation(client):
        http = client.http
        for kind, codes in (("source", ["DE"]), ("target", ["EN-GB", "EN-US"])):
            response = await http.get(f"/v2/languages?type={kind}", headers=DEEPL_KEY)
            assert [each["language"] for each in response.json()] == codes
        # A language that is not known is a name without a value.
        content = (
            "text=%3Cp%3EGuten+%3Cb%3ETag%3C%2Fb%3E%3C%2Fp%3E&text=zwei"
            "&source_lang&target_lang=en&tag_handling=html"
        )
        headers = FORM | DEEPL_KEY
        response = await http.post("/v2/translate", content=content, headers=headers)
        first, second = response.json()["translations"]
        assert first["text"] == "<p>GUTEN <b>TAG</b></p>"
        assert first["detected_source_language"].lower() == "de"
        assert second["text"] == "ZWEI"

    ask(conversation)


def test_weblate_over_libretranslate():
    async def conversation(client):
        http = client.http
        languages = (await http.get("/languages", params={"api_key": ""})).json()
        assert {each["code"]: each["targets"] for each in languages}["de"] == ["de", "en"]
        body = {"q": ["eins", "zwei"], "source": "de", "target": "en", "api_key": ""}
        response = await http.post("/translate", json=body)
        assert response.json() == {"translatedText": ["EINS", "ZWEI"]}

    ask(conversation)


def test_mastodon_over_libretranslate():
    async def conversation(client):
        http = client.http
        languages = (await http.get("/languages")).json()
        assert [each["code"] for each in languages] == ["de", "en", "fr"]
        body = {
            "q": ["<p>Guten <b>Tag</b> &lt;3</p>", "Wie geht es dir heute?"],
            "source": "auto",
            "target": "en",
            "format": "html",
            "api_key": "not-asked-for",
        }
        response = await http.post("/translate", content=json.dumps(body), headers=JSON)
        answer = response.json()
        assert answer["translatedText"] == [
            "<p>GUTEN <b>TAG</b> &lt;3</p>",
            "WIE GEHT ES DIR HEUTE?",
        ]
        assert [each["language"] for each in answer["detectedLanguage"]] == ["de", "de"]

    ask(conversation, catalogue=stub_catalogue("de-en", "en-fr"))

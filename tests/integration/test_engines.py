"""The bundled model by its default engine: without torch, and the same bits in any company."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mt.translator import Translator

TEXTS = [
    "Guten Morgen.",
    "Ein Hund läuft über die Wiese.",
    "Ich habe gestern meinen Schlüssel verloren.",
    "Ja.",
    "Wo ist der Bahnhof? Er muss hier in der Nähe sein.",
    "Tom fragte, ob er das Fenster öffnen dürfe, weil es im Zimmer so heiß war.",
]


@pytest.mark.parametrize(
    "program",
    [
        "from mt import Translator; Translator.load().translate(['Guten Morgen.'])",
        "import io, sys; sys.stdin = open('/dev/null'); sys.argv = ['mt-translate'];"
        "from scripts.translate import app; app(standalone_mode=False)",
        "import onnxruntime; from service.app import create_app;"
        "from service.settings import Settings; from service.texts.catalogue import load_catalogue;"
        "create_app(Settings(), catalogue=load_catalogue(Settings()));"
        "import service.workers.worker",
    ],
    ids=["library", "mt-translate", "service"],
)
def test_on_a_cpu_nothing_waits_for_torch(program: str) -> None:
    check = "; import sys; assert 'onnxruntime' in sys.modules; assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", program + check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_translation_has_the_same_score_to_the_last_bit_alone_and_among_others() -> None:
    translator = Translator.load(engine="int8")
    together = translator.translate(TEXTS, alternatives=2)
    assert together == [translator.translate([text], alternatives=2)[0] for text in TEXTS]
    assert together == translator.translate(TEXTS[::-1], alternatives=2)[::-1]


def test_both_precisions_translate_plain_sentences_alike() -> None:
    quick, exact = (
        Translator.load(engine=engine).translate(["Guten Morgen.", "Ich bin müde."])
        for engine in ("int8", "fp32")
    )
    assert [t.text for t in quick] == [t.text for t in exact]
    assert [t.score for t in quick] == pytest.approx([t.score for t in exact], abs=0.05)

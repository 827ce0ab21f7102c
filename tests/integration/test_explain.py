"""mt-explain and mt-probe, run as a user runs it, and the service's process that explains."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from rich.cells import cell_len

from mt import Translator
from mt.bundle import save_bundle
from mt.card import model_card
from mt.explain import Explainer
from service.errors import Kind, ServiceError
from service.explaining.process import Explaining
from service.explaining.schemas import Explanation
from service.texts.catalogue import Catalogue
from support.bundles import SOURCES, save_tiny_bundle, tiny_bundle, tiny_language_bundle
from support.commands import ROOT, assert_mistake, call, run
from support.explaining import stub_explaining
from support.serving import ask, until
from support.workers import stub_catalogue, stub_model

SENTENCE = "Ein Hund läuft über die Wiese."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    save_tiny_bundle(folder / "model")
    attentive = tiny_bundle(attention="general")
    save_bundle(folder / "attentive", attentive, model_card(attentive))
    other = replace(
        tiny_bundle(), config=tiny_bundle().config.model_copy(update={"task": "answer"})
    )
    save_bundle(folder / "other", other, model_card(other))
    english = tiny_language_bundle()
    save_bundle(folder / "english", english, model_card(english))
    (folder / "text.de").write_text("".join(f"{line}\n" for line in SOURCES))
    return folder


def explained(*arguments: str | Path) -> str:
    return printed("explain", *arguments)


def printed(program: str, *arguments: str | Path) -> str:
    result = call(program, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()


def widths(text: str) -> set[int]:
    return {cell_len(line) for line in text.splitlines()}


# --- The page ------------------------------------------------------------------------------------


def test_the_page_fits_80_columns_and_has_every_layer_and_token(folder: Path) -> None:
    result = run("explain", SENTENCE, "--model", folder / "model")
    assert (result.returncode, result.stderr) == (0, b"")
    page = result.stdout.decode()
    (translation,) = Translator.load(folder / "model", engine="fp32").translate([SENTENCE])
    assert "".join(translation.text.split()) in "".join(page.split())
    assert max(widths(page)) <= 80
    assert re.findall(r"^Layer (\d): (.*), (\d+) units", page, re.MULTILINE) == [
        ("1", "encoder 1, forward", "8"),
        ("2", "encoder 1, backward", "8"),
        ("3", "decoder 1", "16"),
    ]
    assert page.count("</s>  ") == 4  # each direction's dependence, and its layer


def test_a_page_of_one_layer_has_no_other(folder: Path) -> None:
    page = explained(SENTENCE, "--model", folder / "model", "--layer", "3")
    assert re.findall(r"^Layer (\d)", page, re.MULTILINE) == ["3"]


def test_attention_is_shown_where_there_is_any(folder: Path) -> None:
    page = explained(SENTENCE, "--model", folder / "attentive")
    assert "Attention: where the output looked" in page
    assert max(widths(page)) <= 80


def test_wide_characters_and_control_characters_keep_the_columns(folder: Path) -> None:
    page = explained("犬" * 50 + " \x1b[31mHund", "--model", folder / "model", "--layer", "1")
    assert "\x1b" not in page
    assert max(widths(page)) <= 80


def test_a_walk_tells_every_step(folder: Path) -> None:
    arguments = (SENTENCE, "--model", folder / "model", "--layer", "2", "--walk", "3")
    story = explained(*arguments)
    record = json.loads(explained(*arguments, "--json"))
    pieces = record["source_pieces"]
    assert [layer["layer"] for layer in record["layers"]] == ["encoder 1, backward"]
    assert max(widths(story)) <= 80
    assert story.startswith("Unit 3 of layer 2 (encoder 1, backward).")
    assert [step["position"] for step in record["walk"]] == [*range(len(pieces))][::-1]
    numbers = re.findall(
        r"f \* c' = (\S+) \* (\S+) = (\S+) kept\n"
        r".* = (\S+) \* (\S+) = (\S+)\n"
        r".* = \S+ [+-] \S+ = (\S+)\n"
        r".* = (\S+) \* (\S+) = (\S+)",
        story,
    )
    assert len(numbers) == len(pieces)
    for f, before, kept, i, g, written, cell, o, shown, hidden in (map(float, n) for n in numbers):
        # Each figure is rounded to three digits.
        assert kept == pytest.approx(f * before, abs=1e-3 * (1 + abs(before)))
        assert written == pytest.approx(i * g, abs=2e-3)
        assert cell == pytest.approx(kept + written, abs=2e-3)
        assert hidden == pytest.approx(o * shown, abs=1e-3 * (1 + abs(shown)))


# --- The record ----------------------------------------------------------------------------------


def test_the_record_has_summaries_and_with_full_every_activation(folder: Path) -> None:
    short = json.loads(explained(SENTENCE, "--model", folder / "attentive", "--json"))
    full = json.loads(explained(SENTENCE, "--model", folder / "attentive", "--json", "--full"))
    source, read, written = (
        short[name] for name in ("source_pieces", "target_read", "target_written")
    )
    assert (source[-1], read[0]) == ("</s>", "<s>")
    assert read[1:] == written[:-1]
    for row in short["attention"]:
        assert len(row) == len(source)
        assert sum(row) == pytest.approx(1, abs=1e-4)
    for brief, layer in zip(short["layers"], full["layers"], strict=True):
        tokens = source if layer["side"] == "encoder" else read
        assert "activations" not in brief
        assert brief["summary"] == layer["summary"]
        for name, rows in layer["activations"].items():
            assert (len(rows), len(rows[0])) == (len(tokens), layer["units"])
            means = [sum(row) / len(row) for row in rows]
            assert layer["summary"][name]["mean"] == pytest.approx(means, abs=1e-5)
    for each in full["dependence"]:
        assert len(each["gradient"]) == len(each["kept_by_unit"]) == len(source)
        assert each["kept"]["most"] == pytest.approx([*map(max, each["kept_by_unit"])], abs=1e-5)


def test_capitals_are_explained_as_they_are_translated(folder: Path) -> None:
    capitals = json.loads(explained("DER HUND BELLT.", "--json"))
    assert capitals["source_pieces"][:2] == ["▁Der", "▁Hund"]
    assert capitals["translation"].isupper()


def test_a_right_to_left_model_is_explained_in_the_order_it_writes() -> None:
    bundle = tiny_bundle(reverse_target=True)
    explanation = Explainer(bundle).explain(SENTENCE)
    (expected,) = Translator.from_bundle(bundle, engine="fp32").translate([SENTENCE])
    assert explanation.translation == expected.text
    pieces = [piece for piece in explanation.written if piece != "</s>"]
    assert "".join(pieces[::-1]).replace("▁", " ").strip() == expected.text


def test_a_model_of_whole_texts_is_given_all_sentences_at_once() -> None:
    bundle = tiny_bundle()
    config = bundle.config.model_copy(update={"segmentation": "whole"})
    explanation = Explainer(replace(bundle, config=config)).explain("Hast du Hunger? Nein.")
    text = "".join(explanation.source_pieces).replace("▁", " ")
    assert text.strip() == "Hast du Hunger? Nein.</s>"


# --- Pictures ------------------------------------------------------------------------------------


def test_pictures_are_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra [plot]")
    arguments = ("Was kostet das $Brot$?", "--model", folder / "attentive", "--layer", "3")
    for name in ("a.png", "b.png"):
        explained(*arguments, "--png", tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content == (tmp_path / "b.png").read_bytes()


def test_a_picture_has_a_panel_for_every_activation_of_the_layers_chosen(folder: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra [plot]")
    from scripts.heatmaps import figure

    explanation = Explainer.load(folder / "model").explain(SENTENCE)
    made = figure(explanation, [1, 3])
    panels = [axes for part in made.subfigs for axes in part.axes if axes.images]
    titles = [axes.get_title(loc="left") for axes in panels]
    activations = ["forget", "output", "candidate", "cell", "hidden"]
    assert titles[2:] == [
        *("1: encoder 1, forward\ninput", *activations),
        *("3: decoder 1\ninput", *activations),
    ]
    order = explanation.layers[0].activations.forget.mean(0).argsort()
    shown = panels[3].images[0].get_array()
    assert shown.tolist() == explanation.layers[0].activations.forget[:, order].T.tolist()


# --- The probe -----------------------------------------------------------------------------------


def test_a_probe_prints_its_best_units_with_examples(folder: Path) -> None:
    text = printed(
        "probe", "units", folder / "text.de", "--model", folder / "model", "--units", "2"
    )
    assert text.startswith("24 lines; left out: blank 0, repeated 0, too long 0.")
    assert len(re.findall(r"^  \d+\.\d%  encoder 1, \w+, unit \d+: yes", text, re.MULTILINE)) == 2
    assert re.search(r"^word number over \d+: 24 sentences", text, re.MULTILINE)
    assert re.search(r"^  ▁\S+ ", text, re.MULTILINE)
    assert "open bracket: 0 sentences tell of it, too few to probe" in text
    assert max(widths(text)) <= 80


# --- Agreement -----------------------------------------------------------------------------------


def test_agreement_in_a_text_is_asked_for_and_printed_in_80_columns(folder: Path) -> None:
    nouns = ("dog", "boy", "girl", "train", "cat")
    pairs = [(one, other) for one in nouns for other in nouns if one != other]
    lines = [f"A {noun}. The {noun}s in the train are here. My {noun}s." for noun in nouns]
    lines += [f"The {noun}s in the train are here." for noun in nouns]
    lines += [f"The {one} in the {other}s is here." for one, other in pairs]
    (folder / "agreement.en").write_text("".join(f"{line}\n" for line in lines))
    text = printed("probe", "agreement", folder / "agreement.en", "--model", folder / "english")
    assert re.search(r"^verb +of +right % +95 % interval +one form$", text, re.MULTILINE)
    assert re.search(r"^1 attractor +25 ", text, re.MULTILINE)
    assert re.search(r"^verb: the cell of unit \d+ of layer 1 tells", text, re.MULTILINE)
    assert re.search(r"^at nouns between +0\.\d{3} +25$", text, re.MULTILINE)
    assert max(widths(text)) <= 80


# --- Mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], ["nothing to explain"]),
        ([" \n"], ["nothing to explain"]),
        (["Ja. Nein."], ["2 sentences", "one"]),
        (["Hund " * 150], ["at most 100", "max_source_pieces"]),
        ([SENTENCE, "--model", "nowhere"], ["nowhere", "nor a bundled model"]),
        ([SENTENCE, "--model", "other"], ["task = 'answer'"]),
        ([SENTENCE, "--layer", "4"], ["--layer = 4", "1 to 3"]),
        ([SENTENCE, "--walk", "8"], ["--walk = 8", "0 to 7"]),
        ([SENTENCE, "--full"], ["--json"]),
        ([SENTENCE, "--png", "picture.jpg"], [".png"]),
    ],
)
def test_a_mistake_is_one_plain_line(folder: Path, arguments: list[str], words: list[str]) -> None:
    if "--png" in arguments:
        pytest.importorskip("matplotlib", reason="pictures need the extra [plot]")
    given = arguments if "--model" in arguments else [*arguments, "--model", "model"]
    assert_mistake(call("explain", *given, folder=folder), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["units", "missing.de", "--model", "model"], ["missing.de"]),
        (["units", "text.de", "--model", "model", "--sentences", "3"], ["sentences"]),
        (["units", "text.de", "--model", "english"], ["only a model that translates"]),
        (["agreement", "--model", "model"], ["no language model"]),
        (["agreement", "--model", "de-en"], ["de-en", "no language model"]),
        (["agreement", "text.de", "--model", "english"], ["fits the patterns"]),
    ],
)
def test_a_mistake_of_a_probe_too(folder: Path, arguments: list[str], words: list[str]) -> None:
    assert_mistake(call("probe", *arguments, folder=folder), *words)


# --- The service ---------------------------------------------------------------------------------


def test_the_service_explains_as_the_program_does(folder: Path) -> None:
    model = stub_model("de-en", folder=folder / "model")

    async def conversation(client: Any) -> list[Any]:
        bodies = (
            {"text": SENTENCE},
            {"text": SENTENCE, "model": "de-en", "full": True},
            {"text": ""},
            {"text": "Ja. Nein."},
            {"text": SENTENCE, "model": "en-de"},
            {"text": 5},
            {"text": SENTENCE, "walk": 1},
            {"text": "a" * 301},
        )
        return [await client.http.post("/v1/explain", json=body) for body in bodies]

    settings = {"char_limit": 300, "deadline_s": 300}  # the process has torch to import
    short, full, *refused = ask(conversation, catalogue=Catalogue([model]), **settings)
    arguments = (SENTENCE, "--model", folder / "model", "--json")
    assert short.status_code == full.status_code == 200
    assert short.headers["content-type"] == "application/json"
    assert short.json() == json.loads(explained(*arguments))
    assert full.json() == json.loads(explained(*arguments, "--full"))
    for response in (short, full):
        Explanation.model_validate_json(response.content)
    found = [(each.status_code, each.json()["error"]["field"]) for each in refused]
    assert found == [
        (400, "text"),
        (400, None),
        (404, "model"),
        (400, "text"),
        (400, "walk"),
        (400, "text"),
    ]
    assert "2 sentences" in refused[1].json()["error"]["message"]


def test_a_request_that_is_no_json_is_refused() -> None:
    async def conversation(client: Any) -> Any:
        return await client.http.post("/v1/explain", data={"text": "Ja."})

    response = ask(conversation, catalogue=stub_catalogue())
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_request"


ECHO = """
import sys
for line in sys.stdin:
    if "die" in line:
        sys.exit()
    if "hang" in line:
        sys.stdin.read()
    if "stray" in line:
        print("a word too much")
    print("null", line.strip(), sep="\\n", flush=True)
"""


def with_process(script: str, conversation: Any, limit_s: float = 60) -> Any:
    async def whole() -> Any:
        explaining = Explaining([sys.executable, "-c", script], limit_s)
        try:
            return await conversation(explaining)
        finally:
            await explaining.close()

    return asyncio.run(asyncio.wait_for(whole(), 60))


def test_one_more_than_one_may_wait_and_the_next_is_told_to_come_again() -> None:
    async def conversation(explaining: Explaining) -> ServiceError:
        held = [asyncio.create_task(explaining.explain("m", "a", full=False)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceError) as refused:
            await explaining.explain("m", "b", full=False)
        await explaining.close()
        assert all(map(asyncio.Task.done, held)) or await asyncio.wait(held)
        return refused.value

    error = with_process("import time; time.sleep(60)", conversation)
    assert (error.kind, error.status, error.retry_after_s) == (Kind.OVERLOADED, 429, 1)


def test_an_answer_that_nobody_waits_for_is_not_given_to_the_next() -> None:
    async def conversation(explaining: Explaining) -> bytes:
        given_up = asyncio.create_task(explaining.explain("m", "first", full=False))
        await until(lambda: explaining._process)  # from then on it has the request
        given_up.cancel()
        return await explaining.explain("m", "second", full=False)

    assert json.loads(with_process(ECHO, conversation))["text"] == "second"


@pytest.mark.parametrize("text", ["die", "hang", "stray"])
def test_a_process_that_dies_hangs_or_answers_nonsense_is_replaced(text: str) -> None:
    async def conversation(explaining: Explaining) -> tuple[ServiceError, bytes]:
        with pytest.raises(ServiceError) as lost:
            await explaining.explain("m", text, full=False)
        explaining._limit_s = 60
        return lost.value, await explaining.explain("m", "again", full=False)

    error, answer = with_process(ECHO, conversation, limit_s=1 if text == "hang" else 60)
    assert (error.kind, error.retry_after_s) == (Kind.UNAVAILABLE, 1)
    assert json.loads(answer)["text"] == "again"


def test_a_process_that_died_while_idle_is_replaced_on_the_loop_of_the_server_too() -> None:
    async def conversation() -> tuple[ServiceError, bytes]:
        explaining = Explaining([sys.executable, "-c", ECHO])
        await explaining.explain("m", "first", full=False)
        assert explaining._process is not None
        explaining._process.kill()
        assert explaining._process.stdin is not None
        await until(explaining._process.stdin.is_closing)
        with pytest.raises(ServiceError) as lost:
            await explaining.explain("m", "second", full=False)
        answer = await explaining.explain("m", "third", full=False)
        await explaining.close()
        return lost.value, answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        error, answer = runner.run(conversation())
    assert (error.kind, error.retry_after_s) == (Kind.UNAVAILABLE, 1)
    assert json.loads(answer)["text"] == "third"


def test_the_process_starts_with_the_first_request_and_ends_with_the_app() -> None:
    async def conversation(client: Any) -> Any:
        explaining = client.server.explaining
        assert explaining._process is None
        assert (await client.http.post("/v1/explain", json={"text": "Ja."})).status_code == 200
        return explaining._process

    assert ask(conversation, explaining=stub_explaining()).returncode is not None


# --- The example ---------------------------------------------------------------------------------


def test_the_readmes_example_is_what_is_printed() -> None:
    """But for the figures and shades, which another release of the model changes."""
    text = (ROOT / "scripts/README.md").read_text(encoding="utf-8")
    found = re.search(r"```sh\nmt-explain (.*?)\n.*?```\n\n((?:    .*\n|\n)+)", text)
    assert found is not None
    sentence, *options = re.findall(r"\"(.*?)\"|(\S+)", found[1])
    shown = re.sub(r"^    ", "", found[2], flags=re.MULTILINE).strip()
    page = explained(*("".join(each) for each in (sentence, *options))).strip()

    def shape(text: str) -> list[str]:
        return [" ".join(re.sub(r"[░▒▓█\d.+-]+", " ", line).split()) for line in text.split("\n")]

    assert shape(shown) == shape(page)

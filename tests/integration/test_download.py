"""mt-download against servers that fail, folders that lack a file, and disks that are full."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import itertools
import json
import lzma
import re
import socket
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from mt.config import load_recipe
from mt.corpus import read_lines
from mt.datasets import DATASETS, prepare
from mt.datasets.dataset import Dataset, Original
from mt.datasets.multi30k import SPLITS
from mt.errors import ConfigError, CorpusError
from scripts.train import RECIPES, bundled_recipes
from support.commands import assert_mistake, run
from support.faults import fault_at
from support.origins import Origin, serving

LINES = {
    "train": {"de": ["Ein Hund.", "Zwei Hunde."], "en": ["A dog.", "Two dogs."],
              "fr": ["Un chien.", "Deux chiens."]},
    "val": {"de": ["Eine Katze."], "en": ["A cat."], "fr": ["Un chat."]},
    "test_2016_flickr": {"de": ["Ein Baum."], "en": ["A tree."], "fr": ["Un arbre."]},
    "test_2017_flickr": {"de": ["Ein Haus."], "en": ["A house."], "fr": ["Une maison."]},
    **{f"train.{part}": {"de": [f"Hund {part}."], "en": [f"Dog {part}."]} for part in range(1, 6)},
}  # fmt: skip
"""A Multi30k that can be read at a glance."""
TRAIN = "data/task1/raw/train.de.gz"


def published(lines: dict[str, dict[str, Sequence[str]]]) -> dict[str, bytes]:
    """Texts as Multi30k publishes them, by path."""
    return {
        f"data/task{1 + ('.' in split)}/raw/{split}.{language}.gz": gzip.compress(
            "".join(f"{line}\n" for line in text).encode(), mtime=0
        )
        for split, texts in lines.items()
        for language, text in texts.items()
    }


def known(files: dict[str, bytes]) -> Dataset:
    """Multi30k, with the sizes and hashes of these files."""
    originals = [
        Original(path, len(content), hashlib.sha256(content).hexdigest())
        for path, content in files.items()
    ]
    return dataclasses.replace(DATASETS["multi30k"], originals=originals)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The originals of a small Multi30k that stands in for the real one."""
    files = published(LINES)
    monkeypatch.setitem(DATASETS, "multi30k", known(files))
    return files


@pytest.fixture
def origin(files: dict[str, bytes]) -> Iterator[Origin]:
    with serving(files) as origin:
        yield origin


class Notes:
    """Writes down how a download goes, and does not wait."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.pauses: list[float] = []
        self.received_last: dict[str, tuple[int, int | None]] = {}

    def received(self, name: str, done: int, total: int | None) -> None:
        self.received_last[name] = (done, total)

    def trying_again(self, name: str, reason: str, seconds: float) -> None:
        self.reasons.append(f"{name}: {reason}")

    def fetch(self, name: str, output: Path, mirror: str) -> Path:
        prepared = prepare(name, output, mirror=mirror, progress=self, pause=self.pauses.append)
        return prepared.folder


def written(folder: Path) -> dict[str, list[str]]:
    return {path.name: read_lines(path) for path in folder.glob("*.xz")}


EXPECTED = {
    f"{ours}.{language}.xz": LINES[theirs][language]
    for theirs, ours in SPLITS.items()
    for language in ("de", "en", "fr")
} | {
    "captions.de.xz": ["Hund 1.", "Hund 2.", "Hund 3.", "Hund 4.", "Hund 5."],
    "captions.en.xz": ["Dog 1.", "Dog 2.", "Dog 3.", "Dog 4.", "Dog 5."],
}
MADE = {
    *("train.distilled.en.xz", "captions.distilled.en.xz", "captions.back.de.xz"),
    *("train.distilled.de.xz", "train.back.de.xz"),
    *("train.distilled.fr.xz", "captions.distilled.fr.xz", "train.back.fr.xz"),
    *("train.distilled.es.xz", "train.back.es.xz"),
}
"""What scripts/README.md has mt-translate make of them."""
BROUGHT = {
    *("qa-chatterbot-en", "europarl-fr-en", "canada-laws-fr-en", "python-docs-fr-en"),
    "gnome-docs-fr-en",
}
"""Texts that the user has to bring."""


def refusal(call: Callable[[], object]) -> str:
    """The one line with which a download is given up."""
    with pytest.raises(CorpusError) as caught:
        call()
    (line,) = str(caught.value).splitlines()
    return line


# Over the network


def test_texts_arrive_with_their_source(files, origin, tmp_path):
    notes = Notes()
    folder = notes.fetch("multi30k", tmp_path, origin.url)
    assert written(folder) == EXPECTED
    record = json.loads((folder / "source.json").read_bytes())
    assert record["url"] == origin.url
    assert record["downloaded"][:2] == "20"
    assert "non-commercial" in record["licence"]
    assert record["originals"][TRAIN]["sha256"] == hashlib.sha256(files[TRAIN]).hexdigest()
    assert record["texts"]["train.de.xz"] == {
        "lines": 2,
        "sha256": hashlib.sha256(b"Ein Hund.\nZwei Hunde.\n").hexdigest(),
    }
    assert notes.received_last["train.de.gz"] == (len(files[TRAIN]), len(files[TRAIN]))
    assert {path.suffix for path in (folder / "original").iterdir()} == {".gz"}
    assert all(headers["User-Agent"].startswith("Mozilla/5.0") for _, headers in origin.requests)


@pytest.mark.parametrize(
    ("tricks", "ranges", "reason"),
    [
        (["cut"], [None, "half"], "cut off after"),
        (["cut", "cut"], [None, "half", "three quarters"], "cut off after"),
        (["cut", "no range"], [None, "half"], "cut off after"),
        (["cut", "other range"], [None, "half", None], "cut off after"),
        (["wrong byte"], [None, None], "its SHA-256 is"),
        (["cut", "wrong byte"], [None, "half", None], "cut off after"),
        ([500], [None, None], "500 Internal Server Error"),
        ([503, 429], [None, None, None], "503 Service Unavailable"),
        (["cut", 500], [None, "half", "half"], "cut off after"),
        (["cut", 416], [None, "half", None], "cut off after"),
    ],
    ids=str,
)
def test_a_server_that_fails_now_and_then_is_asked_again(
    files, origin, tmp_path, tricks, ranges, reason
):
    origin.tricks[TRAIN] = list(tricks)
    notes = Notes()
    assert written(notes.fetch("multi30k", tmp_path, origin.url)) == EXPECTED
    size = len(files[TRAIN])
    half = size // 2
    begins = {"half": half, "three quarters": half + (size - half) // 2}
    assert origin.ranges()[: len(ranges)] == [
        None if asked is None else f"bytes={begins[asked]}-" for asked in ranges
    ]
    assert notes.reasons[0].startswith(f"train.de.gz: {reason}")
    assert notes.pauses == [1.0, 2.0, 4.0][: len(tricks) - (tricks[-1] == "no range")]


def test_a_part_that_begins_elsewhere_is_not_added(origin, tmp_path):
    origin.tricks[TRAIN] = ["cut", "other range"]
    notes = Notes()
    notes.fetch("multi30k", tmp_path, origin.url)
    assert notes.reasons[1].endswith("the server sent another range than it was asked for")


@pytest.mark.parametrize(
    ("tricks", "reason"),
    [
        ([500] * 4, "500 Internal Server Error (asked for 4 times)"),
        (["wrong byte"] * 4, f"expected {hashlib.sha256(published(LINES)[TRAIN]).hexdigest()}"),
        ([500] * 3 + ["cut"], "cut off after"),
        ([404], "404 Not Found"),
        ([406], "406 Not Acceptable"),
    ],
    ids=str,
)
def test_what_cannot_be_had_is_told_and_leaves_nothing_under_its_name(
    origin, tmp_path, tricks, reason
):
    origin.tricks[TRAIN] = list(tricks)
    line = refusal(lambda: Notes().fetch("multi30k", tmp_path, origin.url))
    assert line.startswith(f"{origin.url}/{TRAIN}: ")
    assert reason in line
    assert len(origin.requests) == len(tricks)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left in ([], ["train.de.gz.part"])


def test_a_later_run_goes_on_where_one_was_cut_off(files, origin, tmp_path):
    origin.tricks[TRAIN] = [500, 500, 500, "cut"]
    refusal(lambda: Notes().fetch("multi30k", tmp_path, origin.url))
    origin.requests.clear()
    notes = Notes()
    assert written(notes.fetch("multi30k", tmp_path, origin.url)) == EXPECTED
    assert origin.ranges()[0] == f"bytes={len(files[TRAIN]) // 2}-"
    assert notes.reasons == []


@pytest.mark.parametrize("size", ["equal", "longer"])
def test_a_part_that_is_whole_or_too_long_is_no_trap(files, origin, tmp_path, size):
    part = tmp_path / "multi30k" / "original" / "train.de.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(files[TRAIN] + (b"more" if size == "longer" else b""))
    assert written(Notes().fetch("multi30k", tmp_path, origin.url)) == EXPECTED
    asked = [path for path, _ in origin.requests if path == TRAIN]
    assert len(asked) == (2 if size == "longer" else 0)


def test_what_is_there_and_right_is_not_fetched_again(files, origin, tmp_path):
    folder = Notes().fetch("multi30k", tmp_path, origin.url)
    origin.requests.clear()
    (folder / "train.en.xz").unlink()
    damaged = folder / "original" / "val.fr.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert written(Notes().fetch("multi30k", tmp_path, origin.url)) == EXPECTED
    assert [path for path, _ in origin.requests] == ["data/task1/raw/val.fr.gz"]
    assert prepare("multi30k", tmp_path, mirror=origin.url).was_there


def test_no_way_to_the_server_is_told(files, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    notes = Notes()
    line = refusal(lambda: notes.fetch("multi30k", tmp_path, f"http://127.0.0.1:{port}"))
    assert line.endswith("/train.de.gz: Connection refused (asked for 4 times)")
    assert notes.pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("step", [1, 2, 3, 4], ids=["opened", "written", "flushed", "moved"])
def test_a_full_disk_is_told_and_leaves_nothing_under_the_name(origin, tmp_path, step):
    def fetch() -> None:
        with fault_at(step, "full"):
            Notes().fetch("multi30k", tmp_path, origin.url)

    assert refusal(fetch).endswith("No space left on device")
    assert not (tmp_path / "multi30k" / "original" / "train.de.gz").exists()
    assert written(Notes().fetch("multi30k", tmp_path, origin.url)) == EXPECTED


@pytest.mark.parametrize("kind", ["full", "killed"])
def test_where_the_record_is_all_texts_are(files, tmp_path, kind):
    source = tmp_path / "source"
    source.mkdir()
    for path, content in files.items():
        (source / Path(path).name).write_bytes(content)
    for step in itertools.count(61, 9):  # so many it takes to copy the originals
        folder = tmp_path / str(step) / "multi30k"
        with suppress(CorpusError), fault_at(step, kind) as fault:
            prepare("multi30k", folder.parent, source=source)
        if not fault.happened:
            break
        assert not (folder / "source.json").exists() or written(folder) == EXPECTED
        prepare("multi30k", folder.parent, source=source)
        assert written(folder) == EXPECTED
    assert step > 120


def test_texts_are_made_anew_without_a_record_of_the_old(origin, tmp_path, monkeypatch):
    folder = Notes().fetch("multi30k", tmp_path, origin.url)
    (folder / "train.en.xz").write_bytes(b"damaged")
    monkeypatch.setattr(lzma, "compress", lambda content: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Notes().fetch("multi30k", tmp_path, origin.url)
    assert not (folder / "source.json").exists()


def test_a_folder_of_a_version_with_fewer_originals_is_completed(origin, tmp_path):
    folder = Notes().fetch("multi30k", tmp_path, origin.url)
    record = json.loads((folder / "source.json").read_bytes())
    for path in [path for path in record["originals"] if "task2" in path]:
        del record["originals"][path]
        (folder / "original" / Path(path).name).unlink()
    for name in [name for name in record["texts"] if name.startswith("captions")]:
        del record["texts"][name]
        (folder / name).unlink()
    (folder / "source.json").write_text(json.dumps(record))
    origin.requests.clear()
    assert written(Notes().fetch("multi30k", tmp_path, origin.url)) == EXPECTED
    assert len(origin.requests) == 10  # only what was missing


# From a folder


@pytest.mark.parametrize("flat", [False, True], ids=["as published", "flat"])
def test_originals_may_come_from_a_folder(files, tmp_path, flat):
    source = tmp_path / "source"
    for path, content in files.items():
        place = source / (Path(path).name if flat else path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    prepared = prepare("multi30k", tmp_path / "data", source=source)
    assert written(prepared.folder) == EXPECTED
    assert prepared.record["downloaded"] is None


def test_a_folder_that_lacks_an_original_or_has_another_is_refused(files, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    line = refusal(lambda: prepare("multi30k", tmp_path / "data", source=source))
    assert line == f"{source} has no {TRAIN} and no train.de.gz"
    (source / "train.de.gz").write_bytes(files[TRAIN][:-1])
    line = refusal(lambda: prepare("multi30k", tmp_path / "data", source=source))
    assert line.startswith(f"{source / 'train.de.gz'} is not the original: it has ")


# Tatoeba


def export(pairs: Sequence[tuple[str, str]]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        rows = "".join(f"{english}\t{german}\tCC-BY 2.0\n" for german, english in pairs)
        file.writestr(zipfile.ZipInfo("deu.txt", (2018, 5, 13, 0, 0, 0)), rows.encode())
    return archive.getvalue()


PAIRS = [(f"Satz {n}.", f"Sentence {n}.") for n in range(200)]


@pytest.mark.parametrize("tag", ['"v1"', 'W/"v1"', ""], ids=["tag", "weak tag", "no tag"])
def test_an_export_is_resumed_only_where_it_cannot_have_changed(tmp_path, tag):
    content = export(PAIRS)
    with serving({"deu-eng.zip": content}) as origin:
        origin.tag = tag
        origin.tricks["deu-eng.zip"] = ["cut"]
        Notes().fetch("tatoeba-de-en", tmp_path, origin.url)
    resumed = tag == '"v1"'
    assert origin.ranges() == [None, f"bytes={len(content) // 2}-" if resumed else None]
    assert origin.requests[1][1].get("If-Range") == (tag if resumed else None)
    assert len(written(tmp_path / "tatoeba-de-en")["train.de.xz"]) > 150


def test_an_export_renewed_in_the_middle_is_fetched_from_its_start(tmp_path):
    with serving({"deu-eng.zip": export(PAIRS)}) as origin:
        origin.tag = '"v1"'
        origin.tricks["deu-eng.zip"] = ["cut"]

        class Renewing(Notes):
            def trying_again(self, name: str, reason: str, seconds: float) -> None:
                origin.tag = '"v2"'
                origin.files["deu-eng.zip"] = export(PAIRS[:100])

        folder = Renewing().fetch("tatoeba-de-en", tmp_path, origin.url)
    assert json.loads((folder / "source.json").read_bytes())["pairs"]["read"] == 100


def test_a_part_of_another_days_export_is_not_built_upon(tmp_path):
    part = tmp_path / "tatoeba-de-en" / "original" / "deu-eng.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(export(PAIRS)[:100])
    with serving({"deu-eng.zip": export(PAIRS[:100])}) as origin:
        Notes().fetch("tatoeba-de-en", tmp_path, origin.url)
    assert origin.ranges() == [None]


def test_a_wrong_byte_in_an_export_is_found(tmp_path):
    with serving({"deu-eng.zip": export(PAIRS)}) as origin:
        origin.tricks["deu-eng.zip"] = ["wrong byte"] * 4
        line = refusal(lambda: Notes().fetch("tatoeba-de-en", tmp_path, origin.url))
    assert ".zip archive" in line
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# The command


def test_the_command_fetches_and_says_what_there_is(tmp_path):
    with serving({"deu-eng.zip": export(PAIRS)}) as origin:
        arguments = ("tatoeba-de-en", "--output", tmp_path / "data", "--mirror", origin.url)
        first, second = run("download", *arguments), run("download", *arguments)
    folder = tmp_path / "data" / "tatoeba-de-en"
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    record = json.loads((folder / "source.json").read_bytes())
    lines = record["texts"]["train.de.xz"]["lines"]
    assert first.stdout.decode().splitlines()[:2] == [
        str(folder),
        f"{lines:>9} lines  train.de.xz",
    ]
    assert "licence: Tatoeba sentences, CC BY 2.0 FR" in first.stdout.decode()
    assert first.stderr.decode().splitlines() == [
        f"next: mt-train RECIPE --data {tmp_path}/data --output DIR, where RECIPE is one of "
        "tatoeba-de-en, tatoeba-de-en-attention, tatoeba-en-de, "
        "tatoeba-en-de-attention, tatoeba-en-language-model"
    ]
    assert f"is complete since {record['downloaded']}: nothing to do" in second.stdout.decode()
    assert len(origin.requests) == 1


def test_the_command_tells_mistakes_in_one_line(tmp_path):
    (tmp_path / "deu-eng.zip").write_bytes(b"no archive")
    assert_mistake(run("download", "multi31k"), "no dataset 'multi31k'", "tatoeba-de-en")
    assert_mistake(
        run("download", "tatoeba-de-en", "--from", tmp_path, "--output", tmp_path / "data"),
        f"{tmp_path}/deu-eng.zip is not the original: not a .zip archive: File is not a zip file",
    )
    assert_mistake(
        run("download", "multi30k", "--from", tmp_path, "--output", tmp_path / "deu-eng.zip"),
        "Not a directory",
    )


@pytest.mark.parametrize(
    ("name", "mirror"),
    [
        ("multi31k", None),
        ("multi30k", "ftp://x"),
        ("multi30k", "http://[x"),
        ("multi30k", "https:x"),
        ("multi30k", "https://x/ä"),
        ("multi30k", "https://x y"),
        ("multi30k", "https://x:1y"),
        ("multi30k", "https://x:99999"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(tmp_path, name, mirror):
    with pytest.raises(ConfigError, match=re.escape(repr(mirror or name))):
        prepare(name, tmp_path / "data", mirror=mirror)
    assert not (tmp_path / "data").exists()


def test_originals_come_from_one_place_and_those_made_here_from_none(tmp_path):
    for name, options, said in (
        ("multi30k", {"source": tmp_path, "mirror": "https://x"}, "give one of them"),
        ("agreement", {"source": tmp_path}, f"made here: there is nothing to take from {tmp_path}"),
        ("agreement", {"mirror": "https://x"}, "made here: there is nothing to take from https"),
    ):
        with pytest.raises(ConfigError, match=said):
            prepare(name, tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()


# The real texts


@cache
def made_texts(name: str) -> frozenset[str]:
    """What a dataset holds that is made here, anew each time, which takes seconds."""
    return frozenset(DATASETS[name].read(Path()).files)


@pytest.mark.parametrize("recipe", bundled_recipes())
def test_every_recipe_names_texts_that_can_be_had(recipe):
    data = load_recipe(RECIPES / f"{recipe}.toml", Path("/data")).data
    train, valid = (*data.train_source, *data.train_target), (data.valid_source, data.valid_target)
    for path in (*train, *valid, *(data.exclude or ())):
        if path.parent.name in BROUGHT:
            continue
        dataset = DATASETS[path.parent.name]
        if dataset.name == "multi30k":
            assert path.name in {*EXPECTED, *MADE}
        elif dataset.name in ("babi", "agreement"):
            assert path.name.removesuffix(".xz") in made_texts(dataset.name)
        elif path.name not in MADE:
            split, language, suffix = path.name.split(".")
            assert suffix == "xz"
            assert split in ("train", "valid", "test")
            assert language in dataset.name.split("-")


@pytest.mark.shared
def test_the_table_of_multi30k_is_the_published_one(corpora):
    table = (corpora / "multi30k" / "SOURCES.tsv").read_text().splitlines()[1:]
    rows = [row.split("\t") for row in table]
    assert DATASETS["multi30k"].originals == [Original(p, int(n), h) for p, n, h in rows]


@pytest.mark.shared
def test_multi30k_becomes_the_texts_that_the_recipes_were_measured_on(
    corpora, tmp_path, monkeypatch
):
    captions = {
        language: [
            " ".join(line.split())  # the folder has them as published
            for line in read_lines(corpora / "multi30k" / f"captions.{language}.xz")[:2000]
        ]
        for language in ("de", "en")
    }
    # Published as the originals are in places: with spaces at the end, and letters in two parts.
    texts = {
        split: {
            language: read_lines(corpora / "multi30k" / f"{ours}.{language}.xz")[:2000]
            for language in ("de", "en", "fr")
        }
        for split, ours in SPLITS.items()
    } | {
        f"train.{part}": {
            language: captions[language][400 * (part - 1) : 400 * part] for language in ("de", "en")
        }
        for part in range(1, 6)
    }
    rough = {
        split: {
            language: [unicodedata.normalize("NFD", f"{line} ") for line in lines]
            for language, lines in sides.items()
        }
        for split, sides in texts.items()
    }
    files = published(rough)
    monkeypatch.setitem(DATASETS, "multi30k", known(files))
    for path, content in files.items():
        (tmp_path / Path(path).name).write_bytes(content)
    folder = prepare("multi30k", tmp_path / "data", source=tmp_path).folder
    for path in folder.glob("*.xz"):
        name, language, _ = path.name.split(".")
        known_text = read_lines(corpora / "multi30k" / path.name)[:2000]
        expected = captions[language] if name == "captions" else known_text
        assert read_lines(path) == expected, path.name
    assert len(list(folder.glob("*.xz"))) == 14


@pytest.mark.shared
def test_real_pairs_are_split_without_a_sentence_in_two_splits(corpora, tmp_path):
    sides = [read_lines(corpora / "tatoeba-de-en" / f"train.{side}.xz") for side in ("de", "en")]
    pairs = list(zip(*sides, strict=True))[:5_000]
    (tmp_path / "deu-eng.zip").write_bytes(export(pairs))
    folder = prepare("tatoeba-de-en", tmp_path / "data", source=tmp_path).folder
    texts = written(folder)
    for side in ("de", "en"):
        sets = [
            {line.casefold() for line in texts[f"{split}.{side}.xz"]}
            for split in ("train", "valid", "test")
        ]
        assert sum(map(len, sets)) == len(set().union(*sets))
    assert len(texts["train.de.xz"]) > 4_700
    assert len(texts["test.en.xz"]) > 40

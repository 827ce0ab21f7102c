"""The model folder: there and back, every kind of damage, and a kill at every moment."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import mt.bundle
import mt.system.files
from mt.bundle import (
    BUNDLED_MODELS,
    CARD,
    FORMAT,
    MANIFEST,
    Bundle,
    find_model,
    load_bundle,
    read_manifest,
    save_bundle,
)
from mt.card import model_card, parameters_by_part
from mt.config import SearchConfig
from mt.errors import BundleError
from mt.lexicon import Lexicon
from mt.system.files import sha256
from mt.tokens import END
from mt.translator import Translator
from support.bundles import save_tiny_bundle, tiny_bundle

FORMAT_1 = Path(__file__).parents[1] / "fixtures" / "bundle-format-1"
LISTED = ["config-*.json", "weights-*.safetensors", "source-*.spm", "target-*.spm"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bundle(tmp_path_factory.mktemp("original") / "model")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A model folder that a test may damage."""
    return Path(shutil.copytree(original, tmp_path / "model"))


def one(folder: Path, pattern: str) -> Path:
    (path,) = folder.glob(pattern)
    return path


def refusal(folder: Path) -> str:
    """The one line with which a folder is refused."""
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert str(folder) in message
    return message


def change_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def replace_part(folder: Path, pattern: str, content: bytes) -> None:
    """Put other content in the place of a file, with a manifest that vouches for it."""
    path = one(folder, pattern)
    path.write_bytes(content)
    entry = {"bytes": len(content), "sha256": sha256(content)}
    change_manifest(folder, lambda manifest: manifest["files"].update({path.name: entry}))


def assert_same(found: Bundle, expected: Bundle) -> None:
    assert found.config == expected.config
    assert found.record == expected.record
    for side, other in zip(found.tokenizers, expected.tokenizers, strict=True):
        assert side.content == other.content
    assert found.weights.keys() == expected.weights.keys()
    for name, array in expected.weights.items():
        assert found.weights[name].dtype == array.dtype
        np.testing.assert_array_equal(found.weights[name], array)


def save(folder: Path, bundle: Bundle) -> None:
    save_bundle(folder, bundle, model_card(bundle))


def with_other_weights() -> Bundle:
    bundle = tiny_bundle()
    weights = {name: -array for name, array in bundle.weights.items()}
    return dataclasses.replace(bundle, weights=weights, record={**bundle.record, "update": 8})


def with_everything_different() -> Bundle:
    bundle = tiny_bundle(joint=True, decoder_hidden_size=20)
    config = bundle.config.model_copy(update={"search": SearchConfig(beam_size=2)})
    return dataclasses.replace(bundle, config=config, record={**bundle.record, "bleu": 30.0})


# There and back


@pytest.mark.parametrize("joint", [False, True])
def test_a_bundle_comes_back_as_it_was_saved(tmp_path, joint):
    bundle = tiny_bundle(joint=joint)
    save(tmp_path, bundle)
    assert_same(load_bundle(tmp_path), bundle)


def with_lexicon() -> Bundle:
    bundle = tiny_bundle()
    partners = np.zeros((len(bundle.tokenizers.source), 2), np.uint16)
    partners[5] = [6, 7]
    lexicon = Lexicon(np.array([END, 4], np.uint16), partners)
    return dataclasses.replace(bundle, lexicon=lexicon)


def test_a_lexical_table_comes_back_and_goes_with_the_bundle_that_had_it(tmp_path):
    save(tmp_path, with_lexicon())
    found = load_bundle(tmp_path)
    assert_same(found, with_lexicon())
    for ours, theirs in zip(found.lexicon, with_lexicon().lexicon, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    save(tmp_path, tiny_bundle())
    assert load_bundle(tmp_path).lexicon is None
    assert list(tmp_path.glob("lexicon*")) == []


@pytest.mark.parametrize(
    "arrays",
    [
        {"frequent": np.zeros(3, np.uint16)},
        {"frequent": np.zeros(3, np.uint16), "partners": np.zeros((3, 2), np.uint16)},
        {"frequent": np.zeros(3, np.float32), "partners": np.zeros((32, 2), np.uint16)},
        {"frequent": np.full(3, 60_000, np.uint16), "partners": np.zeros((32, 2), np.uint16)},
        {"other": np.zeros(3)},
    ],
    ids=["partners missing", "too few rows", "no integers", "unknown pieces", "something else"],
)
def test_a_lexical_table_of_other_vocabularies_is_told(tmp_path, arrays):
    save(tmp_path, with_lexicon())
    rows = len(with_lexicon().tokenizers.source)
    if "partners" in arrays and len(arrays["partners"]) == 32:
        arrays["partners"] = np.zeros((rows, 2), np.uint16)
    replace_part(tmp_path, "lexicon-*.safetensors", safetensors.numpy.save(arrays))
    expected = f"{tmp_path}: lexicon.safetensors does not fit the vocabularies"
    assert refusal(tmp_path) == expected


def test_a_joint_tokenizer_is_stored_and_loaded_once(tmp_path):
    save(tmp_path, tiny_bundle(joint=True))
    assert [path.name[:10] for path in tmp_path.glob("*.spm")] == ["tokenizer-"]
    source, target = load_bundle(tmp_path).tokenizers
    assert source is target


def test_a_stored_bundle_is_known_by_the_hash_of_its_weights(folder):
    assert tiny_bundle().identity == ""
    assert load_bundle(folder).identity == sha256(one(folder, "weights-*").read_bytes())


def test_saving_makes_the_folders_it_needs(tmp_path):
    save_tiny_bundle(tmp_path / "models" / "de-en")
    assert_same(load_bundle(tmp_path / "models" / "de-en"), tiny_bundle())


def test_a_folder_holds_these_files_and_no_other(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted([CARD, MANIFEST, *(one(folder, name).name for name in LISTED)])


def test_the_manifest_lists_each_file_with_size_and_hash_and_the_name_has_the_hash(folder):
    manifest = json.loads((folder / MANIFEST).read_bytes())
    assert manifest["format"] == FORMAT
    assert manifest["record"] == tiny_bundle().record
    assert sorted(manifest["files"]) == sorted(one(folder, name).name for name in LISTED)
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": sha256(content)}
        assert name.split("-")[1].split(".")[0] == sha256(content)[:12]


def test_saving_repeats_byte_for_byte(folder, tmp_path):
    again = save_tiny_bundle(tmp_path / "again")
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_weights_are_plain_arrays_in_half_precision(folder):
    content = one(folder, "weights-*").read_bytes()
    # safetensors: a length of 8 bytes, a header of JSON, then numbers and nothing else.
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    assert {entry["dtype"] for entry in header.values()} == {"F16"}
    assert {name: tuple(entry["shape"]) for name, entry in header.items()} == {
        name: array.shape for name, array in tiny_bundle().weights.items()
    }
    assert len(content) == 8 + length + 2 * sum(a.size for a in tiny_bundle().weights.values())


def test_loading_needs_no_torch_and_no_pickle(folder):
    program = (
        "import sys; from pathlib import Path; from mt.bundle import load_bundle\n"
        "import pickle; pickle.loads = pickle.load = pickle.Unpickler = None\n"
        f"bundle = load_bundle(Path({str(folder)!r}))\n"
        "assert bundle.tokenizers.source.encode(['Hund']), bundle\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# Damage


@pytest.mark.parametrize("pattern", [*LISTED, MANIFEST])
@pytest.mark.parametrize("place", [0, 0.5, 0.999], ids=["first", "middle", "last"])
def test_a_flipped_byte_is_told_with_its_file(folder, pattern, place):
    path = one(folder, pattern)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    path.write_bytes(content)
    assert refusal(folder).startswith(f"{path} is damaged: ")


@pytest.mark.parametrize("pattern", [*LISTED, MANIFEST])
@pytest.mark.parametrize("left", [0, 1, 100, -2])
def test_a_file_cut_short_is_told(folder, pattern, left):
    path = one(folder, pattern)
    path.write_bytes(path.read_bytes()[:left])
    assert refusal(folder).startswith(f"{path} is damaged: ")


@pytest.mark.parametrize("pattern", LISTED)
def test_a_file_that_has_grown_is_told(folder, pattern):
    path = one(folder, pattern)
    path.write_bytes(path.read_bytes() + b"\n")
    assert refusal(folder).startswith(f"{path} is damaged: ")


@pytest.mark.parametrize("pattern", LISTED)
def test_a_missing_file_is_told(folder, pattern):
    path = one(folder, pattern)
    path.unlink()
    assert refusal(folder) == (f"{path}: No such file or directory, though manifest.json lists it")


def test_a_flipped_bit_of_the_manifest_never_changes_the_model(folder):
    path = folder / MANIFEST
    content = path.read_bytes()
    for place in range(0, len(content), 11):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            found = load_bundle(folder)
        except BundleError:
            refusal(folder)
        else:
            # What is said in the record has no hash; the model itself has.
            assert_same(dataclasses.replace(found, record=tiny_bundle().record), tiny_bundle())


def test_a_folder_without_a_manifest_is_no_model(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path} is not a model folder: it has no manifest.json"
    absent = tmp_path / "absent"
    assert refusal(absent) == f"{absent} is not a model folder: it has no manifest.json"


def test_a_file_is_no_model_folder(tmp_path):
    path = tmp_path / "model"
    path.write_text("")
    assert refusal(path) == f"{path / MANIFEST}: Not a directory"


def test_a_card_may_be_annotated_damaged_or_missing(folder):
    (folder / CARD).write_bytes(b"\xff")
    assert_same(load_bundle(folder), tiny_bundle())
    (folder / CARD).unlink()
    assert_same(load_bundle(folder), tiny_bundle())


def test_files_that_are_not_listed_are_not_read(folder):
    (folder / "weights-0123456789ab.safetensors").write_bytes(b"newer, half written")
    assert_same(load_bundle(folder), tiny_bundle())


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "3", '"x"', "[]", "{}", "{", "\x00"),
        pytest.param("[" * 100_000, id="deep"),
        '{"files": {}, "record": {}}',
        '{"format": 1}',
        '{"format": "1", "files": {}, "record": {}}',
        '{"format": true, "files": {}, "record": {}}',
        '{"format": 0, "files": {}, "record": {}}',
        '{"format": 1.0, "files": {}, "record": {}}',
        '{"format": null, "files": {}, "record": {}}',
        '{"format": 1, "files": [], "record": {}}',
        '{"format": 1, "files": {}, "record": []}',
        '{"format": 1, "files": {}}',
    ],
)
def test_a_manifest_of_another_shape_is_damaged(folder, text):
    (folder / MANIFEST).write_text(text)
    assert refusal(folder) == f"{folder / MANIFEST} is damaged: not a manifest"


@pytest.mark.parametrize("manifest", [{"files": {}, "record": {}}, {"parts": []}, {"files": 1}])
def test_a_newer_format_is_refused_with_what_to_do(folder, manifest):
    (folder / MANIFEST).write_text(json.dumps({"format": FORMAT + 1, **manifest}))
    assert refusal(folder) == (
        f"{folder} has format {FORMAT + 1}, this version reads up to {FORMAT}: "
        "install a newer release"
    )


def test_a_folder_of_format_1_still_loads_and_translates():
    # Written and trained by the last release before format 2, on the task of support.recipes.
    assert read_manifest(FORMAT_1).format == 1
    found = load_bundle(FORMAT_1)
    assert found.config.model.encoder_hidden_size == 12
    assert found.record["update"] == 300
    texts = ["zwei Hunde und drei Katzen", "fünf Vögel und vier Pferde"]
    translations = Translator.load(FORMAT_1).translate(texts)
    assert [translation.text for translation in translations] == [
        "two dogs and three cats",
        "five birds and four horses",
    ]


def test_a_folder_of_format_1_is_renewed_as_one_of_this_format(tmp_path):
    folder = Path(shutil.copytree(FORMAT_1, tmp_path / "model"))
    before = load_bundle(folder)
    save(folder, before)
    assert read_manifest(folder).format == FORMAT > 1
    assert_same(load_bundle(folder), before)


@pytest.mark.parametrize("size", [None, 0, "1"])
def test_a_file_of_another_size_than_listed_is_refused(folder, size):
    path = one(folder, "config-*.json")
    change_manifest(folder, lambda manifest: manifest["files"][path.name].update(bytes=size))
    assert refusal(folder).startswith(f"{path} is damaged: its content does not match its hash")


@pytest.mark.parametrize("entry", [None, [], "x", {}, {"sha256": None}, {"sha256": "0" * 64}])
@pytest.mark.parametrize("pattern", LISTED)
def test_a_file_without_its_hash_is_refused(folder, pattern, entry):
    path = one(folder, pattern)
    change_manifest(folder, lambda manifest: manifest["files"].update({path.name: entry}))
    assert refusal(folder).startswith(f"{path} is damaged: its content does not match its hash")


@pytest.mark.parametrize("pattern", LISTED)
def test_a_file_the_manifest_does_not_list_is_missed(folder, pattern):
    name = one(folder, pattern).name
    change_manifest(folder, lambda manifest: manifest["files"].pop(name))
    part = pattern.replace("-*", "")
    assert refusal(folder) == f"{folder / MANIFEST} lists no {part}, which the model needs"


def test_a_listed_file_that_does_not_exist_is_told(folder):
    change_manifest(folder, lambda manifest: manifest["files"].update({"extra.bin": {}}))
    assert refusal(folder) == (
        f"{folder / 'extra.bin'}: No such file or directory, though manifest.json lists it"
    )


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "run/secret", "../model/README.md", ".", "a\0b", "a\nb"]
)
def test_a_listed_name_may_not_lead_out_of_the_folder(folder, name):
    secret = b"secret"
    (folder / "run").mkdir()
    for path in (folder.parent / "secret", folder / "run" / "secret"):
        path.write_bytes(secret)
    entry = {"bytes": len(secret), "sha256": sha256(secret)}
    change_manifest(folder, lambda manifest: manifest["files"].update({name: entry}))
    assert refusal(folder) == (
        f"{folder / MANIFEST} lists {name!r}, which is no file of the folder"
    )


def test_a_listed_pipe_is_refused_and_never_read(folder):
    path = one(folder, "config-*.json")
    path.unlink()
    os.mkfifo(path)
    assert refusal(folder) == f"{path} is no file, though manifest.json lists it"


@pytest.mark.parametrize("name", ["..", ""])
def test_a_listed_folder_is_told(folder, name):
    change_manifest(folder, lambda manifest: manifest["files"].update({name: {}}))
    assert "Is a directory, though manifest.json lists it" in refusal(folder)


@pytest.mark.parametrize(
    ("pattern", "content", "message"),
    [
        ("config-*.json", b"{", ": Expecting property name"),
        ("config-*.json", b"\xff", ": 'utf-8' codec can't decode"),
        pytest.param("config-*.json", b"[" * 100_000, ": maximum recursion", id="deep"),
        ("config-*.json", b"[]", ": config.json: Input should be"),
        ("config-*.json", b'{"nam": "x"}', ": config.json: unknown key nam; did you mean name?"),
        ("weights-*.safetensors", b"", ": weights.safetensors: "),
        ("weights-*.safetensors", b"\x80\x04N.", ": weights.safetensors: "),
        ("source-*.spm", b"no model", ": source.spm: the tokenizer is not a SentencePiece model"),
        ("target-*.spm", b"no model", ": target.spm: the tokenizer is not a SentencePiece model"),
    ],
)
def test_a_part_that_was_never_good_is_told_though_its_hash_is_right(
    folder, pattern, content, message
):
    replace_part(folder, pattern, content)
    assert refusal(folder).startswith(f"{folder}{message}")


def test_weights_of_a_type_that_numpy_has_not_are_told(folder):
    header = b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    content = struct.pack("<Q", len(header)) + header + b"\0\0"
    replace_part(folder, "weights-*.safetensors", content)
    assert refusal(folder) == f"{folder}: weights.safetensors: 'BF16'"


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex64, np.bool_, np.int64])
def test_weights_of_another_type_than_half_precision_are_refused(folder, kind):
    weights = {name: array.astype(kind) for name, array in tiny_bundle().weights.items()}
    replace_part(folder, "weights-*.safetensors", safetensors.numpy.save(weights))
    assert refusal(folder).startswith(f"{folder}: weights.safetensors: ")
    assert refusal(folder).endswith(f" is {np.dtype(kind)}, not float16")


@pytest.mark.parametrize("name", ["name", "source_language", "target_language"])
@pytest.mark.parametrize("value", ["", "x\ny", "\x1b[31m"])
def test_a_name_that_a_terminal_would_obey_is_refused(folder, name, value):
    config = json.loads(one(folder, "config-*.json").read_bytes()) | {name: value}
    replace_part(folder, "config-*.json", json.dumps(config).encode())
    assert refusal(folder).startswith(f"{folder}: config.json: {name}: ")


# Renewing


@pytest.mark.parametrize("renewed", [with_other_weights, with_everything_different])
def test_a_renewed_folder_holds_the_new_model_and_nothing_of_the_old(folder, renewed, tmp_path):
    save(folder, renewed())
    assert_same(load_bundle(folder), renewed())
    save(tmp_path / "fresh", renewed())
    assert {p.name for p in folder.iterdir()} == {p.name for p in (tmp_path / "fresh").iterdir()}


def test_other_files_in_the_folder_are_left_alone(folder):
    others = [
        *("run/checkpoint.json", "weights-backup.safetensors", "weights-old.safetensors"),
        *("notes.txt", "config.json", "other-0123456789ab.bin", ".hidden"),
    ]
    (folder / "run").mkdir()
    for name in others:
        (folder / name).write_text(name)
    save(folder, with_everything_different())
    for name in others:
        assert (folder / name).read_text() == name


def test_saving_the_same_model_again_changes_nothing(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save_tiny_bundle(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_save_removes_what_one_that_was_killed_left_behind(folder):
    names = {path.name for path in folder.iterdir()}
    for name in (
        ".manifest.json.123.tmp",
        ".weights-0123456789ab.safetensors.1.tmp",
        "weights-0123456789ab.safetensors",  # written, but the manifest never came to list it
    ):
        (folder / name).write_bytes(b"half")
    save_tiny_bundle(folder)
    assert {path.name for path in folder.iterdir()} == names


def test_the_room_that_a_killed_save_took_is_free_before_the_next_one_writes(folder, monkeypatch):
    stray = folder / "weights-0123456789ab.safetensors"
    stray.write_bytes(b"whole, but not listed")
    kill_at(monkeypatch, call=1, after=False)
    with pytest.raises(Killed):
        save(folder, with_other_weights())
    assert not stray.exists()
    assert_same(load_bundle(folder), tiny_bundle())


# Loading while somebody renews


def renew_during_load(monkeypatch: pytest.MonkeyPatch, folder: Path, *bundles: Bundle) -> None:
    """Renew the folder each time its manifest has just been read, as long as there are bundles."""
    read, left = mt.bundle.read_manifest, list(bundles)

    def read_then_renew(path: Path):
        manifest = read(path)
        if left and path == folder:
            bundle = left.pop(0)
            with monkeypatch.context() as patch:
                patch.setattr(mt.bundle, "read_manifest", read)
                save(folder, bundle)
        return manifest

    monkeypatch.setattr(mt.bundle, "read_manifest", read_then_renew)


def test_a_folder_renewed_while_it_is_read_gives_the_new_model(folder, monkeypatch):
    renew_during_load(monkeypatch, folder, with_everything_different())
    assert_same(load_bundle(folder), with_everything_different())


def test_a_missing_file_is_told_though_the_folder_was_renewed_meanwhile(folder, monkeypatch):
    renew_during_load(monkeypatch, folder, with_everything_different(), with_other_weights())
    assert "No such file or directory, though manifest.json lists it" in refusal(folder)


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(monkeypatch: pytest.MonkeyPatch, call: int, after: bool) -> list[str]:
    """End the process at a call of write_atomic, before it or right after it; note the names."""
    names: list[str] = []
    write = mt.system.files.write_atomic

    def mortal(path: Path, content: bytes) -> None:
        names.append(path.name)
        if len(names) == call and not after:
            raise Killed
        write(path, content)
        if len(names) == call:
            raise Killed

    monkeypatch.setattr(mt.system.files, "write_atomic", mortal)
    monkeypatch.setattr(mt.bundle, "write_atomic", mortal)
    return names


def test_the_manifest_is_written_after_all_that_it_lists(folder, monkeypatch):
    names = kill_at(monkeypatch, call=0, after=False)
    save(folder, with_other_weights())
    listed = json.loads((folder / MANIFEST).read_bytes())["files"]
    assert sorted(names[:4]) == sorted(listed)
    assert names[4:] == [MANIFEST, CARD]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, 7))
def test_a_kill_at_any_write_leaves_the_old_model_or_the_new(folder, monkeypatch, call, after):
    old, new = tiny_bundle(), with_other_weights()
    names = kill_at(monkeypatch, call, after)
    with pytest.raises(Killed):
        save(folder, new)
    assert len(names) == call
    assert_same(load_bundle(folder), old if MANIFEST not in names[: call - 1 + after] else new)


@pytest.mark.parametrize("call", range(1, 6))
def test_a_kill_leaves_a_whole_model_when_configuration_and_tokenizers_change_too(
    folder, monkeypatch, call
):
    names = kill_at(monkeypatch, call, after=True)
    with pytest.raises(Killed):
        save(folder, with_everything_different())
    assert len(names) == call
    finished = MANIFEST in names
    assert_same(load_bundle(folder), with_everything_different() if finished else tiny_bundle())


@pytest.mark.parametrize("call", range(1, 5))
def test_a_kill_while_old_files_are_removed_leaves_the_new_model(folder, monkeypatch, call):
    calls = []
    unlink = Path.unlink

    def mortal(path: Path, missing_ok: bool = False) -> None:
        calls.append(path)
        if len(calls) == call:
            raise Killed
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", mortal)
        with pytest.raises(Killed):
            save(folder, with_everything_different())
    assert_same(load_bundle(folder), with_everything_different())
    save(folder, with_everything_different())
    assert len(list(folder.iterdir())) == 5


def test_a_kill_during_the_first_save_leaves_no_model_but_can_be_repeated(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        kill_at(patch, call=5, after=False)
        with pytest.raises(Killed):
            save_tiny_bundle(tmp_path)
    assert refusal(tmp_path) == f"{tmp_path} is not a model folder: it has no manifest.json"
    save_tiny_bundle(tmp_path)
    assert_same(load_bundle(tmp_path), tiny_bundle())


# The card


def test_the_card_says_what_the_model_is(folder):
    card = (folder / CARD).read_text(encoding="utf-8")
    rows = dict(
        [cell.strip() for cell in line.strip("|").split(" | ", 1)]
        for line in card.splitlines()
        if line.startswith("| ") and line != "| | |"
    )
    assert card.startswith("# tiny-de-en\n")
    assert rows["Translates"] == "de to en"
    assert rows["Licence of the text"] == "CC0"
    assert rows["Encoder"] == "bidirectional LSTM, 1 layer of 8"
    assert rows["Vocabulary"] == "120 + 120"
    assert rows["Parameters"] == "7,746, stored in half precision"
    assert rows["Decoding default"] == "beam 5, length penalty 1"
    assert rows["Trained for"] == "7 updates, epoch 3"
    assert rows["Validation BLEU"].startswith("1.25, greedy, ")


def test_the_card_says_if_digits_are_copied():
    search = SearchConfig(copy_digits=True)
    config = tiny_bundle().config.model_copy(update={"search": search})
    bundle = dataclasses.replace(tiny_bundle(), config=config)
    assert "| beam 5, length penalty 1, no digits but those of the source |" in model_card(bundle)


def test_the_card_gives_bleu_with_its_signature():
    signature = str(tiny_bundle().record["signature"])
    assert "tok:13a" in signature
    assert signature in model_card(tiny_bundle()).replace("\\|", "|")


def test_the_card_of_a_model_without_a_record_says_the_rest():
    whole = model_card(tiny_bundle()).splitlines()
    card = model_card(dataclasses.replace(tiny_bundle(), record={})).splitlines()
    told = ("| Training text", "| Licence", "| Trained for", "| Validation")
    assert card == [line for line in whole if not line.startswith(told)]
    assert len(card) == len(whole) - len(told)


def test_the_card_is_one_table_whatever_the_licence_says():
    record = {**tiny_bundle().record, "licence": "CC BY | see\n\nthe web\tpage"}
    card = model_card(dataclasses.replace(tiny_bundle(), record=record))
    assert "| Licence of the text | CC BY \\| see the web page |" in card.splitlines()


def test_a_joint_vocabulary_is_counted_once():
    assert "| Vocabulary | 120 |" in model_card(tiny_bundle(joint=True)).splitlines()


def test_the_card_names_the_options_that_have_no_row_of_their_own():
    assert "Other options" not in model_card(tiny_bundle())
    bundle = tiny_bundle(
        decoder_hidden_size=16, forget_bias=2.0, tied_output=False, layer_dropout=0
    )
    options = "| Other options | tied_output = False, forget_bias = 2.0 |"
    assert options in model_card(bundle).splitlines()


def test_parameters_are_counted_by_part():
    parts = parameters_by_part(tiny_bundle())
    # Sizes of support.bundles: embeddings of 12 for 120 pieces, encoder 8 a direction, decoder 16
    # and context 6; an LSTM has four gates over its input, itself and one bias.
    assert parts["encoder.embedding"] == parts["decoder.embedding"] == 120 * 12
    assert parts["encoder.layers"] == 2 * 4 * 8 * (12 + 8 + 1)
    assert parts["decoder.layers"] == 4 * 16 * (12 + 6 + 16 + 1)
    assert parts["bridge.hidden"] == parts["bridge.cell"] == 16 * (16 + 1)
    assert parts["bridge.context"] == 6 * (2 * 16 + 1)
    assert parts["output_bias"] == 120
    assert sum(parts.values()) == sum(array.size for array in tiny_bundle().weights.values())


# Bundled models by name


def test_a_name_means_a_bundled_model_unless_there_is_such_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model(None) == find_model("de-en") == BUNDLED_MODELS / "de-en"
    (tmp_path / "de-en").mkdir()
    assert find_model("de-en") == find_model(Path("de-en")) == Path("de-en")
    assert find_model("no-such") == Path("no-such")


def test_a_name_that_is_none_is_told_with_those_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"^no-such is not a model folder, nor .* de-en, en-de"):
        load_bundle(find_model("no-such"))
    (tmp_path / "no-such").mkdir()
    with pytest.raises(BundleError, match=r"^no-such is not a model folder: it has no manifest"):
        load_bundle(find_model("no-such"))

"""mt-info on whole folders, damaged ones, and ones of other formats."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mt.bundle import FORMAT, MANIFEST
from support.bundles import save_tiny_bundle, tiny_bundle
from support.commands import ROOT, assert_mistake, call, run

FORMAT_1 = ROOT / "tests" / "fixtures" / "bundle-format-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_bundle(tmp_path / "model")


def test_the_page_has_card_files_parameters_and_record(folder):
    (folder / "README.md").write_text("# tiny, annotated\n")
    result = run("info", folder)
    assert result.returncode == 0, result.stderr
    page = result.stdout.decode()
    sizes = {path.name: path.stat().st_size for path in folder.glob("*-*")}
    assert page.startswith("# tiny, annotated\n")
    assert f"## Files: format {FORMAT}, {sum(sizes.values()):,} bytes, every hash is right" in page
    for name, size in sizes.items():
        assert any(f"{size:,} " in line and name in line for line in page.splitlines())
    assert "\n        7,746  total\n" in page
    assert "\nbleu: 1.25\n" in page
    assert result.stderr == b""


def test_the_record_is_json_and_a_missing_card_is_made(folder):
    (folder / "README.md").unlink()
    result = call("info", folder, "--json")
    record = json.loads(result.stdout)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    bundle = tiny_bundle()
    assert record["files"] == manifest["files"]
    assert record["record"] == bundle.record
    assert record["format"] == FORMAT
    assert (record["source_language"], record["target_language"]) == ("de", "en")
    assert record["parameters"]["total"] == sum(a.size for a in bundle.weights.values())
    assert record["model"] == bundle.config.model.model_dump(mode="json")
    assert "| Translates | de to en |" in record["card"]
    assert record["weights"] == next(
        entry["sha256"] for name, entry in manifest["files"].items() if name.startswith("weights")
    )


def test_an_older_format_is_named(folder):
    record = json.loads(call("info", FORMAT_1, "--json").stdout)
    assert record["format"] == 1
    assert record["name"] == "tiny"


def test_a_damaged_file_is_named(folder):
    path = next(folder.glob("weights-*"))
    path.write_bytes(path.read_bytes()[:-1])
    assert_mistake(call("info", folder), f"{path} is damaged")


def test_a_newer_format_is_refused_with_what_to_do(folder):
    shutil.copytree(folder, folder.parent / "newer")
    manifest = folder.parent / "newer" / MANIFEST
    manifest.write_text(json.dumps({"format": FORMAT + 1}))
    assert_mistake(call("info", folder.parent / "newer"), "install a newer release")


def test_the_bundled_model_is_shown_where_none_is_named():
    record = json.loads(call("info", "--json").stdout)
    assert (record["name"], record["format"]) == ("de-en", FORMAT)
    assert "## Measured" in record["card"]

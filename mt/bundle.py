"""The model folder: configuration, weights, tokenizers and a manifest of hashes.

Knows files and arrays. Does not know torch, so that an engine may run without it.

    config.json                 what the model is: languages, sizes, decoding defaults
    weights-<hash>.safetensors  parameters in half precision
    source.spm target.spm       SentencePiece models (tokenizer.spm if joint)
    manifest.json               format, size and SHA-256 of each file above, training record
    README.md                   the model card, for people; not hashed, so it may be annotated

A folder is renewed by writing new files beside the old and replacing manifest.json last, in one
move. Every file that can change between two versions carries its hash in its name, so a kill at
any moment leaves a folder that loads: the old model or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from mt.config import ModelConfig, Options, SearchConfig, parse
from mt.errors import BundleError, ConfigError
from mt.files import sha256, write_atomic, write_json
from mt.tokenizer import Tokenizer, TokenizerPair

FORMAT = 1
"""Version of the folder's layout; a reader refuses a newer one."""
MANIFEST, CONFIG, CARD = "manifest.json", "config.json", "README.md"


class BundleConfig(Options):
    """config.json: what the model is, without how it was made."""

    name: str
    source_language: str
    target_language: str
    joint_vocabulary: bool
    model: ModelConfig
    search: SearchConfig


@dataclass(frozen=True)
class Bundle:
    """A model, whole, as arrays."""

    config: BundleConfig
    tokenizers: TokenizerPair
    weights: Mapping[str, NDArray[np.float16]]
    """Parameters by their name in the model."""
    record: Mapping[str, Any]
    """How it was made: data, licence, updates, validation scores."""


def save_bundle(folder: Path, bundle: Bundle, card: str) -> None:
    """Write or renew a model folder; other files in it, such as run/, are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = safetensors.numpy.save(dict(bundle.weights))
    config = json.dumps(bundle.config.model_dump(mode="json"), indent=2, ensure_ascii=False)
    contents = {
        CONFIG: config.encode() + b"\n",
        f"weights-{sha256(weights)[:12]}.safetensors": weights,
        **_tokenizer_files(bundle),
    }
    for name, content in contents.items():
        write_atomic(folder / name, content)
    files = {n: {"bytes": len(c), "sha256": sha256(c)} for n, c in contents.items()}
    write_json(
        folder / MANIFEST, {"format": FORMAT, "files": files, "record": dict(bundle.record)}
    )
    write_atomic(folder / CARD, card.encode())
    for old in folder.glob("weights-*.safetensors"):
        if old.name not in contents:
            old.unlink()


def load_bundle(folder: Path) -> Bundle:
    """Read a model folder and check every file against the manifest.

    Raises:
        BundleError: something is missing, damaged, or of a newer format.
    """
    manifest = _read_manifest(folder)
    contents = {n: _verified(folder, n, entry) for n, entry in manifest["files"].items()}
    try:
        config = parse(BundleConfig, json.loads(contents[CONFIG]), where=str(folder / CONFIG))
        weights = next(c for n, c in contents.items() if n.startswith("weights-"))
        arrays = safetensors.numpy.load(weights)
        if config.joint_vocabulary:
            joint = Tokenizer(contents["tokenizer.spm"])
            tokenizers = TokenizerPair(joint, joint)
        else:
            tokenizers = TokenizerPair(
                Tokenizer(contents["source.spm"]), Tokenizer(contents["target.spm"])
            )
    except (KeyError, StopIteration) as error:
        raise BundleError(f"{folder / MANIFEST} does not list a file that a model needs") from error
    except (ValueError, safetensors.SafetensorError, ConfigError) as error:
        raise BundleError(f"{folder}: {error}") from error
    return Bundle(config, tokenizers, arrays, manifest["record"])


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest["format"]
        files, record = manifest["files"], manifest["record"]
    except FileNotFoundError as error:
        raise BundleError(f"{folder} is not a model folder: it has no {MANIFEST}") from error
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged: not a manifest") from error
    if not isinstance(version, int) or version > FORMAT:
        raise BundleError(
            f"{folder} has format {version}, this version reads up to {FORMAT}: "
            "install a newer release"
        )
    if not isinstance(files, dict) or not isinstance(record, dict):
        raise BundleError(f"{path} is damaged: not a manifest")
    return manifest


def _verified(folder: Path, name: str, entry: Any) -> bytes:
    # Names come from a file that a stranger may have made: none may point out of the folder.
    if name != Path(name).name:
        raise BundleError(f"{folder / MANIFEST} lists {name!r}, which is outside the folder")
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}, though {MANIFEST} lists it") from error
    if not isinstance(entry, dict) or sha256(content) != entry.get("sha256"):
        raise BundleError(f"{path} is damaged: its content does not match its hash in {MANIFEST}")
    return content


def _tokenizer_files(bundle: Bundle) -> dict[str, bytes]:
    if bundle.config.joint_vocabulary:
        return {"tokenizer.spm": bundle.tokenizers.source.content}
    return {
        "source.spm": bundle.tokenizers.source.content,
        "target.spm": bundle.tokenizers.target.content,
    }

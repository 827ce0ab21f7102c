"""The model folder: configuration, weights, tokenizers and a manifest of hashes.

Knows files and arrays. Does not know torch, so that an engine may run without it.

    config-<hash>.json                  what the model is: languages, sizes, decoding defaults
    weights-<hash>.safetensors          parameters in half precision
    source-<hash>.spm target-<hash>.spm SentencePiece models (tokenizer-<hash>.spm if joint)
    lexicon-<hash>.safetensors          which pieces translate which, for shortlists; may be missing
    manifest.json                       format, size and SHA-256 of each file above, training record
    README.md                           the model card, for people; not hashed: it may be annotated

A folder is renewed by writing new files beside the old, replacing manifest.json in one move, and
removing the old files last. Every file that the manifest lists carries its hash in its name, so a
kill at any moment leaves a folder that loads: the old model or the new one. Whoever loads it
meanwhile has the old or the new one too. One process at a time may write a folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import model_validator

from mt.config import (
    LanguageCode,
    ModelConfig,
    ModelName,
    Purpose,
    SearchConfig,
    check_task,
    parse,
)
from mt.errors import BundleError, ConfigError
from mt.lexicon import Lexicon
from mt.system.files import remove_leftovers, sha256, write_atomic, write_json
from mt.tokenizer import Tokenizer, TokenizerPair

FORMAT = 2
"""Version of the folder's layout; a reader takes this one and older ones, and refuses a newer one.

1: as above. 2: config.json may hold options that readers of format 1 do not know; such an option
is left at its default by a folder of format 1, so its default has to mean what was done before.
"""
MANIFEST, CARD = "manifest.json", "README.md"
CONFIG, WEIGHTS, LEXICON = "config.json", "weights.safetensors", "lexicon.safetensors"
SOURCE, TARGET, JOINT = "source.spm", "target.spm", "tokenizer.spm"
"""Names of parts; in the folder each has its hash before its suffix."""

BUNDLED_MODELS = Path(__file__).parent / "models"
"""The model folders that come with the library, each named after its languages."""
DEFAULT_MODEL = "de-en"
"""The one of them that is meant where none is named."""

_PARTS = {CONFIG, WEIGHTS, LEXICON, SOURCE, TARGET, JOINT}
_HASH = re.compile(r"-[0-9a-f]{12}(?=\.\w+$)")


class BundleConfig(Purpose):
    """config.json: what the model is, without how it was made."""

    name: ModelName
    source_language: LanguageCode
    target_language: LanguageCode
    joint_vocabulary: bool
    model: ModelConfig
    search: SearchConfig

    @model_validator(mode="after")
    def _fits_task(self) -> Self:
        check_task(self.task, self.model)
        return self


class Manifest(NamedTuple):
    """manifest.json: what the folder holds."""

    format: int
    files: Mapping[str, Any]
    """For each file by name its size ("bytes") and "sha256"."""
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Bundle:
    """A model, whole, as arrays."""

    config: BundleConfig
    tokenizers: TokenizerPair
    weights: Mapping[str, NDArray[np.float16]]
    """Parameters by their name in the model."""
    record: Mapping[str, Any]
    """How it was made: data, licence, updates, validation scores."""
    identity: str = ""
    """SHA-256 of the stored weights; empty before a bundle is stored."""
    lexicon: Lexicon | None = None
    """For shortlists, if there is one."""

    @property
    def lexicon_identity(self) -> str:
        """SHA-256 of the lexical table as it is stored; empty if there is none."""
        return sha256(_stored(self.lexicon)) if self.lexicon else ""


def find_model(name: Path | str | None) -> Path:
    """The folder that is meant: the one of that path, or else the bundled one of that name.

    Without a name it is the bundled German to English one.
    """
    if name is None:
        return BUNDLED_MODELS / DEFAULT_MODEL
    bundled = BUNDLED_MODELS / name
    return bundled if not Path(name).exists() and bundled.is_dir() else Path(name)


def save_bundle(folder: Path, bundle: Bundle, card: str) -> None:
    """Write or renew a model folder; other files in it, such as run/, are left alone.

    Raises:
        OSError: the folder cannot be written or is full; it holds the model it held before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _clear_failed_save(folder)
    contents = {_with_hash(part, content): content for part, content in _parts(bundle).items()}
    for name, content in contents.items():
        write_atomic(folder / name, content)
    files = {n: {"bytes": len(c), "sha256": sha256(c)} for n, c in contents.items()}
    write_json(folder / MANIFEST, {"format": FORMAT, "files": files, "record": dict(bundle.record)})
    write_atomic(folder / CARD, card.encode())
    _remove_parts(folder, keep=contents.keys())


def load_bundle(folder: Path) -> Bundle:
    """Read a model folder and check every file against the manifest.

    Raises:
        BundleError: something is missing, damaged, or of a newer format.
    """
    manifest, contents = _read_parts(folder)
    config_json, weights = _needed(folder, contents, CONFIG, WEIGHTS)
    try:
        config = parse(BundleConfig, json.loads(config_json), where=CONFIG)
    except (ConfigError, ValueError, RecursionError) as error:
        raise BundleError(f"{folder}: {error}") from error
    tokenizers = _tokenizers(folder, contents, config.joint_vocabulary)
    return Bundle(
        config,
        tokenizers,
        _weights(folder, weights),
        manifest.record,
        identity=sha256(weights),
        lexicon=_lexicon(folder, contents.get(LEXICON), tokenizers),
    )


def read_manifest(folder: Path) -> Manifest:
    """Read what a model folder says it holds, without looking whether it does.

    Raises:
        BundleError: the manifest is missing, damaged, or of a newer format.
    """
    path = folder / MANIFEST
    damaged = f"{path} is damaged: not a manifest"
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(_no_model(folder)) from error
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(damaged) from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if type(version) is not int or version < 1:
        raise BundleError(damaged)
    if version > FORMAT:  # asked before anything else: what else there is may have changed
        raise BundleError(
            f"{folder} has format {version}, this version reads up to {FORMAT}: "
            "install a newer release"
        )
    files, record = manifest.get("files"), manifest.get("record")
    if not isinstance(files, dict) or not isinstance(record, dict):
        raise BundleError(damaged)
    return Manifest(version, files, record)


def _no_model(folder: Path) -> str:
    if folder.exists() or folder.name != str(folder):
        return f"{folder} is not a model folder: it has no {MANIFEST}"
    bundled = sorted(path.name for path in BUNDLED_MODELS.iterdir() if path.is_dir())
    return f"{folder} is not a model folder, nor a bundled model: those are {', '.join(bundled)}"


def _parts(bundle: Bundle) -> dict[str, bytes]:
    config = json.dumps(bundle.config.model_dump(mode="json"), indent=2, ensure_ascii=False)
    source, target = bundle.tokenizers
    joint = bundle.config.joint_vocabulary
    return {
        CONFIG: config.encode() + b"\n",
        WEIGHTS: safetensors.numpy.save(dict(bundle.weights)),
        **({JOINT: source.content} if joint else {SOURCE: source.content, TARGET: target.content}),
        **({LEXICON: _stored(bundle.lexicon)} if bundle.lexicon else {}),
    }


def _stored(lexicon: Lexicon) -> bytes:
    return safetensors.numpy.save(lexicon._asdict())


def _with_hash(part: str, content: bytes) -> str:
    stem, suffix = part.split(".")
    return f"{stem}-{sha256(content)[:12]}.{suffix}"


def _part(name: str) -> str:
    return _HASH.sub("", name)


def _clear_failed_save(folder: Path) -> None:
    # First, not last: where the disk was full, their room is needed.
    remove_leftovers(folder)
    try:
        listed = read_manifest(folder).files
    except BundleError:  # without a manifest to be read, which files are strays is not known
        return
    _remove_parts(folder, keep=listed.keys())


def _remove_parts(folder: Path, keep: Collection[str]) -> None:
    for path in folder.iterdir():
        if _HASH.search(path.name) and _part(path.name) in _PARTS and path.name not in keep:
            path.unlink()


def _read_parts(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    manifest = read_manifest(folder)
    try:
        return manifest, _verified_parts(folder, manifest)
    except BundleError:
        # A folder renewed since its manifest was read has lost the files listed there.
        renewed = read_manifest(folder)
        if renewed == manifest:
            raise
        return renewed, _verified_parts(folder, renewed)


def _verified_parts(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    files = manifest.files.items()
    return {_part(name): _verified(folder, name, entry) for name, entry in files}


def _verified(folder: Path, name: str, entry: Any) -> bytes:
    # Names come from a file that a stranger may have made: none may point out of the folder.
    if name != Path(name).name or not name.isprintable():
        raise BundleError(f"{folder / MANIFEST} lists {name!r}, which is no file of the folder")
    path = folder / name
    if path.is_fifo() or path.is_char_device():  # reading it might never end
        raise BundleError(f"{path} is no file, though {MANIFEST} lists it")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}, though {MANIFEST} lists it") from error
    listed = (entry.get("sha256"), entry.get("bytes")) if isinstance(entry, dict) else None
    if listed != (sha256(content), len(content)):
        raise BundleError(
            f"{path} is damaged: its content does not match its hash and size in {MANIFEST}"
        )
    return content


def _arrays(folder: Path, part: str, content: bytes) -> dict[str, NDArray[Any]]:
    try:
        return safetensors.numpy.load(content)
    # KeyError: a type numpy has not
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f"{folder}: {part}: {error}") from error


def _weights(folder: Path, content: bytes) -> dict[str, NDArray[np.float16]]:
    arrays = _arrays(folder, WEIGHTS, content)
    for name, array in arrays.items():
        if array.dtype != np.float16:
            raise BundleError(f"{folder}: {WEIGHTS}: {name} is {array.dtype}, not float16")
    return arrays


def _lexicon(folder: Path, content: bytes | None, tokenizers: TokenizerPair) -> Lexicon | None:
    if content is None:
        return None
    arrays = _arrays(folder, LEXICON, content)
    source, target = map(len, tokenizers)
    try:
        return Lexicon(**arrays).checked(source, target)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{folder}: {LEXICON} does not fit the vocabularies") from error


def _tokenizers(folder: Path, contents: Mapping[str, bytes], joint: bool) -> TokenizerPair:
    parts = [JOINT] if joint else [SOURCE, TARGET]
    loaded = []
    for part, content in zip(parts, _needed(folder, contents, *parts), strict=True):
        try:
            loaded.append(Tokenizer(content))
        except BundleError as error:
            raise BundleError(f"{folder}: {part}: {error}") from error
    return TokenizerPair(loaded[0], loaded[-1])


def _needed(folder: Path, contents: Mapping[str, bytes], *parts: str) -> list[bytes]:
    for part in parts:
        if part not in contents:
            raise BundleError(f"{folder / MANIFEST} lists no {part}, which the model needs")
    return [contents[part] for part in parts]

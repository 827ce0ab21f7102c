"""Parallel text: read, filtered and counted, tokenised, cut into batches of similar length.

    text.py          files to pairs of lines; pairs held out to validate on
    survey.py        one look at all text: what is blank, there twice, or must not train
    filters.py       which pairs train, and where every other one went
    sentences.py     tokenised sentences, and pairs of them, as arrays
    tokenising.py    lines to ids, in as many processes as asked for
    preparation.py   these steps in their order, in memory or through files
    storage.py       prepared pairs in a folder, mapped into memory instead of read
    arrays.py        arrays and lines in files that grow, and are mapped
    batches.py       the order of an epoch, and its padded batches
    augment.py       pairs that look different in every epoch
    noise.py         words left out and moved about
    numbers.py       pairs with other numbers in place of theirs

Knows files, pairs and token budgets. Does not know models. Nothing is left out unseen: every
pair that is not trained on is counted under a reason in `FilterReport`.

Names are loaded when first asked for: only `batches` needs torch, and a process that tokenises, or
a program that reads text, should not wait for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mt.corpus.batches import Batch, epoch_batches, make_batch
    from mt.corpus.filters import FilterReport
    from mt.corpus.preparation import Tell, prepare, prepare_files, sample_pairs
    from mt.corpus.sentences import Corpus, Sentences
    from mt.corpus.storage import CorpusFolder, NewCorpusFolder, new_folder, read_tokenizers
    from mt.corpus.survey import Survey
    from mt.corpus.text import HeldOut, Pairs, ParallelText, read_beside, read_lines, read_pairs

__all__ = [
    "Batch",
    "Corpus",
    "CorpusFolder",
    "FilterReport",
    "HeldOut",
    "NewCorpusFolder",
    "Pairs",
    "ParallelText",
    "Sentences",
    "Survey",
    "Tell",
    "epoch_batches",
    "make_batch",
    "new_folder",
    "prepare",
    "prepare_files",
    "read_beside",
    "read_lines",
    "read_pairs",
    "read_tokenizers",
    "sample_pairs",
]

_NAMES = {
    "batches": ("Batch", "epoch_batches", "make_batch"),
    "filters": ("FilterReport",),
    "preparation": ("Tell", "prepare", "prepare_files", "sample_pairs"),
    "sentences": ("Corpus", "Sentences"),
    "storage": ("CorpusFolder", "NewCorpusFolder", "new_folder", "read_tokenizers"),
    "survey": ("Survey",),
    "text": ("HeldOut", "Pairs", "ParallelText", "read_beside", "read_lines", "read_pairs"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

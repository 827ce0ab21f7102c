"""What can be said of a text without a model.

documents.py        texts cut into segments, and put together again
sentence_ends.py    where sentences end
casing.py           ALL CAPS and the like, and the way back
words.py            words by their numbers
digits.py           what a number looks like
language.py         which language a text is in
verbatim.py         what is the same in every language
"""

from mt.text.documents import (
    Document,
    cut_document,
    split_cells,
    split_document,
    split_long,
    whole_document,
)

__all__ = [
    "Document",
    "cut_document",
    "split_cells",
    "split_document",
    "split_long",
    "whole_document",
]

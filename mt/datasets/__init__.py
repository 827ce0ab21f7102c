"""Public parallel text, fetched and laid out the way the bundled recipes expect it.

Knows where such text is kept, under which licence, and how it is split. Does not know what it is
used for. `prepare` makes `OUTPUT/NAME/{train,valid,test}.LANGUAGE.xz`, UTF-8, a sentence a line,
line by line each other's translations, and `source.json`, which says where it all comes from.

    dataset     what one is
    fetch       an original file comes from a server or a folder, whole and checked
    multi30k    what the originals of Multi30k say
    tatoeba     what an export of Tatoeba says
    splits      pairs to train, valid and test without a sentence in two of them
    folder      all of it in order, and what is written in the end
"""

from __future__ import annotations

from mt.datasets.fetch import Progress
from mt.datasets.folder import DATASETS, Prepared, prepare

__all__ = ["DATASETS", "Prepared", "Progress", "prepare"]

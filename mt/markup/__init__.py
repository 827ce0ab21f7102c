"""What in an HTML or XML text is to be translated, and everything around it byte for byte.

    syntax.py       where tags, comments and other markup begin and end
    references.py   &amp; and its like, read and written
    elements.py     which text is left as it is: scripts, code, whatever says translate="no"
    guesses.py      links of words that need no model
    places.py       which place of a text is which of its translation
    layout.py       the tags inside a text, put where the translation has their words
    passages.py     a text with tags inside it, and its translation with them
    document.py     a text cut into passages to translate and the gaps between them

Knows markup as characters. Does not know languages, sentences or models, and builds no tree: what
is no text to translate is never taken apart and put together again.
"""

from mt.markup.document import Markup, split_markup
from mt.markup.guesses import guess_links
from mt.markup.places import Alignment
from mt.markup.syntax import Kind

__all__ = ["Alignment", "Kind", "Markup", "guess_links", "split_markup"]

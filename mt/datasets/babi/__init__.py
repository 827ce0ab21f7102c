"""Questions on short stories, in the twenty families of bAbI, made here instead of fetched.

Each family asks for one skill of a reader: to chain two facts, to count, to follow a pronoun
(Weston et al. 2015, Towards AI-complete question answering, section 3). These are written from the
paper's descriptions: its people, places, things, forms of statement and sets of answers. No line is
from the published data, so figures on the one are near those on the other, and not the same.

    story        a story with its question and answer
    world        families 1-3 and 5-8: people who move about and carry things
    whereabouts  families 9-14: negation, doubt, pronouns, times
    space        families 4 and 17-19: what is where, what is larger
    kinds        families 15, 16 and 20: what follows from what somebody is
    families     all of them by number
    renaming     the same story under other names
    texts        the texts of a dataset
"""

from mt.datasets.babi.families import FAMILIES, generate
from mt.datasets.babi.story import Family, Story
from mt.datasets.babi.texts import SIZES, babi

__all__ = ["FAMILIES", "SIZES", "Family", "Story", "babi", "generate"]

"""Sentences in which one word has to agree with another that may be far away, made here or found.

The verb agrees with its subject in number, whatever nouns stand between (Linzen, Dupoux and
Goldberg 2016, Assessing the ability of LSTMs to learn syntax-sensitive dependencies); the pronoun
agrees with the last subject in gender. A model that knows gives the right form more probability
than the wrong one. English only.

    choice      a place in a sentence, and two words of which one is right
    verbs       generated: "The keys to the cabinet are"
    pronouns    generated: "Mary opened the window, but Tom stayed at home because he"
    split       which text a pair of words belongs to
    texts       the three texts of a dataset
    found       the same in any text, by stated patterns
"""

from mt.datasets.agreement.choice import Choice, Kind
from mt.datasets.agreement.found import Found, find
from mt.datasets.agreement.pronouns import CHANGED, SAME
from mt.datasets.agreement.texts import agreement, choices
from mt.datasets.agreement.verbs import attractors

__all__ = [
    "CHANGED",
    "SAME",
    "Choice",
    "Found",
    "Kind",
    "agreement",
    "attractors",
    "choices",
    "find",
]

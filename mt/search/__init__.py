"""From next-token log-probabilities to hypotheses. No room here knows what a model is made of.

scorer.py        what is asked of a model
best.py          the largest few of many, the first of equals first
hypothesis.py    what comes out, and what it is worth
beam.py          the best hypotheses: greedy and beam search
sampling.py      drawn ones
forced.py        given ones
words.py         next words, of as many tokens as each takes
constraints.py   rules on what may be written, laid over a scorer
digit_rule.py    which tokens may follow if digits are to be those of the source
copying.py       that rule, laid over a scorer
"""

from mt.search.beam import search
from mt.search.best import best_of_each
from mt.search.constraints import Constrained
from mt.search.copying import CopyingDigits
from mt.search.digit_rule import DigitRule, Numerals, Spellings, beginning
from mt.search.forced import force
from mt.search.hypothesis import Hypothesis, length_penalty
from mt.search.sampling import sample
from mt.search.scorer import (
    Floats,
    Integers,
    LogProbabilities,
    S,
    Scorer,
    State,
    TopScorer,
    refuse_nonsense,
)
from mt.search.words import next_words

__all__ = [
    "Constrained",
    "CopyingDigits",
    "DigitRule",
    "Floats",
    "Hypothesis",
    "Integers",
    "LogProbabilities",
    "Numerals",
    "S",
    "Scorer",
    "Spellings",
    "State",
    "TopScorer",
    "beginning",
    "best_of_each",
    "force",
    "length_penalty",
    "next_words",
    "refuse_nonsense",
    "sample",
    "search",
]

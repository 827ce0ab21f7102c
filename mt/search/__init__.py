"""From next-token log-probabilities to hypotheses. No room here knows what a model is made of.

scorer.py        what is asked of a model
hypothesis.py    what comes out, and what it is worth
beam.py          the best hypotheses: greedy and beam search
sampling.py      drawn ones
forced.py        given ones
words.py         next words, of as many tokens as each takes
constraints.py   rules on what may be written, laid over a scorer
"""

from mt.search.beam import search
from mt.search.constraints import Constrained
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
    "Floats",
    "Hypothesis",
    "Integers",
    "LogProbabilities",
    "S",
    "Scorer",
    "State",
    "TopScorer",
    "force",
    "length_penalty",
    "next_words",
    "refuse_nonsense",
    "sample",
    "search",
]

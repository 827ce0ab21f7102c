"""What the memory cells of a model do with a sentence.

explainer.py     start here: a sentence in, everything the cells computed out
watched.py       a model whose layers are run by their reference cells
activations.py   the gates, candidates and states of every layer, in the order of the text
dependence.py    what the final states still owe to each source token
summaries.py     a layer in a few figures a token
walk.py          one unit, step by step
record.py        all of it in JSON's types
probe.py         which units keep track of something, over many sentences
labels.py        what there is to keep track of
examination.py   a language model asked for agreement over a distance
agreement.py     how often it prefers the right form
carriers.py      the units that it owes that to
threshold.py     how well one number tells yes from no
"""

from mt.explain.activations import ObservedLayer
from mt.explain.explainer import Dependence, Explainer, Explanation
from mt.explain.probe import Finding, Survey, probe
from mt.explain.record import to_record
from mt.explain.summaries import GATES, OPEN, SHUT, GateSummary, SignedSummary, summarise
from mt.explain.walk import Step, walk

__all__ = [
    "GATES",
    "OPEN",
    "SHUT",
    "Dependence",
    "Explainer",
    "Explanation",
    "Finding",
    "GateSummary",
    "ObservedLayer",
    "SignedSummary",
    "Step",
    "Survey",
    "probe",
    "summarise",
    "to_record",
    "walk",
]

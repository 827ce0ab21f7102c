"""The choice among translations that a model has found: what else can be said of them decides.

utility.py    how much each of some candidates is like each other, by sentence chrF or BLEU
risk.py       minimum Bayes risk: the candidate most like all others
rescoring.py  what other models say of candidates, and one score made of it all
fluency.py    a language model as one of them
reranker.py   where candidates come from, and which of the two ways decides
tuning.py     weights of rescoring, found on validation text
"""

from mt.reranking.fluency import Fluency
from mt.reranking.reranker import Reranker
from mt.reranking.rescoring import WEIGHTS, PairScorer, Rescored
from mt.reranking.tuning import Tuned, tune

__all__ = ["WEIGHTS", "Fluency", "PairScorer", "Reranker", "Rescored", "Tuned", "tune"]

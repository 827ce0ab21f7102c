"""What turns a bundle into a scorer that search can ask for the next token.

interface   what every engine offers
load        which one there is, by name
reference   the model itself, by torch
int8        8-bit integers, by ONNX Runtime, over
  encoder     sources to the decoder's first state, written in operators
  decoder     one step, to the best next tokens
  cells       the memory cell and its variants
  attention   what is remembered of a source, and looking back at it
  tables      what tokens and contexts give the gates, computed beforehand
  layers      the stored parameters of an LSTM layer
  graph       operators, and products of integers
shortlist   which tokens a batch may use
watchful    one that asks before each step whether to go on
"""

from mt.config import EngineName
from mt.engine.interface import Engine
from mt.engine.load import ENGINES, load_engine
from mt.engine.watchful import watchful

__all__ = ["ENGINES", "Engine", "EngineName", "load_engine", "watchful"]

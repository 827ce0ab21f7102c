"""What turns a bundle into a scorer that search can ask for the next token.

interface   what every engine offers
load        which one there is, by name
reference   the model itself, by torch
int8        8-bit integers, by ONNX Runtime, over
network       the model written in operators, with
graph         operators and quantised products, of
layers        the stored parameters of an LSTM layer
"""

from mt.config import EngineName
from mt.engine.interface import Engine
from mt.engine.load import ENGINES, load_engine

__all__ = ["ENGINES", "Engine", "EngineName", "load_engine"]

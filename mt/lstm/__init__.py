"""The LSTM memory cell.

cell.py       the equations as the literature writes them, one step, every gate by name: read it
layer.py      what a layer of cells does, over whole sequences or step by step
fused.py      a layer of that cell, fused: run it
unrolled.py   the same with its gradient written out: train it on a CPU
variants.py   the cells that follow other equations
looped.py     a layer of any of those, as a loop over the steps
"""

from mt.lstm.cell import Activations, LSTMCell, LSTMState, zero_state
from mt.lstm.fused import LSTM
from mt.lstm.layer import Layer
from mt.lstm.looped import LoopedLSTM
from mt.lstm.variants import VariantCell

__all__ = [
    "LSTM",
    "Activations",
    "LSTMCell",
    "LSTMState",
    "Layer",
    "LoopedLSTM",
    "VariantCell",
    "zero_state",
]

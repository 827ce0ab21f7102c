"""What the memory cell does, measured: each demonstration with its baseline and its paper.

    carousel.py      a cell with its forget gate open keeps memory and gradient for ever
    half_life.py     how long a fresh cell remembers, by its forget bias
    gradients.py     how much the end of a sequence depends on its beginning: LSTM and tanh layer
    explosion.py     exploding gradients, clipped and not
    first_token.py   the first of up to a thousand tokens, remembered
    adding.py        the sum of two marked numbers, far apart
    copy_memory.py   ten symbols, repeated after a long wait
    reversal.py      digits through the final states of the project's encoder-decoder
    agreement.py     verbs and pronouns that agree with a subject far away, in a language model
    ablations.py     what each part of the cell is worth in BLEU: `ablated.py` is one run of it,
                     `clamping.py` holds a gate open

They stand on `demonstration.py`, which says what one is; `workspace.py`, which keeps what was
found, so that a run that was cut off goes on; `networks.py` and `learning.py`, which train a layer
on sequences that are made up; and `runs.py`, which trains whole models. All are computed by the
project's own cell (`mt.lstm`).

Knows which there are. Prints and draws nothing: `scripts/demonstrate.py` does.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mt.errors import ConfigError

if TYPE_CHECKING:
    from mt.demonstrations.demonstration import Demonstration

NAMES = (
    "carousel",
    "half-life",
    "gradients",
    "explosion",
    "first-token",
    "adding",
    "copy-memory",
    "reversal",
    "agreement",
    "ablations",
)

__all__ = ["NAMES", "find_demonstration"]


def find_demonstration(name: str) -> "Demonstration":
    """The demonstration of a name; only then is it loaded, and torch with it.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in NAMES:
        raise ConfigError(f"no demonstration {name!r}: there are {', '.join(NAMES)}")
    found: Demonstration = import_module(f"{__name__}.{name.replace('-', '_')}").DEMONSTRATION
    return found

"""In which precision matrix products are taken.

Knows torch's autocast, which no function with a gradient of its own is told of.
"""

from __future__ import annotations

import torch
from torch import Tensor


def product_dtype(weight: Tensor) -> torch.dtype:
    """The type of products with a weight: autocast's where that is on, else the weight's own."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype

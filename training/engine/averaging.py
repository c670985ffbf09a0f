"""A running average of the weights, which is what gets validated and kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of a module's state; ``decay`` 0 makes it a plain copy.

    The decay rises with the steps, ``min(decay, (1 + step) / (10 + step))``, as in TensorFlow's
    ExponentialMovingAverage, so that the random start is soon forgotten. Counters are copied.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self.state: dict[str, Tensor] = {name: value.clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the module's state after ``step``."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            kept = self.state[name]
            if value.is_floating_point():
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

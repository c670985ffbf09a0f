"""Batch norm over the whole global batch, whichever process holds which part of it.

torch's own ``SyncBatchNorm`` refuses to run on the CPU. Without one, every process would normalise by its own
part, and two processes would train another model than one does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.nn import functional


class SharedBatchNorm(nn.BatchNorm2d):
    """``BatchNorm2d`` whose mean and variance in training are those of all processes; parts are equal."""

    def forward(self, input: Tensor) -> Tensor:
        """Float (N, C, H, W) to the same."""
        if not self.training:
            return super().forward(input)
        size = torch.distributed.get_world_size()
        mean = _sum(input.mean(dim=(0, 2, 3))) / size
        centred = input - mean[None, :, None, None]
        variance = _sum(centred.square().mean(dim=(0, 2, 3))) / size
        self._remember(mean.detach(), variance.detach(), size * input.numel() // input.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shifted: Tensor = centred * scale[None, :, None, None] + self.bias[None, :, None, None]
        return shifted

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """The running figures, with the unbiased variance, as ``BatchNorm2d`` keeps them."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / max(1, count - 1)), share)


def _sum(values: Tensor) -> Tensor:
    """The sum over all processes, through which gradients flow."""
    total: Tensor = functional.all_reduce(values)  # type: ignore[no-untyped-call]
    return total


def share_norms(module: nn.Module) -> None:
    """Make every batch norm of ``module`` a shared one; names and numbers in its state stay the same."""
    for each in module.modules():
        if type(each) is nn.BatchNorm2d:
            each.__class__ = SharedBatchNorm

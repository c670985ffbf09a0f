"""Scaled dot product attention as one op (iOS 18)."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op


@op("scaled_dot_product_attention", fresh=True)
def _attention(node: Node) -> Kernel:
    """Scale is ``1 / sqrt(E)``; a bool mask says what takes part, a float mask is added."""

    def compute(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).contiguous()

    return node.apply(compute, "query", "key", "value", "attn_mask")

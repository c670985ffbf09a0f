"""The end of a classifier: a label, and the probability of every label."""

from __future__ import annotations

import torch

from export.mil.node import Kernel, Node
from export.mil.ops.registry import op


@op("classify", exact=True)
def _classify(node: Node) -> Kernel:
    labels = node.constant("classes")

    def compute(probabilities: torch.Tensor) -> tuple[str | int, dict[str | int, float]]:
        flat = probabilities.reshape(-1)
        return labels[int(flat.argmax())], dict(zip(labels, flat.tolist(), strict=True))

    return node.apply(compute, "probabilities")

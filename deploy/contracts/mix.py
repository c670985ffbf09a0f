"""Which layers an ``auto`` file keeps wide, why, and what every step towards that cost."""

from __future__ import annotations

from typing import Literal

from deploy.contracts.base import Contract


class LayerCost(Contract):
    """A layer, its weights, and the task-level divergence from fp32 when it alone is in 8 bits."""

    layer: str
    weights: int
    divergence: float
    wide: bool


class MixPoint(Contract):
    """A mix on the way: the ``wide_layers`` costliest stay float, the others are in 8 bits.

    ``weight_bytes`` is what the weights would take; ``drop`` of the metric and ``divergence`` are simulated,
    on pictures that did not rank the layers. ``drop_high`` is the upper end of the drop's 95 % interval
    over those pictures, which must lie within the budget. ``random_divergence`` is that of as many layers
    chosen by lot.
    """

    wide_layers: int
    weight_bytes: int
    drop: float
    drop_high: float
    divergence: float
    random_divergence: float | None = None


class Mix(Contract):
    """The search. ``truth`` says what the drop was measured against: labels, or fp32's own predictions.

    ``ranking_helps`` is ``None`` where no layer had to stay wide; else whether the ranked layers diverge less
    than as many chosen by lot.
    """

    metric: str
    budget: float
    truth: Literal["labels", "reference"]
    ranked_on: int
    judged_on: int
    met: bool
    ranking_helps: bool | None
    layers: tuple[LayerCost, ...]
    points: tuple[MixPoint, ...]

"""Stop when the figure that counts no longer rises, and remember which epoch was best."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class EarlyStopping:
    """Watches one figure that should rise.

    ``patience``: epochs without progress before stopping, 0 for never; ``min_delta``: what counts as
    progress; ``best`` and ``best_epoch``: the highest figure seen and where; ``stale``: epochs without it.
    """

    patience: int
    min_delta: float
    best: float | None = None
    best_epoch: int = -1
    stale: int = 0
    mark: float | None = None

    def observe(self, value: float, epoch: int) -> bool:
        """Take one epoch's figure; returns whether it is the best so far.

        A rise below ``min_delta`` is kept as the best, yet is no reason to go on.
        """
        improved = self.best is None or value > self.best
        if improved:
            self.best, self.best_epoch = value, epoch
        if self.mark is None or value > self.mark + self.min_delta:
            self.mark, self.stale = value, 0
        else:
            self.stale += 1
        return improved

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        return self.patience > 0 and self.stale >= self.patience

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

"""Several processes that train one model: who is who, what is shared, and one batch cut into equal parts.

Started by ``torchrun``; without it there is one process, and nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from deploy.errors import DeployError


@dataclass(frozen=True)
class Group:
    """The processes of one run. ``rank`` 0 validates and writes; ``size`` is 1 without ``torchrun``."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """True for the one process that writes."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """This process's samples of the global batch.

        Raises:
            DeployError: ``BATCH-UNEVEN``: unequal parts would make the mean of means another loss.
        """
        if batch % self.size:
            raise DeployError(
                "BATCH-UNEVEN",
                f"A global batch of {batch} cannot be cut into {self.size} equal parts.",
                f"Choose a --batch that {self.size} divides; it is the whole batch, not one process's.",
            )
        each = batch // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def mean(self, value: float) -> float:
        """The mean of every process's number."""
        if self.size == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(total)
        return float(total) / self.size

    def sums(self, tally: dict[str, float]) -> dict[str, float]:
        """Every process's counts added up."""
        if self.size == 1:
            return tally
        gathered: list[Any] = [None] * self.size
        dist.all_gather_object(gathered, tally)
        names = sorted({name for each in gathered for name in each})
        return {name: sum(each.get(name, 0.0) for each in gathered) for name in names}

    def from_leader(self, value: Any) -> Any:
        """What the leader has, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def joined() -> Iterator[Group]:
    """Join the processes that ``torchrun`` started with this one (gloo; the model trains on the CPU)."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    dist.init_process_group("gloo")
    try:
        yield Group(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()

"""Training and validation sides of a folder, cut between clips and never through one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from deploy.errors import DeployError


def split_groups(
    groups: Sequence[str], seed: int, share: float = 0.2
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices of the training and of the validation samples.

    Groups are ordered by a hash of seed and name, so that adding a clip moves no other. They go to the
    validation side until it holds ``share`` of the samples.

    Raises:
        DeployError: ``SPLIT-EMPTY`` when one side would be empty.
    """
    ordered = sorted(set(groups), key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())
    if len(ordered) < 2:
        raise DeployError(
            "SPLIT-EMPTY",
            f"All {len(groups)} pictures belong to one clip ({', '.join(ordered)}), and a split must not cut "
            "a clip: validation would see its own training frames.",
            "Add pictures of at least one other clip, in a sub-folder of its own.",
        )
    held: set[str] = set()
    size = 0
    for name in ordered[:-1]:
        held.add(name)
        size += sum(group == name for group in groups)
        if size >= share * len(groups):
            break
    training = tuple(index for index, group in enumerate(groups) if group not in held)
    validation = tuple(index for index, group in enumerate(groups) if group in held)
    return training, validation

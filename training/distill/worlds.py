"""The training and the validation side of a promptable run's pictures."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DeployError
from deploy.prompts.types import PromptedPicture, World
from training.data.prompted_shapes import PromptedShapes
from training.data.prompted_yolo import PromptedYolo, read_class_names

GENERATED = "generated"

_WORLD_SEED = 0
"""One world for all runs: a run's seed changes its start and its order, so that runs can be compared."""

_BLANK = 0.05
"""Share of empty and of noise pictures on the validation side of the generated world."""


def open_worlds(data: str, names: str | None, pictures: int, checked: int, size: int) -> tuple[World, World]:
    """Training and validation pictures; the held-out ones are left to whoever judges.

    Args:
        data: ``generated``, or a YOLO folder with polygons.
        names: a file of class names for a folder without ``data.yaml``.
        pictures: training pictures of the generated world.
        checked: validation pictures at most.
        size: side of the model's input; pictures of a folder are kept no larger than twice that.

    Raises:
        DeployError: what the worlds raise, and ``WORLD-SETTINGS`` for names of the generated world.
    """
    if data == GENERATED:
        if names is not None:
            raise DeployError(
                "WORLD-SETTINGS",
                "The generated world has names of its own.",
                "Leave names out, or give a folder with --data.",
            )
        return (
            PromptedShapes(pictures, _WORLD_SEED, part="training"),
            PromptedShapes(checked, _WORLD_SEED, part="validation", empty=_BLANK, noise=_BLANK),
        )
    class_names = None if names is None else read_class_names(Path(names))
    first, second = (
        PromptedYolo(Path(data), class_names=class_names, part=part, seed=_WORLD_SEED, longest=2 * size)
        for part in ("training", "validation")
    )
    return first, First(second, checked)


class First:
    """The first pictures of a world.

    Args:
        world: all of them.
        most: how many are left.
    """

    def __init__(self, world: World, most: int) -> None:
        self._world, self._count = world, min(most, len(world))
        self.vocabulary, self.sha256 = world.vocabulary, f"{world.sha256}-{self._count}"

    def __len__(self) -> int:
        return self._count

    def picture(self, index: int) -> PromptedPicture:
        """One picture; the same index gives the same picture."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._world.picture(index)

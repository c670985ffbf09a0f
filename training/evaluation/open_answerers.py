"""What was named on the command line, opened: the world, its runs and its teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.prompts.types import World
from training.data.prompted_shapes import PromptedShapes
from training.data.prompted_yolo import PromptedYolo, read_class_names
from training.evaluation.contestant import Contestant

GENERATED = "generated"

_PICTURES = 200
_BLANK = 0.05


def open_judged_world(data: Path | None, names: Path | None, *, whole: bool, limit: int | None) -> World:
    """The pictures that judge: held-out ones, which neither taught nor picked a model.

    Args:
        data: ``generated`` or nothing for the world of shapes, or a YOLO folder of polygons.
        names: class names for a folder without ``data.yaml``.
        whole: take every picture of the folder, because nothing was trained on it.
        limit: number of generated pictures; 200 unless given.

    Raises:
        DeployError: what the worlds raise.
    """
    if data is None or str(data) == GENERATED:
        return PromptedShapes(limit or _PICTURES, part="held_out", empty=_BLANK, noise=_BLANK)
    known = None if names is None else read_class_names(names)
    return PromptedYolo(data, class_names=known, part=None if whole else "held_out")


def open_contestants(runs: Sequence[Path], teacher: str | None, world: World) -> list[Contestant]:
    """Runs of ``promptable_masks`` as students, and the teacher.

    Args:
        runs: run folders.
        teacher: as ``training.distill.teachers.open_teacher`` takes it.
        world: what they will be asked about.

    Raises:
        DeployError: what opening a run or a teacher raises.
    """
    from training.checkpoints import read_checkpoint
    from training.distill.teachers import open_teacher
    from training.models.promptable.answerer import open_student

    found = []
    if teacher is not None:
        opened = open_teacher(teacher, world)
        found.append(Contestant(opened, "teacher", getattr(opened, "sha256", None)))
    for run in runs:
        digest = read_checkpoint(run).weights_sha256
        found.append(Contestant(open_student(run), "student", digest))
    return found

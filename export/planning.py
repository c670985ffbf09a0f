"""Ready the program for 8 bits before the converters start, and write what they need of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deploy.contracts.artifact import Calibration
from deploy.contracts.mix import Mix
from deploy.errors import DeployError
from deploy.store import canonical_json, sha256_bytes
from deploy.threads import usable_cores
from export.cache import cache_root
from export.calibration.input import tuning_pictures
from export.capture import save_program
from export.job import CalibrationInput, MixInput
from export.precisions import PRECISIONS
from export.sources.code import code_digest

if TYPE_CHECKING:
    from export.assemble import Export
    from training.data.samples import EvaluationSample

AUTO = "auto"


class Plan:
    """What was found. ``layers`` is for the converters, ``mix`` for the manifest of an ``auto`` file.

    ``starts`` are the programs, in the export's working folder, that a precision's conversion starts from.
    """

    layers: MixInput | None = None
    mix: Mix | None = None
    finetuned_steps: int = 0

    def __init__(self) -> None:
        self.starts: dict[str, str] = {}

    def described(self, calibration: Calibration) -> Calibration:
        """The calibration block with the training that came with it."""
        return calibration.model_copy(update={"finetuned_steps": self.finetuned_steps})


def plan(export: Export, given: CalibrationInput | None, precisions: Collection[str]) -> Plan:
    """Shift biases, search and train; an empty plan where no precision has calibrated ranges.

    Args:
        given: the calibration file in the export's working folder.
        precisions: canonical names of what is going to be converted.

    Raises:
        DeployError: ``CALIBRATION-LEAK`` where the pictures that the budget is measured on gave ranges too.
    """
    found = Plan()
    request = export.request
    calibrated = [precision for precision in precisions if PRECISIONS[precision].calibrated]
    if given is None or not calibrated:
        return found
    import torch

    from export.quantization.auto import Material, plan_mix

    torch.set_num_threads(usable_cores())  # the converters wait for this
    pictures = np.load(export.work / given.file, mmap_mode="r")
    assert export.calibration is not None and export.model.preprocess is not None
    material = Material(
        program=export.captured.program,
        decode=export.model.decode,
        preprocess=export.model.preprocess,
        outputs=tuple(spec.name for spec in export.captured.outputs),
        calibration=np.array(pictures[: given.samples]),
        hold_out=np.array(pictures[given.samples :]),
        judged=_judged(export),
    )
    budget = request.budget if AUTO in precisions else None
    planned = plan_mix(material, budget, request.finetune, request.seed, _kept(export))
    torch.set_num_threads(request.threads)
    found.finetuned_steps = planned.finetuned_steps
    for precision in calibrated:
        program = planned.mixed if precision == AUTO else planned.whole
        assert program is not None
        found.starts[precision] = f"{precision}.pt2"
        save_program(program, export.work / found.starts[precision])
    if planned.mix is not None:
        found.mix, found.layers = planned.mix, MixInput(layers=planned.layers, wide=planned.wide)
    return found


def _judged(export: Export) -> Sequence[EvaluationSample]:
    """The pictures of ``--tune-data``, which gave no ranges; else the calibration's hold-out."""
    calibration = export.calibration
    assert calibration is not None
    tuning = tuning_pictures(export.request, export.model.decode)
    if tuning is None:
        return calibration.hold_out
    shared = set(tuning.digests) & set(calibration.digests)
    if shared:
        raise DeployError(
            "CALIBRATION-LEAK",
            f"{len(shared)} of the pictures that the budget is to be measured on gave the ranges too.",
            "Name a folder with --tune-data that shares no picture with --calibration.",
        )
    return tuning.samples


def _kept(export: Export) -> Path:
    """Where the ranking is kept while it is made; by content, so that only the same ranking is resumed."""
    assert export.calibration is not None
    request = export.request
    parts = [
        export.program_sha256,
        export.calibration.sha256,
        code_digest("export"),
        request.finetune,
        request.seed,
    ]
    folder = cache_root().parent / "sensitivity"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{sha256_bytes(canonical_json(parts).encode())}.json"

"""Calibration as a target sees it: pictures to observe, a hold-out to choose by, one call that does both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import CalibrationTrial
from export.calibration.choose import Chosen, Ranges, choose
from export.calibration.histogram import Observer

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from export.job import Job
    from export.targets.protocol import Runner, Tensors

Watch = Callable[[str, NDArray[np.float32]], None]


class Calibrator:
    """Reads the prepared calibration pictures that the flow wrote.

    Args:
        job: with a ``calibration`` block and exactly one input, the picture.
        root: the job's folder.
        program: the captured fp32 program, whose outputs on the hold-out are the judge.
    """

    def __init__(self, job: Job, root: Path, program: ExportedProgram) -> None:
        assert job.calibration is not None
        self._job, self._given, self._program = job, job.calibration, program
        self._pictures = np.load(root / job.calibration.file, mmap_mode="r")

    def calibrate(
        self,
        observe: Callable[[Tensors, Watch], None],
        build: Callable[[Ranges], Runner],
        whole: Collection[str] = (),
    ) -> Chosen:
        """Observe every calibration picture once, then try the ways of taking ranges on the hold-out.

        Args:
            observe: runs the fp32 model on one sample and shows every float tensor, by name.
            build: makes the quantized model with the given ranges and returns something that runs it.
            whole: names of tensors whose range is never clipped (see ``export.quantization.tail``).
        """
        given = self._given
        observer = Observer(given.counts)
        for sample in self.samples():
            observe(sample, observer.watch)
            observer.next_sample()
        hold_out = list(self.hold_out())

        def run(ranges: Ranges, part: Sequence[int]) -> list[dict[str, NDArray[Any]]]:
            runner = build(ranges)
            return [runner(hold_out[index]) for index in part]

        return choose(observer, given.methods, given.counts, self._job.decode, self.references, run, whole)

    def samples(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        """The pictures that give ranges, one at a time: float32 (1, C, H, W) by input name."""
        yield from map(self._sample, range(self._given.samples))

    def hold_out(self) -> Iterator[dict[str, NDArray[np.float32]]]:
        """The pictures that decide, likewise."""
        yield from map(self._sample, range(self._given.samples, len(self._pictures)))

    @cached_property
    def references(self) -> list[dict[str, NDArray[Any]]]:
        """The fp32 program's outputs on the hold-out."""
        import torch

        module: Any = self._program.module()
        found = []
        with torch.inference_mode():
            for sample in self.hold_out():
                values = module(*(torch.from_numpy(sample[spec.name]) for spec in self._job.inputs))
                names = [spec.name for spec in self._job.outputs]
                found.append({name: value.numpy() for name, value in zip(names, values, strict=True)})
        return found

    def _sample(self, index: int) -> dict[str, NDArray[np.float32]]:
        return {self._job.inputs[0].name: np.ascontiguousarray(self._pictures[index : index + 1])}


def as_trials(chosen: Chosen) -> tuple[CalibrationTrial, ...]:
    """The trials as the manifest names them, best first."""
    return tuple(
        CalibrationTrial(method=trial.method, samples=trial.samples, divergence=trial.divergence)
        for trial in chosen.trials
    )

"""Targets for tests: one that is quick and good, and some that end badly."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from deploy.contracts.artifact import PrecisionProof
from deploy.errors import DeployError
from deploy.store import read_json
from export.job import Row
from export.targets import TARGETS
from export.targets.protocol import Converted


class InProcess:
    """Stands in for ``export.workers.Workers``: the same converters, without a process for each."""

    started = 0

    def __init__(self, wanted: Any, folder: Path, threads: int) -> None:
        type(self).started += 1
        self._wanted, self._folder = wanted, folder
        (folder / "rows").mkdir()

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run(self, finished: Any) -> list[Row]:
        from export.worker import serve

        rows = []
        for target, precisions in self._wanted.items():
            TARGETS.open(target).warm_up()
            serve(target, self._folder)
            for precision in precisions:
                path = self._folder / "rows" / f"{target}-{precision}.json"
                rows.append(Row.model_validate(read_json(path)))
                finished(rows[-1])
        return rows

    def log(self, target: str) -> str:
        return f"log of {target}"


class Quick:
    """Writes the program itself, whatever the precision; run by the reference's runtime."""

    PRECISIONS = ("fp32", "fp16")
    INT8 = "fp16"
    TOOLS = ("torch",)

    def __init__(self, job: Any, program: Any, samples: Any, calibrator: Any) -> None:
        self._job, self._program = job, program

    @staticmethod
    def warm_up() -> None:
        return None

    def convert(self, precision: str, folder: Path) -> Converted:
        from export.capture import save_program

        save_program(self._program, folder / "model.pt2")
        return Converted(
            model_file="model.pt2",
            inputs=self._job.inputs,
            outputs=self._job.outputs,
            preprocess=self._job.preprocess,
            deployment={},
        )

    def prove(self, model: Path) -> PrecisionProof:
        dtype = "float16" if model.parent.name.endswith("fp16") else "float32"
        return PrecisionProof(weight_bytes={dtype: model.stat().st_size}, ops={dtype: 1}, total_ops=1)


class Aborts(Quick):
    """A converter whose native code calls abort()."""

    def convert(self, precision: str, folder: Path) -> Converted:
        os.abort()


class Vanishes(Quick):
    """A converter that the system kills."""

    def convert(self, precision: str, folder: Path) -> Converted:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class CannotStart(Quick):
    """A converter whose libraries do not load."""

    @staticmethod
    def warm_up() -> None:
        raise ImportError("libfake.so.7: cannot open shared object file")


class Raises(Quick):
    """A converter that gives up with an exception of its own, at fp16 only."""

    def convert(self, precision: str, folder: Path) -> Converted:
        if precision == "fp16":
            raise NotImplementedError("op 'frobnicate' is unknown\nsecond line")
        return super().convert(precision, folder)


class Mislabels(Quick):
    """A converter whose files are fp32, whatever their label says."""

    def prove(self, model: Path) -> PrecisionProof:
        return PrecisionProof(weight_bytes={"float32": 100}, ops={"float32": 1}, total_ops=1)


class Waits(Quick):
    """A converter that takes for ever, and says when it has begun."""

    def convert(self, precision: str, folder: Path) -> Converted:
        (folder / "begun").write_text(str(os.getpid()))
        signal.pause()
        raise AssertionError


class AbortingRuntime:
    """A runtime whose native code calls abort() on the first inference."""

    def __init__(self, *_: Any) -> None:
        return None

    @staticmethod
    def why_not() -> str | None:
        return None

    def run(self, inputs: Any) -> Any:
        os.abort()


class AbsentRuntime(AbortingRuntime):
    """A runtime that this machine does not have."""

    @staticmethod
    def why_not() -> str | None:
        return "it runs only on a Mac"


class WaitingRuntime(AbortingRuntime):
    """A runtime that never answers, and says when it was asked."""

    def __init__(self, model: Path, *_: Any) -> None:
        self._mark = model.parent / "asked"

    def run(self, inputs: Any) -> Any:
        self._mark.write_text(str(os.getpid()))
        signal.pause()


LINES = {
    name: f"tests.export.fakes:{name}"
    for name in ("Quick", "Aborts", "Vanishes", "CannotStart", "Raises", "Mislabels", "Waits")
}
RUNTIME = "deploy.runtimes.torch_program:TorchProgramRuntime"


def install() -> None:
    """Put the fakes on the plates of this process (worker processes do it through sitecustomize)."""
    from deploy.runtimes import RUNTIMES

    TARGETS.lines.update(LINES)
    RUNTIMES.lines.update(dict.fromkeys(LINES, RUNTIME))
    RUNTIMES.lines["aborting"] = "tests.export.fakes:AbortingRuntime"
    RUNTIMES.lines["absent"] = "tests.export.fakes:AbsentRuntime"
    RUNTIMES.lines["waiting"] = "tests.export.fakes:WaitingRuntime"


def inline(work: Any, arguments: tuple[Any, ...], heard: Any, stop: Any = None) -> str | None:
    """Stands in for ``export.evaluation.process.in_process``: the same work without a process."""
    try:
        work(heard, *arguments)
    except DeployError as error:
        if error.error_id != "MODEL-UNLOADABLE":
            raise
        return error.summary
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None

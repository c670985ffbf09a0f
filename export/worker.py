"""A converter process: imports its converter at once, waits for the job, and writes one row per precision."""

from __future__ import annotations

import errno
import faulthandler
import gc
import importlib
import os
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.contracts.artifact import Parity, PrecisionProof
from deploy.decode import DECODERS
from deploy.errors import DeployError
from deploy.store import disk_errors, write_json
from deploy.vision.preprocess import pixels_of
from export.calibration.calibrator import Calibrator
from export.capture import load_program
from export.golden import load_arrays, load_geometry
from export.job import Job, Row
from export.parity import judge_hop, judge_parity, unknown_hop
from export.precision_proof import demand_label
from export.runners import runner_for
from export.targets import TARGETS
from export.targets.protocol import Converted, Target

Outputs = dict[str, NDArray[np.generic]]


_SHARED = ("torch", "torch._dynamo", "torch.export")


def preload() -> None:
    """Import what every converter needs, once, before the processes are forked."""
    for module in _SHARED:
        importlib.import_module(module)


def work(target: str, receiver: Connection, inherited: tuple[Connection, ...], log: str) -> None:
    """The process: import the converter, wait for the job's folder, convert; ends when the flow does.

    Args:
        receiver: the job's folder comes here once the program has been captured; its end is ours.
        inherited: the flow's ends of such pipes that a fork copied; closed here, so that its end shows.
        log: file that takes everything the converter prints.
    """
    for connection in inherited:
        connection.close()
    os.setsid()  # Ctrl-C reaches the flow alone, which then ends its workers
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(output, "w", buffering=1)
    TARGETS.open(target).warm_up()
    try:
        folder = receiver.recv()
    except EOFError:
        return  # the flow ended without a job
    threading.Thread(target=_end_with_the_flow, args=(receiver,), daemon=True).start()
    faulthandler.enable(2)
    tempfile.tempdir = tempfile.mkdtemp(dir=folder)  # coremltools leaves every package behind
    gc.disable()  # converting is 1.1 to 1.4 times faster without the collector, and the process is short
    try:
        serve(target, Path(folder))
    except DeployError as error:
        sys.exit(errno.ENOSPC if error.error_id == "DISK-FULL" else str(error))  # no row could be written


def serve(target: str, root: Path) -> None:
    """Convert at every precision the job asks of ``target``, and write a row for each."""
    import torch

    kind = TARGETS.open(target)
    job = Job.load(root / "job.json")
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    inputs, references = load_arrays(root / job.samples, job.sample_count)
    try:
        program = load_program(root / job.program)
        calibrator = Calibrator(job, root, program) if job.calibration else None
        converters = {
            precision: kind(job, load_program(root / job.starts[precision]), inputs, calibrator)
            for precision in job.precisions[target]
            if precision in job.starts
        }
        converter = kind(job, program, inputs, calibrator)
    except Exception as error:
        for precision in job.precisions[target]:
            _write(root, _failed(target, precision, error))
        return
    for precision in job.precisions[target]:
        started = time.perf_counter()
        try:
            with disk_errors(root):
                chosen = converters.get(precision, converter)
                row = _convert(chosen, target, precision, root, job, inputs, references)
        except Exception as error:
            row = _failed(target, precision, error)
        _write(root, row.model_copy(update={"seconds": round(time.perf_counter() - started, 3)}))


def _end_with_the_flow(receiver: Connection) -> None:
    """The flow holds the other end open; when it closes, whatever ended the flow, nobody needs us."""
    with suppress(EOFError, OSError):
        receiver.recv()
    os._exit(1)


def _convert(
    converter: Target,
    target: str,
    precision: str,
    root: Path,
    job: Job,
    inputs: Sequence[Outputs],
    references: Sequence[Outputs],
) -> Row:
    """One precision: convert, prove, compare; the model is offered for saving only when all three pass."""
    if precision == "auto" and job.mix is not None and len(job.mix.wide) == len(job.mix.layers):
        raise DeployError(
            "MIX-ALL-WIDE",
            "No mix meets the budget: every layer would have to stay wide, and nothing be in 8 bits.",
            "Export it at fp16, or allow a larger drop with --budget.",
        )
    folder = root / f"{target}-{precision}"
    folder.mkdir()
    converted = converter.convert(precision, folder)
    model = folder / converted.model_file
    proof = converter.prove(model).model_copy(update={"wide_ops": converted.wide_ops})
    demand_label(proof, precision, target)
    parity = _parity(target, precision, model, converted, job, root, inputs, references)
    if parity.status == "FAIL":
        raise DeployError(
            "PARITY",
            f"The {target} {precision} file does not say what the fp32 model says: {parity.reason}.",
            "It was not saved. Export it at fp32 to see whether the conversion or the precision is at fault.",
        )
    return _built(target, precision, folder.name, converted, proof, parity)


def _parity(
    target: str,
    precision: str,
    model: Path,
    converted: Converted,
    job: Job,
    root: Path,
    inputs: Sequence[Outputs],
    references: Sequence[Outputs],
) -> Parity:
    """Every stage that can be run, then the file itself; task-level agreement on the file's outputs."""
    hops = []
    for stage in converted.stages:
        outputs = [stage.run(sample) for sample in inputs]
        hops.append(judge_hop(f"captured -> {stage.name}", references, outputs, stage.precision or precision))
    runtime, _ = runner_for(target, converted.deployment)
    why_not = runtime.why_not()
    decoder = DECODERS.open(job.decode.kind)(job.decode, job.preprocess)
    pairs: list[tuple[Any, Any]] = []
    if why_not is not None:
        hops.append(unknown_hop(f"{hops[-1].hop if hops else 'captured'} -> file", why_not))
    else:
        session = runtime(model, converted.inputs, converted.outputs, job.threads)
        outputs = [session.run(_fed(sample, job, converted)) for sample in inputs]
        hops.append(judge_hop("captured -> file", references, outputs, precision))
        placements = load_geometry(root / job.geometry) if job.geometry else [None] * len(outputs)
        pairs = [
            (decoder.decode(reference, placement), decoder.decode(output, placement))  # type: ignore[arg-type]
            for reference, output, placement in zip(references, outputs, placements, strict=True)
        ]
    return judge_parity(hops, precision, job.decode.kind, pairs, decoder, len(inputs))


def _fed(sample: Outputs, job: Job, converted: Converted) -> Outputs:
    """What the file takes: pixels where its input is an image, else the sample as it is."""
    block = converted.preprocess
    if job.preprocess is None or block is None or block.input_kind == job.preprocess.input_kind:
        return sample
    tensor = np.asarray(sample[block.input_name], np.float32)
    return {block.input_name: pixels_of(tensor, job.preprocess)}


def _built(
    target: str, precision: str, folder: str, converted: Converted, proof: PrecisionProof, parity: Parity
) -> Row:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Row(
        target=target,
        precision=precision,
        status="built",
        folder=folder,
        model_file=converted.model_file,
        inputs=converted.inputs,
        outputs=converted.outputs,
        preprocess=converted.preprocess,
        deployment=converted.deployment,
        proof=proof,
        parity=parity,
        trials=converted.trials,
        peak_memory_bytes=peak if sys.platform == "darwin" else peak * 1024,
    )


def _failed(target: str, precision: str, error: Exception) -> Row:
    """A refusal (a known problem) or a converter's own exception in one sentence; its trace is logged."""
    if isinstance(error, DeployError):
        return Row(
            target=target,
            precision=precision,
            status="refused",
            error_id=error.error_id,
            reason=error.summary,
            remedy=error.remedy,
        )
    traceback.print_exception(error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return Row(
        target=target,
        precision=precision,
        status="crashed",
        error_id="CONVERTER-FAILED",
        reason=f"{type(error).__name__}: {lines[0][:300]}",
        remedy="See the log it names, or check the versions with: deploy doctor",
    )


def _write(root: Path, row: Row) -> None:
    write_json(root / "rows" / f"{row.target}-{row.precision}.json", row.to_json())

"""Run one artifact over the samples in a process of its own; a crash becomes a reason, not an end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event
from typing import Any

from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.contracts.decode import YoloDecode
from deploy.decode import DECODERS
from deploy.errors import DeployError
from deploy.metrics import METRICS
from deploy.runtimes import RUNTIMES
from deploy.vision.preprocess import prepare
from export.evaluation.compact import Compact, pack
from export.evaluation.data import DataSource

_POLL_SECONDS = 0.2
_EVALUATION_CONFIDENCE = 0.001
"""mAP integrates over all confidences, so boxes are kept down to here, as in ultralytics' validator."""


@dataclass(frozen=True)
class Measured:
    """What one artifact said about every sample.

    ``observations`` are the metric's records (empty for unlabelled data), ``predictions`` the decoded outputs
    as an app would get them. ``failure`` says why there are none.
    """

    observations: list[Any]
    predictions: list[Compact]
    failure: str | None = None


def measure(
    folder: Path, data: DataSource, threads: int, told: Callable[[], None], stop: Event | None = None
) -> Measured:
    """Run the artifact in ``folder`` over ``data``.

    Args:
        told: called after every sample.
        stop: ends the process early when it is set (Ctrl-C, or another artifact's error).
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = context.Process(target=_child, args=(sender, folder, data, threads, log.name), daemon=True)
        return _collect(process, receiver, sender, told, Path(log.name), stop)


def _collect(
    process: BaseProcess,
    receiver: Connection,
    sender: Connection,
    told: Callable[[], None],
    log: Path,
    stop: Event | None,
) -> Measured:
    """Start the process and take its messages until it ends, one way or the other."""
    process.start()
    sender.close()
    observations: list[Any] = []
    predictions: list[Compact] = []
    try:
        while True:
            while not receiver.poll(_POLL_SECONDS):
                if stop is not None and stop.is_set():
                    return Measured([], [], "stopped")
            kind, payload = receiver.recv()
            if kind == "end":
                return Measured(observations, predictions)
            if kind == "error":
                raise DeployError.from_dict(payload)
            if kind == "failure":
                return Measured([], [], payload)
            observation, prediction = payload
            predictions.append(prediction)
            if observation is not None:
                observations.append(observation)
            told()
    except EOFError:
        process.join()
        return Measured([], [], _died(process.exitcode or 0, log))
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        receiver.close()


def _died(code: int, log: Path) -> str:
    """How a process ended that did not say so itself, with the last line its native code printed."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    last = f" ({lines[-1][:200]})" if lines else ""
    if code < 0:
        return f"its runtime was killed by {signal.Signals(-code).name}{last}"
    return f"its runtime ended with code {code}{last}"


def _child(sender: Connection, folder: Path, data: DataSource, threads: int, log: str) -> None:
    """The process: known problems travel home as errors, the runtime's own as a failure of this artifact."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    quiet = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(quiet, 1)  # native runtimes chat on both streams
    os.dup2(quiet, 2)
    try:
        _run(sender, folder, data, threads)
    except DeployError as error:
        kind = "failure" if error.error_id == "MODEL-UNLOADABLE" else "error"
        sender.send((kind, error.summary if kind == "failure" else error.to_dict()))
    except Exception as error:
        sender.send(("failure", f"{type(error).__name__}: {error}"))
    sender.close()


def _run(sender: Connection, folder: Path, data: DataSource, threads: int) -> None:
    artifact = Artifact.load(folder / MANIFEST)
    if artifact.preprocess is None:
        raise DeployError(
            "NO-PICTURE-INPUT",
            f"{artifact.name} does not say how a picture becomes its input, so pictures cannot be evaluated.",
            "Export it again with --preprocess FILE.",
        )
    runtime = RUNTIMES.open(artifact.target)(
        folder / artifact.model_file, artifact.inputs, artifact.outputs, threads
    )
    decoder = DECODERS.open(artifact.decode.kind)(artifact.decode, artifact.preprocess)
    judged = _for_judging(artifact)
    judge = DECODERS.open(judged.kind)(judged, artifact.preprocess) if judged != artifact.decode else decoder
    samples = data.open()
    metric = METRICS.open(artifact.decode.kind).for_decode(judged) if samples.labelled else None  # type: ignore[attr-defined]
    for index in range(len(samples)):
        sample = samples.sample(index)
        tensor, geometry = prepare(sample.image, artifact.preprocess)
        outputs = runtime.run({artifact.preprocess.input_name: tensor})
        prediction = decoder.decode(outputs, geometry)
        observation = None
        if metric is not None:
            seen = prediction if judge is decoder else judge.decode(outputs, geometry)
            observation = metric.observe(seen, sample.truth)
        sender.send(("sample", (observation, pack(prediction))))
    sender.send(("end", None))


def _for_judging(artifact: Artifact) -> Any:
    """The decode block for the metric: mAP needs every box, not only the confident ones."""
    decode = artifact.decode
    if isinstance(decode, YoloDecode):
        return decode.model_copy(update={"confidence": _EVALUATION_CONFIDENCE, "multi_label": True})
    return decode

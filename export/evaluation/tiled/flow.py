"""The evaluation of a tiled detector on one screen: boxes once, then every way of using them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy import console
from deploy.artifacts import Exported, check_bytes, open_artifact
from deploy.contracts.decode import YoloDecode
from deploy.contracts.tiled_report import Candidate, RowName, TiledProtocol, TiledReport
from deploy.contracts.tiling import Tiling
from deploy.decode.predictions import InstanceTruth
from deploy.errors import DeployError
from deploy.metrics.tiled.causes import causes, convincing_scores
from deploy.metrics.tiled.figures import VERSIONS
from deploy.statistics.bootstrap import whole_and_drawn
from deploy.tiled.detector import declared_tiling
from deploy.tiled.finish import finish
from deploy.tiled.raw import RawDetections
from deploy.toolchain import versions
from export.evaluation.data import DataSource
from export.evaluation.tiled.gather import Gathering, gather
from export.evaluation.tiled.leaks import demand_no_leak, few_negatives
from export.evaluation.tiled.rows import Answers, Scored, score
from export.evaluation.tiled.sweep import sweep
from export.evaluation.tiled.ways import boxes_for, ways
from export.runners import runner_for
from training.data.leaks.moments import blocks, moments_of
from training.data.samples import EvaluationSet

_MOST_CANDIDATES = 200
_TOGETHER_SECONDS = 600.0


@dataclass(frozen=True)
class TiledRequest:
    """One evaluation.

    ``tiling`` ``None`` takes what the artifact declares; ``confidence``: of every class, or by class name;
    ``train``: what the model was trained on, for the leak check; ``allowed``: ``leak`` evaluates on one.
    """

    artifact: Path
    data: Path
    tiling: Tiling | None = None
    confidence: dict[str, float] | float | None = None
    floor: float = 0.01
    iou: float = 0.5
    ignore_area: float = 0.0
    train: Path | None = None
    allowed: tuple[str, ...] = ()
    limit: int | None = None
    replicates: int = 1000
    seed: int = 0
    engine: str = "local"
    workers: int = 1


def evaluate_tiled(request: TiledRequest) -> TiledReport:
    """Every way of using one detector on the same labelled pictures.

    Raises:
        DeployError: ``NOT-A-DETECTOR``, ``TILING-MISSING``, ``DATA-UNLABELLED``, ``UNKNOWN-CLASS``,
            ``CONFIDENCE-BELOW-FLOOR``, ``LEAK``, and what artifact, data and job raise.
    """
    exported = open_artifact(request.artifact)
    check_bytes(exported)
    decode, tiling = _detector(exported, request.tiling)
    data = DataSource(request.data, decode, request.limit, request.seed)
    samples = data.open()
    if not samples.labelled:
        raise DeployError(
            "DATA-UNLABELLED",
            f"{request.data} holds pictures without boxes.",
            "Lay it out as images/ and labels/ (YOLO), or name another folder with --data.",
        )
    taints, leaks = demand_no_leak(request.train, request.data, request.allowed)
    truths = [_truth(samples, index) for index in range(len(samples))]
    raws = gather(Gathering(exported, data, tiling, request.floor, request.engine, request.workers), samples)
    protocol = _protocol(request, decode, tiling, samples)
    groups = _groups(samples, request.data)
    table = Table(protocol, raws, truths, _weights(groups, request.replicates, request.seed))
    scored = table.rows()
    artifact = exported.artifact
    negatives = sum(len(truth.classes) == 0 for truth in truths)
    _, runner_taints = runner_for(artifact.target, artifact.deployment)
    return TiledReport(
        name=artifact.name,
        target=artifact.target,
        precision=artifact.precision,
        model_sha256=artifact.model_sha256,
        taints=(*runner_taints, *taints, *few_negatives(negatives)),
        leaks=leaks,
        protocol=protocol,
        protocol_sha256=protocol.digest(),
        data=data.describe(samples),
        clusters=len(set(groups)),
        negatives=negatives,
        rows=tuple(each.row for each in scored),
        sweep=tuple(sweep([name for name, _ in ways(tiling)], table.answers, truths, protocol)),
        candidates=tuple(_candidates(scored, table, samples.ids)),
        replicates=request.replicates,
        seed=request.seed,
        toolchain=versions("numpy", "opencv-python-headless", "hotcoco"),
    )


class Table:
    """Raw boxes and truth, and the answers that each way of using them gives."""

    def __init__(
        self,
        protocol: TiledProtocol,
        raws: Sequence[RawDetections],
        truths: Sequence[InstanceTruth],
        weights: NDArray[np.int64],
    ) -> None:
        self.protocol, self._raws, self._truths, self._weights = protocol, raws, truths, weights
        self._ways = dict(ways(protocol.tiling))

    def answers(self, name: RowName, confidence: float | NDArray[np.float32]) -> Answers:
        """What an app would get for every picture."""
        tiling = self._ways[name]
        return [finish(boxes_for(name, raw, tiling), tiling, confidence) for raw in self._raws]

    def rows(self) -> list[Scored]:
        """All rows; the first is the baseline of the others."""
        least = np.asarray(self.protocol.confidence, np.float32)
        scored: list[Scored] = []
        with console.progress("scoring", len(self._ways)) as bar:
            for name in self._ways:
                answers, ranked = self.answers(name, least), self.answers(name, self.protocol.floor)
                baseline = scored[0] if scored else None
                scored.append(
                    score(name, answers, ranked, self._truths, self.protocol, self._weights, baseline)
                )
                bar.advance()
        return scored


def _detector(exported: Exported, given: Tiling | None) -> tuple[YoloDecode, Tiling]:
    artifact = exported.artifact
    if not isinstance(artifact.decode, YoloDecode) or artifact.preprocess is None:
        raise DeployError(
            "NOT-A-DETECTOR",
            f"{exported.folder} is decoded as {artifact.decode.kind}, and only detectors look at tiles.",
            "Name a detector's folder, such as one that deploy train tiled_detection led to.",
        )
    return artifact.decode, given or declared_tiling(exported)


def _protocol(
    request: TiledRequest, decode: YoloDecode, tiling: Tiling, samples: EvaluationSet
) -> TiledProtocol:
    given = request.confidence
    by_name = given if isinstance(given, dict) else {}
    unknown = next((name for name in by_name if name not in decode.class_names), None)
    if unknown is not None:
        raise DeployError(
            "UNKNOWN-CLASS",
            f"The detector has no class called {unknown!r}.",
            f"Choose from: {', '.join(decode.class_names)}.",
        )
    every = given if isinstance(given, float) else decode.confidence
    confidence = tuple(by_name.get(name, every) for name in decode.class_names)
    if min(confidence) < request.floor:
        raise DeployError(
            "CONFIDENCE-BELOW-FLOOR",
            f"A confidence of {min(confidence):g} lies below the floor of {request.floor:g}, under which "
            "no box is kept.",
            f"Lower the floor: --floor {min(confidence):g}",
        )
    return TiledProtocol(
        tiling=tiling,
        classes=decode.class_names,
        confidence=confidence,
        floor=request.floor,
        iou=request.iou,
        ignore_area=request.ignore_area,
        truth_sha256=samples.sha256,
        pictures=len(samples),
        metrics=VERSIONS,
    )


def _truth(samples: EvaluationSet, index: int) -> InstanceTruth:
    truth = samples.sample(index).truth
    assert isinstance(truth, InstanceTruth)
    return truth


def _groups(samples: EvaluationSet, folder: Path) -> tuple[str, ...]:
    """What intervals draw as one: a camera's ten minutes where times are known, else the folder's groups."""
    moments = moments_of(samples.ids, folder)
    if all(moment.time is not None and moment.unit == "seconds" for moment in moments):
        return blocks(moments, _TOGETHER_SECONDS, 1)
    return samples.groups


def _weights(groups: Sequence[str], replicates: int, seed: int) -> NDArray[np.int64]:
    """Row 0 counts every picture once; the others draw whole groups, which a camera's frames stay in."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    return whole_and_drawn(len(names), replicates, seed)[:, member]


def _candidates(scored: Sequence[Scored], table: Table, ids: Sequence[str]) -> list[Candidate]:
    """What the sliced row found where nothing is labelled, surest first."""
    protocol = table.protocol
    sliced = next(each for each in scored if each.row.name == "sliced")
    sure = convincing_scores([each for each in sliced.matched if each is not None], len(protocol.classes))
    found = []
    for name, matched in zip(ids, sliced.matched, strict=True):
        for place, cause in [] if matched is None else causes(matched, protocol.iou, sure):
            if matched is not None and cause == "unlabelled_truth_candidate":
                x1, y1, x2, y2 = (float(value) for value in matched.boxes[place])
                found.append(
                    Candidate(
                        picture=name,
                        label=protocol.classes[matched.classes[place]],
                        score=float(matched.scores[place]),
                        box=(x1, y1, x2, y2),
                    )
                )
    return sorted(found, key=lambda each: -each.score)[:_MOST_CANDIDATES]

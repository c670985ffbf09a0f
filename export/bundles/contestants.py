"""Exported chains under evaluation: opened, held against their text encoder, beside their own run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.bundles.chain import Chain, load_part
from deploy.bundles.opening import OpenedBundle, find_reference_bundle, open_bundle
from deploy.errors import DeployError, ExitCode
from export.parity import sqnr_db
from export.runners import runner_for
from training.checkpoints import read_checkpoint
from training.evaluation.contestant import Contestant
from training.run_files import CHECKPOINT

LEAST_DB = 30.0
"""The stored embeddings against what the text encoder says here; another machine rounds otherwise."""


@dataclass(frozen=True)
class Chains:
    """What stands behind the bundles' rows.

    ``contestants``: the chains, and first the fp32 chain where the run itself is not there to be the student;
    ``runs``: run folders to evaluate as students, the bundles' own first; ``taints``: by chain name.
    """

    contestants: list[Contestant]
    runs: list[Path]
    taints: dict[str, tuple[str, ...]]


def open_chains(bundles: Sequence[Path], runs: Sequence[Path], reference: Path | None = None) -> Chains:
    """Open bundles for evaluation, with the student that they must equal.

    The student is the run among ``runs`` that they were exported from, else the run that they name, else the
    fp32 bundle beside them.

    Raises:
        DeployError: ``BUNDLES-MIXED`` for bundles of several runs, ``REFERENCE-MISSING`` where no student can
            be found, ``BUNDLE-CHANGED``, and what opening and loading raise.
    """
    opened = [open_bundle(folder) for folder in bundles]
    exports = [each for each in opened if each.bundle.role == "export"]
    if not opened:
        return Chains([], list(runs), {})
    _demand_one_run(opened)
    taints: dict[str, tuple[str, ...]] = {}
    found = []
    for each in exports:
        chain = _chain(each)
        taints[chain.name] = _taints(each)
        found.append(Contestant(chain, "exported", each.bundle.identity))
    weights = opened[0].bundle.source.weights_sha256
    own = _own_run(opened[0], runs, weights)
    if own is not None:
        return Chains(found, [own, *(run for run in runs if run != own)], taints)
    fp32 = next((each for each in opened if each.bundle.role == "reference"), None)
    fp32 = fp32 or find_reference_bundle(opened[0], reference)
    if fp32 is None:
        raise DeployError(
            "REFERENCE-MISSING",
            f"Neither the run {opened[0].bundle.source.spec} nor an fp32 bundle beside {opened[0].folder} is "
            "there to compare with.",
            "Name the run too: deploy verify BUNDLE RUN --task promptable_masks",
        )
    return Chains([Contestant(_chain(fp32), "student", fp32.bundle.identity), *found], list(runs), taints)


def _demand_one_run(opened: Sequence[OpenedBundle]) -> None:
    first = opened[0]
    for other in opened[1:]:
        if other.bundle.source.weights_sha256 != first.bundle.source.weights_sha256:
            raise DeployError(
                "BUNDLES-MIXED",
                f"{first.folder} and {other.folder} come from different weights; they have no student in "
                "common.",
                "Verify the bundles of one run at a time.",
                ExitCode.INCOMPARABLE,
            )


def _own_run(opened: OpenedBundle, runs: Sequence[Path], weights: str) -> Path | None:
    """The run with the bundle's weights: one that was named, or the one it says it was exported from."""
    for folder in (*runs, Path(opened.bundle.source.spec)):
        if (folder / CHECKPOINT).is_file() and read_checkpoint(folder).weights_sha256 == weights:
            return folder
    return None


def _chain(opened: OpenedBundle) -> Chain:
    chain = Chain(opened, lambda *where: runner_for(*where)[0])
    _demand_encoded(opened)
    return chain


def _taints(opened: OpenedBundle) -> tuple[str, ...]:
    """Those of every part's runner."""
    found = (
        taint
        for part in opened.parts.values()
        for taint in runner_for(part.artifact.target, part.artifact.deployment)[1]
    )
    return tuple(dict.fromkeys(found))


def _demand_encoded(opened: OpenedBundle) -> None:
    """Raise ``BUNDLE-CHANGED`` unless the stored embeddings are what the bundle's text encoder says."""
    part = opened.parts["text_encoder"]
    runtime = load_part(part, lambda *where: runner_for(*where)[0], 1)
    door, out = part.artifact.inputs[0].name, part.artifact.outputs[0].name
    for phrase, row in opened.bundle.encoded.ids.items():
        said = runtime.run({door: np.asarray([row], np.int32)})[out]
        if sqnr_db(opened.embedding(phrase), said) < LEAST_DB:
            raise DeployError(
                "BUNDLE-CHANGED",
                f"{opened.folder} holds another embedding of {phrase!r} than its text encoder gives.",
                f"Export it again with: deploy export {opened.bundle.source.spec} -t {opened.bundle.target}",
            )

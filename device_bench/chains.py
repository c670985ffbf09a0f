"""Promptable bundles on the bench: one artifact whose model is the image encoder, and what follows it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.artifacts import Exported, check_bytes, find_reference, open_artifact
from deploy.bundles.opening import OpenedBundle, find_reference_bundle, is_bundle, open_bundle
from deploy.contracts.artifact import Artifact, Golden, GoldenTensor
from deploy.contracts.bundle import BUNDLE, PartRole
from deploy.contracts.plan import ChainPlan
from deploy.errors import DeployError
from deploy.store import sha256_bytes, write_atomic

TEXT = "text.npy"


@dataclass(frozen=True)
class BenchedBundle(Exported):
    """A bundle that is asked for one phrase. ``artifact`` is the image encoder's, seen from the bundle."""

    opened: OpenedBundle
    phrase: str

    @property
    def manifest(self) -> Path:
        """The bundle's document."""
        return self.folder / BUNDLE

    @property
    def gives_masks(self) -> bool:
        """Always: everything that the phrase means is one mask."""
        return True


def open_benched(folder: Path, phrase: str | None) -> Exported:
    """An artifact, or a bundle with the phrase it is asked for.

    Raises:
        DeployError: ``PHRASE-MISSING`` for a bundle without one, ``UNKNOWN-PHRASE``, and what opening raises.
    """
    if not is_bundle(folder):
        return open_artifact(folder)
    opened = open_bundle(folder)
    if phrase is None:
        known = opened.bundle.encoded.phrases
        raise DeployError(
            "PHRASE-MISSING",
            f"{folder.name} answers prompts, and nothing says what to ask for on every frame.",
            f'Add --phrase "{known[0]}", or another of: {", ".join(known)}.',
        )
    opened.embedding(phrase)
    artifact = _seen_from(opened, "image_encoder")
    whole = {"name": opened.bundle.name, "precision": opened.bundle.precision}
    return BenchedBundle(folder, artifact.model_copy(update=whole), opened, phrase)


def check_benched(exported: Exported) -> None:
    """Hold the files against their hashes; raises ``ARTIFACT-CHANGED`` or ``BUNDLE-CHANGED``."""
    if isinstance(exported, BenchedBundle):
        exported.opened.check()
    else:
        check_bytes(exported)


def reference_of(exported: Exported, given: Path | None) -> Exported | None:
    """The fp32 reference, which is asked for the same phrase; raises what the two look-ups raise."""
    if not isinstance(exported, BenchedBundle):
        return find_reference(exported, given)
    found = find_reference_bundle(exported.opened, given)
    return None if found is None else open_benched(found.folder, exported.phrase)


def plan_chain(exported: BenchedBundle, folder: Path) -> tuple[ChainPlan, Artifact]:
    """Write the phrase's embedding into a plan's folder; the block, and the decoder as the bundle sees it."""
    bundle, decoder = exported.opened.bundle, _seen_from(exported.opened, "mask_decoder")
    buffer = io.BytesIO()
    np.save(buffer, exported.opened.embedding(exported.phrase), allow_pickle=False)
    write_atomic(folder / TEXT, buffer.getvalue())
    chain = ChainPlan(
        identity=bundle.identity,
        model_file=decoder.model_file,
        model_sha256=decoder.model_sha256,
        inputs=decoder.inputs,
        outputs=decoder.outputs,
        golden=decoder.golden,
        phrase=exported.phrase,
        text_file=TEXT,
        text_sha256=sha256_bytes(buffer.getvalue()),
        points=bundle.prompts.points,
        thresholds=bundle.thresholds,
    )
    return chain, decoder


def _seen_from(opened: OpenedBundle, role: PartRole) -> Artifact:
    """A part's artifact with its paths as the bundle's folder sees them."""
    part = opened.parts[role]
    place = part.folder.relative_to(opened.folder).as_posix()
    golden = part.artifact.golden
    samples = tuple(
        sample.model_copy(
            update={
                "image": f"{place}/{sample.image}" if sample.image else None,
                "inputs": tuple(_moved(each, place) for each in sample.inputs),
                "outputs": tuple(_moved(each, place) for each in sample.outputs),
            }
        )
        for sample in golden.samples
    )
    moved = Golden(samples=samples, clip=None, sqnr_db=golden.sqnr_db)
    return part.artifact.model_copy(
        update={"model_file": f"{place}/{part.artifact.model_file}", "golden": moved}
    )


def _moved(tensor: GoldenTensor, place: str) -> GoldenTensor:
    return tensor.model_copy(update={"file": f"{place}/{tensor.file}"})

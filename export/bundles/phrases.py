"""Phrases through an exported text encoder, in a process of its own, kept by content."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import open_artifact
from deploy.bundles.chain import load_part
from deploy.errors import DeployError
from deploy.store import canonical_json, sha256_bytes, write_atomic
from export.cache import cache_root
from export.evaluation.process import Tell, in_process
from export.runners import runner_for

_WAY = 1
"""Moves when phrases are encoded otherwise, so that nothing older is taken from the cache."""


@dataclass(frozen=True)
class Encoding:
    """One text encoder's artifact folder, and the hash of its model file."""

    folder: Path
    model_sha256: str


def encode_phrases(encoders: Sequence[Encoding], ids: NDArray[np.int32], threads: int) -> list[bytes | str]:
    """The ``.npy`` bytes of each encoder's embeddings, float32 (N, D), or why there are none.

    Args:
        encoders: text encoders of any target.
        ids: int32 (N, L), a row a phrase.
        threads: of each runtime.
    """
    places = [_place(each, ids) for each in encoders]
    waiting = [number for number, place in enumerate(places) if not place.is_file()]
    reasons: dict[int, str] = {}
    while waiting:  # a native crash takes one encoder with it, not those behind it
        left = list(waiting)

        def heard(told: tuple[int, NDArray[np.float32]], left: list[int] = left) -> None:
            number, table = told
            buffer = io.BytesIO()
            np.save(buffer, table, allow_pickle=False)
            write_atomic(places[number], buffer.getvalue())
            left.remove(number)

        jobs = [(number, str(encoders[number].folder)) for number in waiting]
        try:
            died = in_process(_work, (jobs, ids, threads), heard)
        except DeployError as error:
            died = error.summary
        if left:
            reasons[left[0]] = died or "its runtime gave no embeddings"
        waiting = left[1:]
    return [
        place.read_bytes() if number not in reasons else reasons[number]
        for number, place in enumerate(places)
    ]


def _work(tell: Tell, jobs: list[tuple[int, str]], ids: NDArray[np.int32], threads: int) -> None:
    """The process: every encoder on every phrase."""
    for number, folder in jobs:
        exported = open_artifact(Path(folder))
        runtime = load_part(exported, lambda *where: runner_for(*where)[0], threads)
        door, out = exported.artifact.inputs[0].name, exported.artifact.outputs[0].name
        rows: list[Any] = [runtime.run({door: ids[row : row + 1]})[out] for row in range(len(ids))]
        tell((number, np.concatenate(rows).astype(np.float32)))


def _place(encoder: Encoding, ids: NDArray[np.int32]) -> Path:
    """Where the embeddings are kept: by the encoder's bytes and the ids."""
    key = sha256_bytes(canonical_json([_WAY, encoder.model_sha256, ids.tolist()]).encode())
    return cache_root().parent / "phrases" / f"{key}.npy"

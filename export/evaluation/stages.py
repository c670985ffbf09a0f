"""One line that says at which stage of its conversion a file lost what it lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deploy.artifacts import find_reference, open_artifact
from deploy.contracts.artifact import MANIFEST, Artifact, ParityHop
from deploy.errors import DeployError
from export.parity import CAP_DB

_ARROW = " -> "


def stage_lines(folders: Iterable[Path]) -> dict[str, str]:
    """The line of every artifact among ``folders``, by its model's hash; foreign files have no stages."""
    found = {}
    for folder in folders:
        if not (folder / MANIFEST).is_file():
            continue
        exported = open_artifact(folder)
        try:
            reference = find_reference(exported, None)
        except DeployError:
            reference = None  # a line of explanation is no reason to stop
        before = reference.artifact.parity.hops if reference else ()
        line = stage_line(exported.artifact, before)
        if line is not None:
            found[exported.artifact.model_sha256] = line
    return found


def stage_line(artifact: Artifact, before: tuple[ParityHop, ...] = ()) -> str | None:
    """``torch → captured 132 dB → fake-quant 24 dB → file 24 dB: blame the quantization (fake-quant)``.

    Every figure is the worst output's SQNR against the captured program (the first one: the capture's own
    against the eager model), so the first stage that is low is to blame.

    Args:
        before: the reference's own hops.
    """
    hops = [*before, *artifact.parity.hops]
    if not artifact.parity.hops:
        return None
    steps = ["torch", *(f"{_stage(hop)} {_figure(hop)}" for hop in hops)]
    return f"{' → '.join(steps)}: {_blame(hops)}"


def _stage(hop: ParityHop) -> str:
    return hop.hop.rpartition(_ARROW)[2]


def _figure(hop: ParityHop) -> str:
    return "UNKNOWN" if hop.sqnr_db is None else f"{hop.sqnr_db:.0f} dB"


def _blame(hops: list[ParityHop]) -> str:
    """The first stage out of tolerance, else the one that added most noise (in power, not in decibels)."""
    failed = next((hop for hop in hops if hop.status == "FAIL"), None)
    if failed is not None:
        return f"blame {_stage(failed)}"
    before, worst, stage = 0.0, 0.0, None
    for hop in hops:
        if hop.sqnr_db is None:
            continue
        noise = 0.0 if hop.sqnr_db >= CAP_DB else 10 ** (-hop.sqnr_db / 10)
        if noise - before > worst:
            worst, stage = noise - before, _stage(hop)
        before = noise
    return f"most was lost at {stage}" if stage else "nothing was lost on the way"

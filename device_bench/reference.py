"""Masks of the fp32 reference on the same clips, run once per reference and shared by its artifacts."""

from __future__ import annotations

from pathlib import Path

from deploy.artifacts import Exported
from deploy.errors import DeployError
from deploy.store import canonical_json, sha256_bytes, sha256_file, write_json
from device_bench.chains import check_benched, reference_of
from device_bench.clips import ClipFiles
from device_bench.plans import PLAN, Measure, link, reference_measure, write_plan
from device_bench.transports.protocol import Progress

UNAVAILABLE = "unavailable.json"


class ReferenceRuns:
    """Runs of references in a scratch folder, by reference and clips.

    ``given`` is the folder the user named, if any.
    """

    def __init__(self, scratch: Path, given: Path | None, measure: Measure) -> None:
        self._scratch = scratch
        self._given = given
        self._measure = measure

    def put(self, exported: Exported, clips: list[ClipFiles], target: Path, progress: Progress) -> None:
        """Fill ``target`` with run.json, plan.json and masks/, or with the reason there are none.

        The reference runs on this desktop whatever the device is: it is what the device is compared with.
        """
        target.mkdir()
        try:
            link(self._run(exported, clips, progress), target)
        except DeployError as error:
            write_json(target / UNAVAILABLE, {"reason": error.summary, "error": error.error_id})

    def _run(self, exported: Exported, clips: list[ClipFiles], progress: Progress) -> Path:
        if not exported.gives_masks or not clips:
            what = "this model gives no masks" if clips else "no clip was run"
            raise DeployError("NO-MASKS", f"There is nothing to compare: {what}.", "Add --clip DIR.")
        reference = reference_of(exported, self._given)
        if reference is None:
            raise DeployError(
                "REFERENCE-MISSING",
                f"No folder beside {exported.folder.name} holds its fp32 reference.",
                "Name it with --reference.",
            )
        files = [[str(path) for path in clip.frames] for clip in clips]
        facts = [reference.artifact.model_sha256, sha256_file(reference.manifest), self._measure.phrase]
        key = sha256_bytes(canonical_json([*facts, files]).encode())[:16]
        out = self._scratch / key
        if not (out / "run.json").exists():
            self._carry_out(reference, clips, out, progress)
        return out

    def _carry_out(self, reference: Exported, clips: list[ClipFiles], out: Path, progress: Progress) -> None:
        from device_bench.transports.desktop import DesktopTransport

        desktop = DesktopTransport("")
        reason = desktop.why_not(reference.artifact.target)
        if reason is not None:
            raise DeployError("RUNTIME-MISSING", f"The fp32 reference cannot run: {reason}.", "Install it.")
        check_benched(reference)
        plan_folder = self._scratch / f"{out.name}-plan"
        write_plan(reference, clips, reference_measure(self._measure), plan_folder)

        def relabel(stage: str, done: float, total: float) -> None:
            progress(f"reference: {stage}", done, total)

        run = desktop.run(plan_folder, out, relabel)
        if run.status == "failed" and run.failure is not None:
            (out / "run.json").unlink()
            raise DeployError(
                run.failure.id, f"The fp32 reference failed: {run.failure.summary}", "Export it again."
            )
        link(plan_folder / PLAN, out / PLAN)
        link(reference.manifest, out / reference.manifest.name)

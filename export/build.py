"""The export flow on one screen: ask the cache, capture once, convert everywhere, keep what passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from deploy import console
from deploy.contracts.artifact import Artifact, Source
from deploy.errors import DeployError
from deploy.store import scratch_folder
from export import cache
from export.assemble import Export, artifact_folder, assemble, reference_row, write_program
from export.calibration.input import pictures_for, write_input
from export.job import Job, Row
from export.nms import put_nms
from export.planning import Plan, plan
from export.request import ExportRequest
from export.resolution import resolve
from export.samples import ParitySamples
from export.sources import open_source
from export.sources.protocol import ModelSource
from export.tiling import declare_tiling
from export.workers import Workers

Cell = tuple[str, str]


@dataclass(frozen=True)
class Built:
    """One line of the result: an artifact (new or cached), or the row that says why there is none."""

    target: str
    precision: str
    folder: Path | None
    artifact: Artifact | None
    row: Row | None
    cached: bool


def build(request: ExportRequest) -> list[Built]:
    """Export a model to every target and precision asked for; the reference comes first in the result.

    Raises:
        DeployError: whatever stops all targets alike (a bad checkpoint, a shape that does not fit, a full
            disk). What goes wrong with one target is a row instead.
    """
    cells = _cells(request)
    source = open_source(request)
    name = request.name or source.name
    fingerprint = source.fingerprint()
    samples = ParitySamples(request, source.training_data)
    digest = samples.digest
    pictures = pictures_for(request, source, (precision for _, precision in cells))
    calibration = pictures.sha256 if pictures else None
    keys = {cell: cache.cache_key(request, fingerprint, digest, calibration, *cell) for cell in cells}
    done = _restore(request, name, fingerprint, keys) if request.use_cache else {}
    if len(done) < len(cells):
        done |= _convert(request, name, source, fingerprint, samples, keys, set(done))
    return [done[cell] for cell in cells]


def _cells(request: ExportRequest) -> list[Cell]:
    """The reference, then every target at every precision asked for that it has."""
    return [(cache.REFERENCE, "fp32"), *resolve(request.targets, request.precisions)]


def _restore(request: ExportRequest, name: str, source: Source, keys: dict[Cell, str]) -> dict[Cell, Built]:
    """What the cache holds; nothing without the reference, since a new one is a new judge for every file."""
    found = {cell: cache.find(key) for cell, key in keys.items()}
    if found[cache.REFERENCE, "fp32"] is None:
        return {}
    done = {}
    for cell, folder in found.items():
        if folder is not None:
            final = artifact_folder(request.out, name, *cell)
            artifact = cache.restore(folder, final, name, source)
            done[cell] = Built(*cell, final, artifact, None, cached=True)
    return done


def _convert(
    request: ExportRequest,
    name: str,
    source: ModelSource,
    fingerprint: Source,
    samples: ParitySamples,
    keys: dict[Cell, str],
    cached: set[Cell],
) -> dict[Cell, Built]:
    """Capture the program and run the converters for the cells that are not cached."""
    reference = (cache.REFERENCE, "fp32")
    missing = [cell for cell in keys if cell not in cached and cell != reference]
    wanted = {t: tuple(p for target, p in missing if target == t) for t, _ in missing}
    with (
        scratch_folder(request.out, "export") as work,
        Workers(wanted, work, request.threads) as workers,
    ):
        precisions = {precision for _, precision in missing}
        with console.progress("loading and capturing the model", 1) as bar:
            started = time.perf_counter()
            export = _capture(request, name, source, fingerprint, samples, precisions, work)
            seconds = round(time.perf_counter() - started, 3)
            bar.advance()
        found = _write_job(export, wanted, precisions)
        with console.progress("converting", len(missing)) as bar:
            rows = {(row.target, row.precision): row for row in workers.run(_report(bar))}
        done = {}
        if reference not in cached:
            folder = assemble(export, reference_row(export, seconds), keys[reference])
            done[reference] = _finish(folder, keys[reference], reference)
        for cell, row in rows.items():
            if row.status == "built":
                done[cell] = _finish(assemble(export, row, keys[cell], found), keys[cell], cell, row)
            else:
                _keep_log(workers, row, request.out)
                done[cell] = Built(*cell, None, None, row, cached=False)
    return done


def _capture(
    request: ExportRequest,
    name: str,
    source: ModelSource,
    fingerprint: Source,
    samples: ParitySamples,
    precisions: Collection[str],
    work: Path,
) -> Export:
    import torch

    from export.capture import capture

    torch.set_num_threads(request.threads)
    torch.manual_seed(request.seed)
    model = declare_tiling(source.load(), request.tiling)
    model = put_nms(model) if request.nms == "graph" else model
    pictures = list(model.samples or samples.load(model.inputs, model.preprocess))
    captured = capture(model, pictures)
    names = getattr(model.decode, "class_names", None)
    calibration = pictures_for(request, source, precisions, names)
    if captured.hop.status != "PASS":
        raise DeployError(
            "PARITY",
            f"The captured program does not say what the model says: {captured.hop.reason}.",
            "The model is not deterministic in eval mode; remove random ops from forward().",
        )
    write_program(captured, work)
    clip = None if model.samples else samples.clip()
    return Export(request, name, fingerprint, model, captured, pictures, clip, calibration, work)


def _write_job(export: Export, wanted: dict[str, tuple[str, ...]], precisions: Collection[str]) -> Plan:
    from export.assemble import PROGRAM
    from export.golden import save_arrays, save_geometry

    request, work = export.request, export.work
    calibration = None
    if export.calibration is not None:
        calibration = write_input(export.calibration, request, export.model.preprocess, work)
    found = plan(export, calibration, precisions)
    save_arrays(work / "samples.npz", export.pictures, export.captured.references)
    save_geometry(work / "geometry.json", export.pictures)
    Job(
        program=PROGRAM,
        samples="samples.npz",
        sample_count=len(export.pictures),
        geometry="geometry.json" if export.model.preprocess else None,
        inputs=export.model.inputs,
        outputs=export.captured.outputs,
        preprocess=export.model.preprocess,
        decode=export.model.decode,
        precisions=wanted,
        coreml_input=request.coreml_input,
        coreml_target=request.coreml_target,
        executorch_backend=request.executorch_backend,
        onnx_pairing=request.onnx_pairing,
        calibration=calibration,
        mix=found.layers,
        starts=found.starts,
        threads=request.threads,
        seed=request.seed,
    ).save(work / "job.json")
    return found


def _report(bar: console.Progress) -> Callable[[Row], None]:
    def report(row: Row) -> None:
        bar.label(f"{row.target} {row.precision}: {row.status}")
        bar.advance()

    return report


def _finish(folder: Path, key: str, cell: Cell, row: Row | None = None) -> Built:
    cache.keep(folder, key)
    return Built(*cell, folder, Artifact.load(folder / "artifact.json"), row, cached=False)


def _keep_log(workers: Workers, row: Row, out: Path) -> None:
    """A crashed converter's output outlives the working folder."""
    if row.status == "crashed":
        path = out / f"{row.target}-{row.precision}.crash.log"
        path.write_text(workers.log(row.target))
        console.note(f"The {row.target} converter's log: {path}")

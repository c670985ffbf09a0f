"""The bundle flow on one screen: every part by the usual export, phrases encoded, then tied together."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.contracts.bundle import PART_ROLES, Bundle, PartRole
from deploy.errors import DeployError
from deploy.store import scratch_folder
from export.build import Built, Cell, build
from export.bundles.phrases import Encoding, encode_phrases
from export.bundles.plan import demand_supported, part_precision, part_precisions
from export.bundles.write import Part, Shared, write_bundle
from export.cache import REFERENCE
from export.parts.run import open_run
from export.precisions import PRECISIONS
from export.request import ExportRequest
from export.resolution import resolve
from export.sources.part import MARK
from training.checkpoints import read_checkpoint
from training.run_files import CHECKPOINT

FALLBACK = "fp16"
_REFERENCE: Cell = (REFERENCE, "fp32")
Parts = dict[PartRole, Part]


@dataclass(frozen=True)
class Bundled:
    """One line of the result: a bundle with what became of its parts, or why there is none.

    ``parts`` are by role; a part that could not be made has no folder and a row with the reason.
    """

    target: str
    precision: str
    folder: Path | None
    bundle: Bundle | None
    parts: dict[PartRole, Built]
    reason: str | None = None

    @property
    def cached(self) -> bool:
        """Whether no part had to be converted."""
        return all(part.cached for part in self.parts.values())


def is_promptable(spec: str) -> bool:
    """Whether what was typed is a finished run that answers prompts."""
    folder = Path(spec)
    return (folder / CHECKPOINT).is_file() and read_checkpoint(folder).prompts is not None


def build_bundles(request: ExportRequest) -> list[Bundled]:
    """Export a promptable run to every target and precision asked for; the reference comes first.

    Raises:
        DeployError: ``BUNDLE-PRECISION``, and whatever stops all targets alike. What goes wrong with one
            target is a line with its reason instead.
    """
    cells = resolve(request.targets, request.precisions)
    demand_supported(tuple(precision for _, precision in cells))
    run = open_run(Path(request.spec))
    phrases = tuple(dict.fromkeys((*run.phrases, *request.phrases)))
    ids = run.ids(phrases)
    name = request.name or run.folder.resolve().name
    with scratch_folder(request.out, "bundle") as work:
        found = {role: _parts(request, role, name, cells, work) for role in PART_ROLES}
        every = {cell: {role: found[role][cell] for role in PART_ROLES} for cell in (_REFERENCE, *cells)}
        whole = [cell for cell, parts in every.items() if _why_not(parts) is None]
        tables = encode_phrases([_encoding(every[cell]) for cell in whole], ids, request.threads)
        shared = Shared(name, request.out, run, phrases, ids)
        return _tie(every, dict(zip(whole, tables, strict=True)), shared)


def _parts(
    request: ExportRequest, role: PartRole, name: str, cells: list[Cell], work: Path
) -> dict[Cell, Part]:
    """One role at every cell; what fails in 8 bits is made again at fp16."""
    asked = tuple(dict.fromkeys(precision for _, precision in cells))
    built = _build(request, role, name, request.targets, part_precisions(role, asked), work)
    failed = [cell for cell, each in built.items() if each.folder is None and PRECISIONS[cell[1]].quantized]
    if failed:
        again = tuple(dict.fromkeys(target for target, _ in failed))
        built |= _build(request, role, name, again, (FALLBACK,), work)
    parts = {_REFERENCE: Part(built[_REFERENCE])}
    for target, precision in cells:
        own, reason = part_precision(role, precision)
        made = built[target, own]
        if (target, own) in failed and made.row is not None:
            reason = f"{own}: {made.row.error_id}: {made.row.reason}"
            made = built[target, FALLBACK]
        parts[target, precision] = Part(made, reason)
    return parts


def _build(
    request: ExportRequest,
    role: PartRole,
    name: str,
    targets: tuple[str, ...],
    precisions: tuple[str, ...],
    work: Path,
) -> dict[Cell, Built]:
    """The part by the usual flow, into the working folder; logs of crashes are kept."""
    part = replace(
        request,
        spec=f"{request.spec}{MARK}{role}",
        name=f"{name}-{role}",
        targets=targets,
        precisions=precisions,
        out=work,
        phrases=(),
    )
    results = build(part)
    for log in work.glob("*.crash.log"):
        shutil.move(log, request.out / f"{role}-{log.name}")
    return {(each.target, each.precision): each for each in results}


def _why_not(parts: Parts) -> str | None:
    """The first part that could not be made, with its reason."""
    for role, part in parts.items():
        if part.built.folder is None:
            row = part.built.row
            assert row is not None
            return f"its {role.replace('_', ' ')}: {row.error_id}: {row.reason}"
    return None


def _encoding(parts: Parts) -> Encoding:
    built = parts["text_encoder"].built
    assert built.folder is not None and built.artifact is not None
    return Encoding(built.folder, built.artifact.model_sha256)


def _tie(cells: dict[Cell, Parts], tables: dict[Cell, bytes | str], shared: Shared) -> list[Bundled]:
    """Write every bundle whose parts are there; the reference's identity goes into the others."""
    done: list[Bundled] = []
    identity: str | None = None
    for cell, parts in cells.items():
        table, reason = tables.get(cell), _why_not(parts)
        folder = bundle = None
        if isinstance(table, str):
            reason = f"its text encoder could not encode the phrases: {table}"
        elif table is not None:
            folder, bundle = write_bundle(shared, cell, parts, table, identity)
            identity = identity or bundle.identity
        if identity is None:
            raise DeployError(
                "BUNDLE-REFERENCE", f"There is no fp32 bundle to judge by: {reason}.", "Export it again."
            )
        done.append(
            Bundled(*cell, folder, bundle, {role: part.built for role, part in parts.items()}, reason)
        )
    return done

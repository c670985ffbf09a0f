"""What was named on the command line, opened: one group per model, the reference beside what it judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.artifacts import Exported, check_bytes, find_reference, open_artifact
from deploy.contracts.artifact import MANIFEST
from deploy.errors import DeployError
from export.evaluation.subject import Subject
from export.foreign import format_of
from export.foreign.adopt import Given, adopt
from export.runners import runner_for

_ORDER = ("fp32", "fp16", "w8", "w6", "w4", "w8a8", "w8a8-dynamic", "auto")
"""Wide before narrow, as one reads them."""


@dataclass(frozen=True)
class Group:
    """One model: its fp32 reference, and the files to judge, by target and then precision."""

    reference: Exported
    subjects: tuple[Subject, ...]

    @property
    def calibration(self) -> frozenset[str]:
        """Hashes of every picture that calibrated one of the files."""
        return frozenset(h for each in self.subjects for h in each.exported.artifact.calibration_samples)


def open_groups(named: Iterable[Path], reference: Path | None, given: Given) -> list[Group]:
    """One group per model among ``named`` (they are told apart by their reference's hash).

    Args:
        named: artifact folders and foreign model files.
        reference: the reference's artifact folder, where it is not beside the artifacts.
        given: blocks that say how pictures go into foreign files and predictions come out.

    Raises:
        DeployError: a folder that is no artifact, a changed file, a missing reference, doors that do not fit.
    """
    own: dict[str, list[Exported]] = {}
    foreign: list[Path] = []
    for path in named:
        if not (path / MANIFEST).is_file() and format_of(path) is not None:
            foreign.append(path)
        elif (opened := open_artifact(path)).artifact.role == "export":
            check_bytes(opened)
            own.setdefault(opened.artifact.reference_sha256, []).append(opened)
    if not own and not foreign:
        raise DeployError(
            "NOTHING-TO-VERIFY",
            "Only fp32 references were named; they are what exports are compared with.",
            "Name exports too, for example: deploy verify artifacts/*",
        )
    found = {digest: (_reference_of(each[0], reference), _subjects(each)) for digest, each in own.items()}
    if foreign:
        judge = _named(reference, foreign[0])
        digest = judge.artifact.model_sha256
        subjects = found.get(digest, (judge, []))[1]
        found[digest] = (judge, subjects + [adopt(path, judge, given) for path in foreign])
    return [Group(judge, tuple(sorted(subjects, key=_place))) for judge, subjects in found.values()]


@contextmanager
def reference_folder(given: str | Path | None) -> Iterator[Path | None]:
    """The folder of the reference that was named: an artifact's, or one made now from a model.

    A model (run folder, checkpoint, anything ``deploy export`` takes without further options) is captured
    into a folder that lives as long as the context.
    """
    if given is None or (Path(given) / MANIFEST).is_file():
        yield None if given is None else Path(given)
        return
    from export.build import build
    from export.request import ExportRequest

    with TemporaryDirectory(prefix="pocketproof-reference-") as folder:
        (built,) = build(ExportRequest(str(given), (), (), Path(folder)))
        assert built.folder is not None  # a reference is captured or an error
        yield built.folder


def _subjects(exports: Iterable[Exported]) -> list[Subject]:
    return [
        Subject(each, taints=runner_for(each.artifact.target, each.artifact.deployment)[1])
        for each in exports
    ]


def _place(subject: Subject) -> tuple[str, int, str, str]:
    artifact = subject.exported.artifact
    order = _ORDER.index(artifact.precision) if artifact.precision in _ORDER else len(_ORDER)
    return artifact.target, order, artifact.precision, artifact.name


def _reference_of(export: Exported, given: Path | None) -> Exported:
    reference = find_reference(export, given)
    if reference is None:
        raise DeployError(
            "REFERENCE-MISSING",
            f"The fp32 reference of {export.folder} is not beside it.",
            f"Export it again: deploy export {export.artifact.source.spec}, or name it with --reference.",
        )
    check_bytes(reference)
    return reference


def _named(given: Path | None, foreign: Path) -> Exported:
    """The reference that foreign files are judged by; it has to be named."""
    if given is None:
        raise DeployError(
            "REFERENCE-NEEDED",
            f"{foreign} was not exported here, so nothing says what it should be compared with.",
            "Name its fp32 original: --reference artifacts/NAME-reference, or the checkpoint itself.",
        )
    reference = open_artifact(given)
    if reference.artifact.role != "reference":
        raise DeployError(
            "REFERENCE-NEEDED",
            f"{given} is an export, not an fp32 reference.",
            "Name the folder that ends in -reference, or the checkpoint itself, with --reference.",
        )
    check_bytes(reference)
    return reference

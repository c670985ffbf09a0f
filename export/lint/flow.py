"""``deploy lint`` on one screen: open what was named, run every check, sort what they found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy import console
from deploy.artifacts import Exported, find_reference, open_artifact
from deploy.contracts.artifact import MANIFEST
from deploy.errors import DeployError, ExitCode
from deploy.vision.preprocess import prepare
from export.evaluation.process import Tell, in_process
from export.foreign import FORMATS, format_of
from export.lint import CHECKS
from export.lint.finding import ORDER, Finding
from export.lint.subject import LintSubject
from export.request import ExportRequest
from training.data.folders import open_folder

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Linted:
    """What was looked at, and what was found: errors first, each kind in the order of the graph.

    ``skipped`` are checks that could not be made, with the reason.
    """

    name: str
    findings: tuple[Finding, ...]
    skipped: dict[str, str]

    @property
    def exit_code(self) -> ExitCode:
        """FAIL when there is an error among the findings."""
        return ExitCode.FAIL if any(each.severity == "error" for each in self.findings) else ExitCode.PASS

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "name": self.name,
            "findings": [each.to_dict() for each in self.findings],
            "skipped": self.skipped,
        }


def lint(request: ExportRequest) -> Linted:
    """Lint what ``request.spec`` names: a model, an artifact folder, or a model file.

    Raises:
        DeployError: ``LINT-DIED`` when a converter ended the process, and whatever opening the model raises.
    """
    findings: list[Finding] = []
    skipped: dict[str, str] = {}
    with console.progress(f"linting {request.spec}", len(CHECKS.names()) + 1) as bar:

        def heard(message: Any) -> None:
            bar.advance()
            if message is None:
                return
            name, found, reason = message
            findings.extend(found)
            if reason is not None:
                skipped[name] = reason

        failure = in_process(_lint, (request,), heard)
    if failure is not None:
        raise DeployError(
            "LINT-DIED",
            f"Linting {request.spec} ended early: {failure}.",
            "Lint it for one target at a time with --target, or check the versions with: deploy doctor",
        )
    ordered = sorted(findings, key=lambda each: ORDER.index(each.severity))
    return Linted(request.spec, tuple(ordered), skipped)


def run_checks(subject: LintSubject, tell: Callable[[Any], None]) -> None:
    """Every check on the door plate; one that breaks is told with its reason, and the others go on."""
    for name in CHECKS:
        try:
            tell((name, CHECKS.open(name)(subject), None))
        except DeployError:
            raise
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            tell((name, [], f"{type(error).__name__}: {lines[0][:200]}"))


def _lint(tell: Tell, request: ExportRequest) -> None:
    subject = _open(request)
    tell(None)
    run_checks(subject, tell)


def _open(request: ExportRequest) -> LintSubject:
    path = Path(request.spec)
    if (path / MANIFEST).is_file():
        return _artifact(request, open_artifact(path))
    kind = format_of(path)
    if kind is not None:
        target = FORMATS.open(kind).target
        return LintSubject(None, (), (target,), request.coreml_target, path, target)
    return _model(request)


def _model(request: ExportRequest) -> LintSubject:
    """Load and capture a model as an export would."""
    import torch

    from export.capture import capture
    from export.samples import ParitySamples
    from export.sources import open_source

    torch.set_num_threads(request.threads)
    torch.manual_seed(request.seed)
    source = open_source(request)
    model = source.load()
    pictures = ParitySamples(request, source.training_data).load(model.inputs, model.preprocess)
    program = capture(model, pictures).program
    names = [spec.name for spec in model.inputs]
    samples = [_tensors([picture.inputs[name] for name in names]) for picture in pictures]
    return LintSubject(program, samples, request.targets, request.coreml_target)


def _artifact(request: ExportRequest, exported: Exported) -> LintSubject:
    """An artifact's file, with the program of the reference beside it where there is one."""
    artifact = exported.artifact
    reference = exported if artifact.role == "reference" else find_reference(exported, None)
    subject = LintSubject(None, (), request.targets, request.coreml_target)
    if artifact.role == "export":
        own = (artifact.target,)
        subject = replace(subject, file=exported.model, target=artifact.target, targets=own)
    if reference is None:
        return subject
    from export.capture import load_program

    return replace(
        subject, program=load_program(reference.model), samples=_reference_samples(request, reference)
    )


def _reference_samples(request: ExportRequest, reference: Exported) -> list[tuple[torch.Tensor, ...]]:
    """Pictures of ``--samples``, else the reference's own golden inputs."""
    artifact = reference.artifact
    if request.samples is not None and artifact.preprocess is not None:
        found = open_folder(request.samples, "tensors")
        count = min(request.sample_count, len(found))
        chosen = found.subset([index * len(found) // count for index in range(count)])
        images = [chosen.sample(index).image for index in range(len(chosen))]
        return [_tensors([prepare(image, artifact.preprocess)[0]]) for image in images]
    return [
        _tensors([np.load(reference.folder / each.file, allow_pickle=False) for each in sample.inputs])
        for sample in artifact.golden.samples
    ]


def _tensors(arrays: list[Any]) -> tuple[torch.Tensor, ...]:
    import torch

    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)

"""The evaluation of promptable segmenters: truth, teachers and students on the same pictures and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from deploy.console import progress
from deploy.contracts.accuracy import EvaluationData
from deploy.contracts.promptable import (
    EvalProtocol,
    PromptableReport,
    PromptableRow,
    PromptSampling,
    PromptThresholds,
)
from deploy.errors import DeployError
from deploy.metrics.promptable.answers import Reading
from deploy.metrics.promptable.figures import VERSIONS
from deploy.metrics.promptable.matching import MATCHER
from deploy.metrics.promptable.records import Asked, observe
from deploy.metrics.promptable.separation import difference, separations
from deploy.metrics.promptable.truth import truth_masks
from deploy.prompts.comparison import demand_same_prompts
from deploy.prompts.types import PromptedPicture, World
from deploy.statistics.bootstrap import whole_and_drawn
from deploy.toolchain import versions
from training.evaluation.contestant import Contestant, Interview
from training.evaluation.exhibits import MOST_PROMPTS, Exhibit, Shown, ShownPrompt, chosen
from training.evaluation.oracle import TruthOracle, demand_sound
from training.evaluation.plan import PicturePlan, Plan, make_plan
from training.evaluation.rows import Evidence, Scored, relative_to, score

TASK = "promptable_masks"


@dataclass(frozen=True)
class Settings:
    """How an evaluation is made; all but ``replicates`` and ``seed`` (of the bootstrap) are its protocol."""

    sampling: PromptSampling = field(default_factory=PromptSampling)
    thresholds: PromptThresholds = field(default_factory=PromptThresholds)
    limit: int | None = None
    replicates: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """The report, and what the visual page shows."""

    report: PromptableReport
    exhibits: tuple[Exhibit, ...]


def evaluate(
    world: World, contestants: Sequence[Contestant], settings: Settings | None = None, *, where: str = ""
) -> Evaluation:
    """Ask everybody the same, and score.

    The truth is asked too, as a model: unless it scores 1, nothing is reported.

    Args:
        world: pictures with all their objects.
        contestants: teachers, students and exported chains; students are given as shares of the first
            teacher, exported chains of the first student as well.
        settings: prompts, thresholds and bootstrap.
        where: what the report calls the data.

    Raises:
        DeployError: ``NAMES-REPEAT``, ``NOTHING-TO-ASK``, ``ANSWER-BROKEN``, ``ANSWER-NOT-LOGITS``,
            ``TRUTH-NOT-BOOLEAN``, ``TRUTH-BROKEN``, ``PROMPTS-DIFFER``, ``EVALUATOR-BROKEN``.
    """
    settings = settings or Settings()
    oracle = TruthOracle(world.vocabulary)
    everybody = [Contestant(oracle, "truth"), *sorted(contestants, key=lambda each: each.role != "teacher")]
    _demand_names(everybody)
    plan = make_plan(world, settings.sampling, settings.limit)
    hall = _Hall(world, everybody, settings.thresholds)
    shown = chosen(len(plan.pictures))
    exhibits = []
    with progress("Asking", len(plan.pictures)) as bar:
        for number, part in enumerate(plan.pictures):
            picture = world.picture(part.index)
            oracle.show(picture)
            exhibit = hall.ask(number, picture, part)
            exhibits += [exhibit] if number in shown else []
            bar.advance()
    report = _report(world, plan, hall, settings, where)
    return Evaluation(report, tuple(exhibits))


class _Hall:
    """Everybody who is asked, and what they answered so far."""

    def __init__(self, world: World, everybody: Sequence[Contestant], rules: PromptThresholds) -> None:
        self.interviews = [Interview(each, rules) for each in everybody]
        self.evidence = [Evidence(each) for each in everybody]
        self._labels = {phrase: number for number, phrase in enumerate(sorted(world.vocabulary.meanings))}
        self._teacher = next((n for n, each in enumerate(everybody) if each.role == "teacher"), None)

    def ask(self, number: int, picture: PromptedPicture, part: PicturePlan) -> Exhibit:
        """Put one picture's prompts to everybody."""
        truths = [truth_masks(picture, each.meant) for each in part.prompts]
        prompts = [each.prompt for each in part.prompts]
        answers = [interview.ask(picture.image, prompts) for interview in self.interviews]
        for place, (evidence, readings) in enumerate(zip(self.evidence, answers, strict=True)):
            teacher = None if self._teacher in (None, place) else answers[self._teacher or 0]
            self._observe(evidence, number, part, truths, readings, teacher)
        return self._exhibit(picture, part, truths, answers)

    def _observe(
        self,
        evidence: Evidence,
        number: int,
        part: PicturePlan,
        truths: Sequence[NDArray[np.bool_]],
        readings: Sequence[Reading | None],
        teacher: Sequence[Reading | None] | None,
    ) -> None:
        answered = [place for place, reading in enumerate(readings) if reading is not None]
        for kind, group in groupby(answered, key=lambda place: part.prompts[place].prompt.kind):
            places = list(group)
            mine = [reading for place in places if (reading := readings[place]) is not None]
            meant = [frozenset(part.prompts[place].meant) for place in places]
            apart = separations(mine, [truths[place] for place in places], meant)
            evidence.differences[kind][number] = difference(mine)
            for place, reading, separation in zip(places, mine, apart, strict=True):
                planned = part.prompts[place]
                taught = None if teacher is None else teacher[place]
                evidence.records[kind].append(
                    observe(
                        Asked(number, kind, planned.prompt.text, planned.group),
                        reading,
                        truths[place],
                        teacher=None if taught is None else taught.kept,
                        separation=separation,
                        label=self._labels[planned.prompt.text],
                    )
                )

    def _exhibit(
        self,
        picture: PromptedPicture,
        part: PicturePlan,
        truths: Sequence[NDArray[np.bool_]],
        answers: Sequence[Sequence[Reading | None]],
    ) -> Exhibit:
        prompts = []
        for place, planned in enumerate(part.prompts[:MOST_PROMPTS]):
            cells = {}
            for interview, readings in list(zip(self.interviews, answers, strict=True))[1:]:
                reading = readings[place]
                cells[f"{interview.contestant.role} {interview.name}"] = (
                    Shown(None, False) if reading is None else Shown(reading.union, reading.said)
                )
            whole = np.asarray(truths[place].any(axis=0), np.bool_)
            prompts.append(ShownPrompt(planned.prompt, planned.group, whole, cells))
        return Exhibit(picture.id, picture.image, tuple(prompts))


def _report(world: World, plan: Plan, hall: _Hall, settings: Settings, where: str) -> PromptableReport:
    pictures = len(plan.pictures)
    weights = whole_and_drawn(pictures, settings.replicates, settings.seed)
    kinds = [each.kind for each in plan.ledger.kinds()]
    scored: list[Scored] = []
    for interview, evidence in zip(hall.interviews, hall.evidence, strict=True):
        truth = scored[0] if scored else None
        scored.append(score(evidence, interview.finish(), kinds, weights, truth))
    planned = [each for part in plan.pictures for each in part.prompts]
    expected = {kind: sum(len(each.meant) for each in planned if each.prompt.kind == kind) for kind in kinds}
    demand_sound([each.row for each in scored], expected)
    protocol = EvalProtocol(
        task=TASK,
        data_sha256=world.sha256,
        pictures=pictures,
        prompt_set_sha256=plan.ledger.sha256(),
        prompts=plan.ledger.kinds(),
        sampling=settings.sampling,
        thresholds=settings.thresholds,
        matcher=MATCHER,
        metrics=VERSIONS,
    )
    report = PromptableReport(
        protocol=protocol,
        protocol_sha256=protocol.digest(),
        data=EvaluationData(path=where, layout="world", samples=pictures, labelled=True, sha256=world.sha256),
        rows=tuple(_with_shares(scored)),
        replicates=settings.replicates,
        seed=settings.seed,
        toolchain=versions("numpy", "scipy", "opencv-python-headless", "hotcoco"),
    )
    demand_same_prompts(report)
    return report


def _with_shares(scored: Sequence[Scored]) -> list[PromptableRow]:
    teacher = next((each for each in scored if each.row.role == "teacher"), None)
    student = next((each for each in scored if each.row.role == "student"), None)
    rows = []
    for each in scored:
        judges = []
        if teacher is not None and each.row.role in ("student", "exported"):
            judges.append(teacher)
        if student is not None and each.row.role == "exported":
            judges.append(student)
        shares = tuple(share for judge in judges for share in relative_to(each, judge))
        rows.append(each.row.model_copy(update={"relative": shares}))
    return rows


def _demand_names(everybody: Sequence[Contestant]) -> None:
    names = [f"{each.role} {each.answerer.name}" for each in everybody]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise DeployError(
            "NAMES-REPEAT",
            f"Two models are called {repeated}; their rows could not be told apart.",
            "Rename one of the folders, or name each model once.",
        )

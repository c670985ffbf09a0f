"""What a run must not change on its way: its data, and what its model was promised about prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.contracts.lineage import LineageStep
from deploy.contracts.prompts import PromptContract
from deploy.errors import DeployError
from deploy.store import read_json, write_atomic, write_json
from training.run_files import CONFIG, DATA, PROMPTS
from training.settings import TrainSettings

if TYPE_CHECKING:
    from training.engine.learner import Learner
    from training.tasks.protocol import Task

RESET_FREES: dict[str, tuple[str, ...]] = {"text": ("tokenizer",)}
"""Parts of a model that may start anew, and the options that may then change."""

_FREED = ("student.", "teacher", "phrases", "neutral")
"""Fields of the contract that a new text tower may change."""


def pin(out: Path, settings: TrainSettings, data_sha256: str, prompts: PromptContract | None) -> None:
    """Write down what is trained on and how, once both are known to be usable; refuse other data and another
    contract later.

    Raises:
        DeployError: ``DATA-CHANGED``, ``RESUME-MISMATCH``.
    """
    if not (out / CONFIG).is_file():
        write_atomic(out / DATA, f"{data_sha256}\n")
        if prompts is not None:
            write_json(out / PROMPTS, prompts.to_json())
        settings.save(out / CONFIG)
        return
    if (out / DATA).read_text().strip() != data_sha256:
        raise DeployError(
            "DATA-CHANGED",
            f"The data in {settings.data} is not what {out} was started with.",
            "Put the data back as it was, or train to another --out.",
        )
    if prompts is not None:
        _demand_same(out, settings, prompts, ())


def begin_anew(
    out: Path, settings: TrainSettings, task: Task, trainer: Learner, parts: Sequence[str], leads: bool
) -> TrainSettings:
    """Keep a state whose ``parts`` are new, and write down that they are (the process that ``leads`` does).

    The state is saved before the settings: after a kill between them the same command does it again.

    Returns:
        The settings, with the reset in their lineage.

    Raises:
        DeployError: ``RESUME-MISMATCH`` for a difference that the reset does not excuse.
    """
    kept = None
    if task.prompts is not None:
        kept = _demand_same(out, settings, task.prompts, _FREED)
    was = f" (tokenizer {kept.student.id} before)" if kept else ""
    told = LineageStep(kind="reset", step=trainer.step, detail=f"{', '.join(parts)} began anew{was}")
    settings = settings.model_copy(update={"lineage": (*settings.lineage, told)})
    trainer.save()
    if leads:
        if task.prompts is not None:
            write_json(out / PROMPTS, task.prompts.to_json())
        settings.save(out / CONFIG)
    return settings


def _demand_same(
    out: Path, settings: TrainSettings, prompts: PromptContract, freed: Sequence[str]
) -> PromptContract:
    """The contract that the run began with; refuse another one, naming the first field that differs."""
    from training.distill.contract import differences

    kept = PromptContract(**read_json(out / PROMPTS))
    for field, before, now in differences(kept, prompts):
        if not field.startswith(tuple(freed)):
            raise DeployError(
                "RESUME-MISMATCH",
                f"{out} was started with {field} {before} in its prompt contract, and now it is {now}.",
                f"Put it back as it was, or let the text tower start anew: deploy train {settings.task} "
                f"--out {out} --resume --selective-reset text",
            )
    return kept

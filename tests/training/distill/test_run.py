"""Promptable runs: resumption to the bit, contracts that refuse, resets, extensions and settings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from deploy.cli import run as deploy
from deploy.errors import DeployError
from deploy.prompts.types import Prompt
from tests.training.distill.tiny import TINY, tiny
from training.checkpoints import load_checkpoint, read_checkpoint
from training.data.prompted_shapes import PromptedShapes
from training.engine.resume import load_resume
from training.models.promptable.answerer import open_student
from training.run import train

TASK = "promptable_masks"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of eight steps."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(TASK, out, TINY)
    return out


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns(".lock")))


def _stopped(out: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], step: int) -> Path:
    """A run that was saved after ``step`` and then stopped."""
    import training.engine.loop as loop

    real = loop.Trainer._learn

    def die(self: loop.Trainer) -> None:
        if self.step == step:
            self.save()
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(loop.Trainer, "_learn", die)
    with pytest.raises(KeyboardInterrupt):
        train(TASK, out, asked)
    monkeypatch.undo()
    return out


def test_the_checkpoint_carries_the_contract(run: Path) -> None:
    checkpoint = read_checkpoint(run)
    contract = checkpoint.prompts
    assert contract is not None
    assert (contract.student.id, contract.student.length, contract.teacher) == ("words_reversed", 10, None)
    assert (contract.width, contract.kinds, contract.neutral) == (32, ("box", "point", "text"), "shape")
    assert all(len(ids) == 10 for ids in contract.student.samples.values())
    assert checkpoint.lineage == ()
    assert {"miou", "presence_f1", "presence_mcc", "quality", "share_hard", "truth_mask_loss"} <= set(
        checkpoint.metrics
    )


@pytest.mark.parametrize("step", [3, 4, 6])
def test_a_stopped_run_ends_in_the_same_bytes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    out = _stopped(tmp_path / "stopped", monkeypatch, TINY, step)
    train(TASK, out, resume=True)
    names = sorted(path.name for path in run.iterdir())
    assert names == sorted(path.name for path in out.iterdir())
    for name in names:
        assert (out / name).read_bytes() == (run / name).read_bytes(), name


def test_resume_refuses_another_contract_and_names_the_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = _stopped(tmp_path / "stopped", monkeypatch, TINY, 4)
    with pytest.raises(DeployError, match=r"RESUME-MISMATCH.*tokenizer"):
        train(TASK, out, {"options": {"tokenizer": "words"}}, resume=True)
    kept = json.loads((out / "prompts.json").read_text())
    for field, change in {
        "student.pad_id": {"student": kept["student"] | {"pad_id": 0}},
        "student.vocabulary_sha256": {"student": kept["student"] | {"vocabulary_sha256": "0" * 64}},
        "mean": {"mean": [0.1, 0.1, 0.1]},
    }.items():
        (out / "prompts.json").write_text(json.dumps(kept | change))
        with pytest.raises(DeployError, match=f"RESUME-MISMATCH.*{field}"):
            train(TASK, out, resume=True)


def test_a_selective_reset_is_the_way_to_another_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = _stopped(tmp_path / "stopped", monkeypatch, TINY, 6)
    before = load_resume(out)
    assert before is not None
    import training.engine.loop as loop

    seen: dict[str, torch.Tensor] = {}
    real = loop.Trainer.run

    def look(self: loop.Trainer) -> None:
        seen.update({name: value.clone() for name, value in self.module.state_dict().items()})
        real(self)

    monkeypatch.setattr(loop.Trainer, "run", look)
    asked = {"options": {"tokenizer": "words"}}
    done = train(TASK, out, asked, resume=True, reset=("text",))
    old = before.part("model")
    assert all(torch.equal(value, old[name]) for name, value in seen.items() if not name.startswith("text."))
    assert not torch.equal(seen["text.projection.weight"], old["text.projection.weight"])
    assert seen["text.place"].shape == (1, 6, 16)
    step = done.checkpoint.lineage[0]
    assert (step.kind, step.step) == ("reset", 6)
    assert "text" in step.detail
    assert "words_reversed" in step.detail
    assert done.checkpoint.prompts is not None
    assert done.checkpoint.prompts.student.id == "words"
    assert open_student(out).tokenizer_facts == done.checkpoint.prompts.student


def test_a_reset_of_nothing_to_come_is_refused(copy: Path) -> None:
    with pytest.raises(DeployError, match="RESET-IMPOSSIBLE"):
        train(TASK, copy, resume=True, reset=("text",))


def test_an_extension_goes_on_and_says_so(copy: Path, run: Path) -> None:
    old = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    done = train(TASK, copy, more_epochs=1)
    lines = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    assert lines[:2] == old
    assert [line["step"] for line in lines] == [4, 8, 12]
    told = done.checkpoint.lineage[0]
    assert (told.kind, told.step) == ("extended", 8)
    again = train(TASK, copy, more_epochs=2)
    assert [each.step for each in again.checkpoint.lineage] == [8, 12]
    assert load_checkpoint(copy)[0].metrics


def test_an_extension_can_be_stopped_and_resumed(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    train(TASK, copy, more_epochs=2)
    import training.engine.loop as loop

    real = loop.Trainer._learn

    def die(self: loop.Trainer) -> None:
        if self.step == 10:
            self.save()
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(loop.Trainer, "_learn", die)
    with pytest.raises(KeyboardInterrupt):
        train(TASK, other, more_epochs=2)
    monkeypatch.undo()
    train(TASK, other, resume=True)
    for name in ("checkpoint.json", "metrics.jsonl", "weights.safetensors"):
        assert (copy / name).read_bytes() == (other / name).read_bytes(), name


def test_only_a_finished_run_that_kept_its_state_can_be_extended(copy: Path, tmp_path: Path) -> None:
    (copy / "resume.safetensors").unlink()
    with pytest.raises(DeployError, match="EXTENSION-IMPOSSIBLE"):
        train(TASK, copy, more_epochs=1)
    with pytest.raises(DeployError, match="CHECKPOINT-MISSING"):
        train(TASK, tmp_path / "none", more_epochs=1)


def test_a_student_answers_and_refuses_another_vocabulary(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = open_student(copy)
    picture = PromptedShapes(1, 5).picture(0)
    first, second = student.answer(picture.image, [Prompt("red disc"), Prompt("blue ring")])
    assert first.masks.shape == (5, 16, 16)
    assert first.scores.shape == (5,)
    assert 0 <= first.presence <= 1
    assert first.masks.min() < 0
    assert abs(first.masks - second.masks).max() > 0
    import training.text.words

    real = training.text.words._words
    monkeypatch.setattr(training.text.words, "_words", lambda phrases: list(reversed(real(phrases))))
    with pytest.raises(DeployError, match="TOKENIZER-MISMATCH"):
        open_student(copy)


def test_a_student_learns_from_a_run_with_tokens_of_its_own(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "student"
    done = train(TASK, out, tiny(teacher=f"run:{run}", tokenizer="words", align_epochs=1))
    contract = done.checkpoint.prompts
    assert contract is not None
    assert contract.teacher is not None
    assert (contract.student.id, contract.teacher.id) == ("words", "words_reversed")
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert "teacher_mask_loss" not in lines[0]  # the first epoch only aligned features
    assert lines[0]["train_loss"] < 1
    assert lines[1]["teacher_mask_loss"] > 0
    assert lines[1]["truth_mask_loss"] > 0


@pytest.mark.parametrize(
    ("options", "error_id"),
    [
        ({"tokeniser": "words"}, "UNKNOWN-SETTING.*Did you mean tokenizer.*truth_share"),
        ({"hard": "0.9"}, "SETTING-INVALID.*must be 1"),
        ({"queries": "none"}, "SETTING-INVALID.*queries"),
        ({"teacher": "sam"}, "UNKNOWN-TEACHER"),
        ({"teacher": "truth:x"}, "TEACHER-SPEC"),
        ({"align_epochs": 1}, "TEACHER-NO-FEATURES"),
        ({"teacher": "cached:none"}, "CACHE-MISSING"),
        ({"tokenizer": "sentencepiece"}, "UNKNOWN-TOKENIZER"),
        ({"names": "names.txt"}, "WORLD-SETTINGS"),
    ],
)
def test_refusals(tmp_path: Path, options: dict[str, Any], error_id: str) -> None:
    with pytest.raises(DeployError, match=error_id):
        train(TASK, tmp_path / "run", {**TINY, "options": {**TINY["options"], **options}})
    assert not (tmp_path / "run").exists()


def test_a_task_without_settings_takes_none(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="UNKNOWN-SETTING"):
        train("binary_masks", tmp_path / "run", {"options": {"hard": 1}})


def test_truth_beyond_the_queries_is_counted(tmp_path: Path) -> None:
    train(TASK, tmp_path / "run", tiny(queries=1))
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert line["truth_over_queries"] > 0


def test_an_extended_run_can_be_given_another_tokenizer(copy: Path) -> None:
    asked = {"options": {"tokenizer": "words"}}
    done = train(TASK, copy, asked, more_epochs=1, reset=("text",))
    assert [each.kind for each in done.checkpoint.lineage] == ["extended", "reset"]
    assert done.checkpoint.epoch == 2  # what was best with the old tower does not count
    assert done.checkpoint.prompts is not None
    assert done.checkpoint.prompts.student.id == "words"
    assert open_student(copy).tokenizer_facts == done.checkpoint.prompts.student


def test_the_command_line_extends_and_says_what_it_cannot_read(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", TASK, "--out", str(copy), "--json"]
    assert deploy([*command, "--epochs", "+1"]) == 0
    assert json.loads(capsys.readouterr().out)["checkpoint"]["lineage"][0]["kind"] == "extended"
    for more, error_id in {
        ("--epochs", "+0"): "USAGE",
        ("--epochs", "five"): "USAGE",
        ("--set", "hard"): "SETTING-INVALID",
        ("--resume", "--set", "hard=0.2", "--set", "category=0.5"): "RESUME-MISMATCH",
        ("--resume", "--teacher", "run:elsewhere"): "RESUME-MISMATCH",
        ("--resume", "--selective-reset", "image"): "USAGE",
    }.items():
        assert deploy([*command, *more]) in (1, 2)
        assert json.loads(capsys.readouterr().out)["error"] == error_id, more

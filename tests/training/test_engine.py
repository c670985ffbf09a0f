"""The loop's parts as pure functions, and the run folder's rules on a small real run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from training.checkpoints import load_checkpoint
from training.data.davis_writer import write_clips
from training.engine.early_stopping import EarlyStopping
from training.engine.sampling import batch_indices, step_generator, steps_per_epoch
from training.engine.schedule import learning_rate
from training.run import train
from training.tasks.mask_loss import mask_loss

SMALL: dict[str, Any] = {"size": 32, "batch": 4, "epochs": 2}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tiny clips in DAVIS layout."""
    out = tmp_path_factory.mktemp("data") / "clips"
    write_clips(out, 3, 4, seed=1, size=40, part="training")
    return out


@given(st.integers(1, 400), st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 3))
def test_an_epoch_shows_no_sample_twice(count: int, batch: int, seed: int, epoch: int) -> None:
    steps = steps_per_epoch(count, batch)
    seen = np.concatenate([batch_indices(seed, epoch * steps + step, count, batch) for step in range(steps)])
    assert len(seen) == steps * batch
    assert seen.min() >= 0
    assert seen.max() < count
    if batch <= count:
        assert len(set(seen.tolist())) == len(seen)


@given(st.integers(1, 99), st.integers(1, 9), st.integers(0, 99), st.integers(0, 300))
def test_a_step_depends_on_seed_and_number_alone(count: int, batch: int, seed: int, step: int) -> None:
    assert np.array_equal(batch_indices(seed, step, count, batch), batch_indices(seed, step, count, batch))
    assert step_generator(seed, step).random() == step_generator(seed, step).random()
    assert step_generator(seed, step).random() != step_generator(seed + 1, step).random()


@given(st.integers(1, 5000), st.floats(1e-6, 1))
def test_learning_rate_rises_once_then_falls(total: int, peak: float) -> None:
    rates = [learning_rate(step, total, peak) for step in range(total)]
    assert all(0 < rate <= peak * 1.0000001 for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    with pytest.raises(ValueError, match="outside"):
        learning_rate(total, total, peak)


def test_early_stopping_keeps_the_best_and_counts_progress() -> None:
    watch = EarlyStopping(patience=2, min_delta=0.1)
    assert [watch.observe(value, epoch) for epoch, value in enumerate((0.5, 0.55, 0.65, 0.7, 0.6))] == [
        True,
        True,
        True,
        True,
        False,
    ]
    assert (watch.best, watch.best_epoch) == (0.7, 3)
    assert watch.should_stop
    copy = EarlyStopping(**json.loads(json.dumps(watch.to_json())))
    assert copy == watch
    never = EarlyStopping(patience=0, min_delta=0)
    assert not any(never.observe(0.0, epoch) and never.should_stop for epoch in range(9))


def test_mask_loss() -> None:
    truth = (torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    assert float(mask_loss((truth * 2 - 1) * 50, truth)) < 1e-4
    assert float(mask_loss((1 - truth * 2) * 5, truth)) > 3
    assert math.isfinite(float(mask_loss(torch.full((1, 1, 4, 4), -9.0), torch.zeros(1, 1, 8, 8))))
    for logits, other in (
        ((2, 1, 8, 8), (2, 8, 8)),
        ((2, 2, 8, 8), (2, 2, 8, 8)),
        ((2, 1, 8, 4), (2, 1, 8, 8)),
    ):
        with pytest.raises(ValueError, match="truth"):
            mask_loss(torch.zeros(logits), torch.zeros(other))


def test_a_run_and_its_rules(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "a"
    done = train("binary_masks", out, {**SMALL, "data": str(clips)})
    assert done.epochs == 2
    checkpoint, model = load_checkpoint(out)
    assert set(checkpoint.metrics) == {"miou", "train_loss"}
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 1, 16, 16)
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    with pytest.raises(DeployError, match="OUTPUT-EXISTS"):
        train("binary_masks", out, {**SMALL, "data": str(clips)})
    again = train("binary_masks", out, resume=True)
    assert (again.epochs, again.checkpoint) == (0, checkpoint)
    with pytest.raises(DeployError, match="RESUME-MISMATCH"):
        train("binary_masks", out, {"lr": 0.5}, resume=True)
    with pytest.raises(DeployError, match="UNKNOWN-TASK"):
        train("binary_mask", tmp_path / "b")


def test_same_seed_same_bits_other_seed_other_bits(clips: Path, tmp_path: Path) -> None:
    asked = {**SMALL, "epochs": 1, "data": str(clips)}
    hashes = [
        train("binary_masks", tmp_path / name, {**asked, "seed": seed}).checkpoint.weights_sha256
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_resume_drops_lines_beyond_the_saved_step(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {**SMALL, "data": str(clips)}
    train("binary_masks", tmp_path / "whole", asked)
    stopped = tmp_path / "stopped"

    import training.engine.loop as loop

    real = loop.Trainer._close_epoch

    def die_later(self: loop.Trainer) -> dict[str, Any]:
        if len(self.history) == 1:
            raise KeyboardInterrupt
        return real(self)

    monkeypatch.setattr(loop.Trainer, "_close_epoch", die_later)
    with pytest.raises(KeyboardInterrupt):
        train("binary_masks", stopped, asked)
    monkeypatch.undo()
    with (stopped / "metrics.jsonl").open("a") as stream:
        stream.write('{"epoch": 1, "miou": 0.0}\n{"epo')
    (stopped / ".weights.safetensors.abc.tmp").write_bytes(b"torn")
    with pytest.raises(DeployError, match="RUN-UNFINISHED"):
        load_checkpoint(stopped)
    with pytest.raises(DeployError, match="RUN-UNFINISHED"):
        train("binary_masks", stopped, asked)
    train("binary_masks", stopped, resume=True)
    names = sorted(path.name for path in stopped.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "whole").iterdir())
    for name in names:
        assert (stopped / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_resume_refuses_changed_data_and_broken_state(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train("binary_masks", out, {**SMALL, "data": str(clips)})
    (out / "checkpoint.json").unlink()
    (out / "resume.safetensors").write_bytes(b"torn")
    with pytest.raises(DeployError, match="RESUME-BROKEN"):
        train("binary_masks", out, resume=True)
    (out / "data.sha256").write_text("0" * 64)
    with pytest.raises(DeployError, match="DATA-CHANGED"):
        train("binary_masks", out, resume=True)


def test_two_trainers_in_one_folder_are_refused(tmp_path: Path) -> None:
    from training.engine.lock import only_trainer

    with only_trainer(tmp_path), pytest.raises(DeployError, match="RUN-BUSY"), only_trainer(tmp_path):
        pass
    with only_trainer(tmp_path):
        pass


def test_a_run_that_diverges_says_so(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="TRAINING-DIVERGED"):
        train("binary_masks", tmp_path / "run", {**SMALL, "lr": 1e30, "data": str(clips), "epochs": 6})


@pytest.mark.parametrize("size", [40, 100])
def test_a_size_that_does_not_fit_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(DeployError, match="SIZE-INVALID"):
        train("binary_masks", tmp_path / "run", {"size": size})
    assert not (tmp_path / "run").exists()

"""Two processes train the model that one does: losses, batch norm, gradients and the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import DeployError
from deploy.threads import worker_environment
from training.engine.parallel import Group

ROOT = Path(__file__).parents[3]
SMALL = ["pictures=16", "checked=4", "width=16", "widths=8,8,16,16", "prompts=4"]


def _train(out: Path, processes: int, *more: str) -> list[dict[str, Any]]:
    """The lines of ``metrics.jsonl``; a global batch of 16 of 16 pictures makes every epoch one step."""
    start = [sys.executable]
    if processes > 1:
        start += ["-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--master_port", _port()]
    asked = [
        "train",
        "promptable_masks",
        "--out",
        str(out),
        "--batch",
        "16",
        "--epochs",
        "8",
        "--json",
        *more,
    ]
    for pair in SMALL:
        asked += ["--set", pair]
    done = subprocess.run(
        [*start, "-m", "deploy", *asked],
        cwd=ROOT,
        env=worker_environment(1),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def _port() -> str:
    return str(20_000 + os.getpid() % 20_000)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_give_the_loss_curve_of_one(tmp_path: Path) -> None:
    """The same global batch: the loss of every step, what was counted, and the figures at the end."""
    one, two = _train(tmp_path / "one", 1), _train(tmp_path / "two", 2)
    assert len(one) == len(two) == 8
    for number, (alone, shared) in enumerate(zip(one, two, strict=True)):
        near = 1e-5 if number < 3 else 1e-3
        assert shared["train_loss"] == pytest.approx(alone["train_loss"], rel=near), number
        assert shared["truth_pairs"] == alone["truth_pairs"]
        assert shared["share_hard"] == alone["share_hard"]
    assert two[-1]["quality"] == pytest.approx(one[-1]["quality"], abs=1e-3)
    more = _train(tmp_path / "two", 2, "--resume")
    assert more == two


def test_a_batch_that_cannot_be_cut_evenly_is_refused() -> None:
    assert [Group(rank, 4).part(8) for rank in range(4)] == [
        slice(0, 2),
        slice(2, 4),
        slice(4, 6),
        slice(6, 8),
    ]
    with pytest.raises(DeployError, match="BATCH-UNEVEN"):
        Group(0, 3).part(8)


_NORM = """
import sys, torch, torch.distributed as dist
from torch import nn
from training.engine.shared_norm import share_norms
dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
whole = torch.randn(8, 3, 5, 5) * 3 + 2
plain, shared = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
share_norms(shared)
mine = whole[rank * 4 : rank * 4 + 4].clone().requires_grad_()
full = whole.clone().requires_grad_()
shared(mine).pow(3).mean().div(2).backward()
plain(full).pow(3).mean().backward()
torch.testing.assert_close(shared.running_mean, plain.running_mean)
torch.testing.assert_close(shared.running_var, plain.running_var)
torch.testing.assert_close(mine.grad, full.grad[rank * 4 : rank * 4 + 4], rtol=1e-4, atol=1e-6)
assert list(shared.state_dict()) == list(plain.state_dict())
torch.testing.assert_close(shared.eval()(whole), plain.eval()(whole))
"""


def test_a_shared_norm_is_the_norm_of_the_whole_batch(tmp_path: Path) -> None:
    script = tmp_path / "norm.py"
    script.write_text(_NORM)
    environment = {**worker_environment(1), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, "--master_port", _port(), str(script)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]

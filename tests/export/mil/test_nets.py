"""Real architectures, converted at fp32, agree with eager torch to 100 dB, and fp16 shows its limits."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from export.mil.numerics import MODES, Fp16Limits
from export.mil.program import MilProgram
from export.parity import sqnr_db
from tests.export.mil.nets import NETS, TRACED, Case, convert

LEAST_DB = 100.0
SLACK_DB = 6.0
DEEP = "tf_efficientnetv2_s"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETS if name != DEEP])
def test_fp32_programs_agree_with_torch_to_100_decibels(name: str) -> None:
    case = NETS[name]()
    found = _predicted(case, traced=name in TRACED)
    wanted = _answer(*case[:2])
    assert len(found) == len(wanted)
    for reference, value in zip(wanted, found, strict=True):
        assert sqnr_db(reference.numpy(), value) >= LEAST_DB


@pytest.mark.slow
def test_a_net_whose_fp32_torch_is_below_106_decibels_is_as_near_to_fp64_as_torch_is() -> None:
    """tf_efficientnetv2_s with random weights: torch at fp32 is 103 dB from fp64, and none is nearer."""
    case = NETS[DEEP]()
    net, inputs, _ = case
    (found,), (eager,) = _predicted(case), _answer(net, inputs)
    (precise,) = _answer(copy.deepcopy(net).double(), tuple(value.double() for value in inputs))
    torch_db = sqnr_db(precise.numpy(), eager.numpy())
    assert 100 <= torch_db < 106, torch_db
    assert sqnr_db(precise.numpy(), found) >= torch_db - SLACK_DB


def _predicted(case: Case, traced: bool = False) -> list[np.ndarray]:
    """What the fp32 program of a net answers."""
    _, inputs, names = case
    model = convert(case, traced=traced)
    program = MilProgram.from_spec(model.get_spec(), model.weights_dir, mode="exact32")
    return list(
        program.predict({key: value.numpy() for key, value in zip(names, inputs, strict=True)}).values()
    )


def _answer(net: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    with torch.no_grad():
        answer = net(*inputs)
    return list(answer) if isinstance(answer, (tuple, list)) else [answer]


@pytest.mark.slow
def test_a_half_precision_program_is_close_and_says_so() -> None:
    figures, _ = _halves("repvit_m0_9")
    assert figures["exact32"] > figures["storage16"] > 25, figures
    assert figures["fused16"] > 25, figures


@pytest.mark.slow
def test_overflow_shows_as_it_would_on_a_device() -> None:
    """efficientvit's linear attention sums beyond 65504 (timm itself leaves autocast there)."""
    figures, limits = _halves("efficientvit_b0")
    assert figures["exact32"] > 40
    assert figures["storage16"] < 5
    assert any(name.startswith("matmul") and found.overflows for name, found in limits.items())


def _halves(name: str) -> tuple[dict[str, float], dict[str, Fp16Limits]]:
    """SQNR of an fp16 program against eager fp32 by mode, and what fp16 cannot hold of it."""
    case = NETS[name]()
    net, (x,), _ = case
    with torch.no_grad():
        wanted = net(x).numpy()
    model = convert(case, half=True)
    programs = {mode: MilProgram.from_spec(model.get_spec(), model.weights_dir, mode=mode) for mode in MODES}
    feed = {"image": x.numpy()}
    figures = {
        mode: sqnr_db(wanted, next(iter(program.predict(feed).values())))
        for mode, program in programs.items()
    }
    return figures, programs["exact32"].fp16_limits(feed)

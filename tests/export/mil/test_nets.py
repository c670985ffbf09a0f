"""Real architectures, converted at fp32, agree with eager torch to 100 dB, or as well as torch with fp64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache

import pytest
import torch

from export.mil.numerics import MODES, Fp16Limits
from export.mil.program import MilProgram
from export.parity import sqnr_db
from tests.export.mil.nets import NETS, TRACED, convert

LEAST_DB = 100.0
SLACK_DB = 6.0


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_fp32_programs_agree_with_torch(name: str) -> None:
    case = NETS[name]()
    net, inputs, names = case
    with torch.no_grad():
        answer = net(*inputs)
    wanted = answer if isinstance(answer, (tuple, list)) else [answer]
    model = convert(case, traced=name in TRACED)
    program = MilProgram.from_spec(model.get_spec(), model.weights_dir, mode="exact32")
    found = list(
        program.predict({key: value.numpy() for key, value in zip(names, inputs, strict=True)}).values()
    )
    assert len(found) == len(wanted)
    for reference, value, floor in zip(wanted, found, _floors(net, inputs, wanted), strict=True):
        decibels = sqnr_db(reference.numpy(), value)
        assert decibels >= LEAST_DB or decibels >= floor() - SLACK_DB


def _floors(
    net: torch.nn.Module, inputs: tuple[torch.Tensor, ...], wanted: Sequence[torch.Tensor]
) -> list[Callable[[], float]]:
    """How well eager torch at fp32 agrees with itself at fp64, for every output.

    Random weights can make a net so ill-conditioned (tf_efficientnetv2_s: 74 dB) that no fp32 runtime agrees
    with another to 100 dB.
    """

    @cache
    def precise() -> list[torch.Tensor]:
        wide = [value.double() if value.is_floating_point() else value for value in inputs]
        with torch.no_grad():
            answer = copy.deepcopy(net).double()(*wide)
        return list(answer) if isinstance(answer, (tuple, list)) else [answer]

    return [
        lambda i=i, value=value: sqnr_db(precise()[i].numpy(), value.numpy())
        for i, value in enumerate(wanted)
    ]


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

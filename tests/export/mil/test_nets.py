"""Real architectures, converted at fp32, agree with eager torch to 100 dB."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from export.mil.program import MilProgram
from export.parity import sqnr_db
from tests.export.mil.nets import NETS, TRACED, convert

LEAST_DB = 100.0


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
    figures = [sqnr_db(np.asarray(a), b) for a, b in zip(wanted, found, strict=True)]
    assert min(figures) >= LEAST_DB, figures


@pytest.mark.slow
def test_a_half_precision_program_is_close_and_says_so() -> None:
    case = NETS["efficientvit_b0"]()
    net, (x,), _ = case
    with torch.no_grad():
        wanted = net(x).numpy()
    model = convert(case, half=True)
    feed = {"image": x.numpy()}
    figures = {}
    for mode in ("exact32", "fused16", "storage16"):
        program = MilProgram.from_spec(model.get_spec(), model.weights_dir, mode=mode)
        figures[mode] = sqnr_db(wanted, next(iter(program.predict(feed).values())))
    assert figures["exact32"] > figures["storage16"] > 25, figures
    assert figures["fused16"] > 25, figures

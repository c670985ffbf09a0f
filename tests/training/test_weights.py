"""Weights nobody vouches for, and checkpoints that vouch for theirs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from deploy.contracts.decode import BinaryMaskDecode
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from training.checkpoints import load_checkpoint, newest_run, save_checkpoint
from training.models import MODELS
from training.models.weights import fit_state, load_state

FACTS = {
    "task": "binary_masks",
    "model": "segmenter",
    "model_args": {"backbone": "mobilenetv4_conv_small_035", "levels": 3, "width": 8},
    "preprocess": Preprocess(input_name="image", width=32, height=32),
    "decode": BinaryMaskDecode(output="logits"),
    "data": "generated",
    "data_sha256": "0" * 64,
    "seed": 0,
    "step": 1,
    "epoch": 0,
    "metrics": {"miou": 0.5},
    "toolchain": {},
}


class Evil:
    """A pickle that would leave a file behind when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {self.mark}",))


def error_id(path: Path) -> str:
    """The id of the error that loading ends in."""
    with pytest.raises(DeployError) as caught:
        load_state(path)
    assert str(path) in caught.value.summary
    return caught.value.error_id


def test_wrappers_and_prefixes_come_off(tmp_path: Path) -> None:
    state = {"a.weight": torch.ones(2), "b": torch.zeros(3)}
    save_file(state, tmp_path / "plain.safetensors")
    torch.save(state, tmp_path / "plain.pt")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "wrapped.pth")
    torch.save({"model": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "parallel.pt")
    for path in tmp_path.iterdir():
        found = load_state(path)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[key], state[key]) for key in state)


@pytest.mark.parametrize("protocol", [2, 4])
def test_code_is_never_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "mark"
    torch.save({"state_dict": {"a": torch.ones(1), "b": Evil(mark)}}, tmp_path / "zip.pt")
    (tmp_path / "raw.pth").write_bytes(pickle.dumps({"a": Evil(mark)}, protocol))
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    for name in ("zip.pt", "raw.pth", "module.pt"):
        assert error_id(tmp_path / name) == "CHECKPOINT-UNSAFE"
    assert not mark.exists()


def test_missing_and_broken_files(tmp_path: Path) -> None:
    assert error_id(tmp_path / "none.pt") == "CHECKPOINT-MISSING"
    torch.save({"a": torch.ones(5000)}, tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    for number, length in enumerate((0, 1, 10, 100, len(whole) // 2, len(whole) - 3)):
        (tmp_path / f"cut{number}.pt").write_bytes(whole[:length])
        assert error_id(tmp_path / f"cut{number}.pt") == "CHECKPOINT-BROKEN"
    save_file({"a": torch.ones(500)}, tmp_path / "whole.safetensors")
    payload = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(payload[:-7])
    assert error_id(tmp_path / "cut.safetensors") == "CHECKPOINT-BROKEN"
    (tmp_path / "text.pth").write_text("hello")
    assert error_id(tmp_path / "text.pth") == "CHECKPOINT-BROKEN"
    torch.save({"epoch": 1}, tmp_path / "empty.pt")
    assert error_id(tmp_path / "empty.pt") == "CHECKPOINT-BROKEN"


def test_what_does_not_fit_is_named() -> None:
    model = nn.Linear(2, 3)
    good = {"weight": torch.ones(3, 2), "bias": torch.ones(3)}
    fit_state(model, good)
    assert torch.equal(model.weight, good["weight"])
    cases = [
        ({"weight": good["weight"]}, "WEIGHTS-MISMATCH", "missing in the file: bias"),
        ({**good, "extra": torch.ones(1)}, "WEIGHTS-MISMATCH", "unknown to the model: extra"),
        ({**good, "weight": torch.ones(3, 4)}, "WEIGHTS-MISMATCH", "weight is 3x4 in the file and 3x2"),
        ({**good, "bias": torch.tensor([1.0, float("nan"), 0])}, "WEIGHTS-NAN", "bias"),
    ]
    for state, wanted, words in cases:
        with pytest.raises(DeployError) as caught:
            fit_state(model, state)
        assert caught.value.error_id == wanted
        assert words in caught.value.summary


def test_checkpoints_round_trip_and_are_checked(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MODELS.open("segmenter")(**FACTS["model_args"]).eval()
    run = tmp_path / "runs" / "one"
    save_checkpoint(run, model.state_dict(), FACTS)
    checkpoint, loaded = load_checkpoint(run)
    assert checkpoint.metrics == {"miou": 0.5}
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(model(image), loaded(image))
    assert newest_run(tmp_path / "runs") == run
    assert newest_run(tmp_path / "none") is None
    weights = run / checkpoint.weights_file
    payload = bytearray(weights.read_bytes())
    payload[-1] ^= 1
    weights.write_bytes(bytes(payload))
    with pytest.raises(DeployError, match="CHECKPOINT-CHANGED"):
        load_checkpoint(run)
    weights.unlink()
    with pytest.raises(DeployError, match="CHECKPOINT-MISSING"):
        load_checkpoint(run)
    with pytest.raises(DeployError, match="CHECKPOINT-MISSING"):
        load_checkpoint(tmp_path)


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(DeployError, match="UNKNOWN-BACKBONE"):
        MODELS.open("segmenter")(backbone="no_such_net")
    with pytest.raises(DeployError, match="UNKNOWN-MODEL"):
        MODELS.open("segmentor")

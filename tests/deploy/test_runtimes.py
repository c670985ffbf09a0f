"""Runtimes take and give arrays by name, and say why where they cannot run."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from deploy.runtimes import RUNTIMES
from deploy.runtimes.onnx import OnnxRuntime
from deploy.runtimes.torch_program import TorchProgramRuntime
from tests.device_bench.bright import SIZE, save_model

INPUTS = (TensorSpec(name="image", shape=(1, 3, SIZE, SIZE)),)
OUTPUTS = (TensorSpec(name="logits", shape=(1, 1, SIZE, SIZE)),)


def test_onnx_runs_by_name(tmp_path: Path) -> None:
    save_model(tmp_path / "m.onnx")
    runtime = OnnxRuntime(tmp_path / "m.onnx", INPUTS, OUTPUTS, 1)
    image = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    found = runtime.run({"image": image})
    assert list(found) == ["logits"]
    np.testing.assert_allclose(found["logits"], image.mean(1, keepdims=True) * 20 - 10, atol=1e-4)


def test_the_reference_program_runs_and_its_outputs_are_copies(tmp_path: Path) -> None:
    import torch

    class Two(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return image * 2, image.sum(dim=1, keepdim=True)

    image = torch.arange(12.0).reshape(1, 3, 2, 2)
    torch.export.save(torch.export.export(Two(), (image,)), tmp_path / "p.pt2")
    outputs = (TensorSpec(name="twice", shape=(1, 3, 2, 2)), TensorSpec(name="sum", shape=(1, 1, 2, 2)))
    runtime = TorchProgramRuntime(
        tmp_path / "p.pt2", (TensorSpec(name="image", shape=(1, 3, 2, 2)),), outputs, 1
    )
    first = runtime.run({"image": image.numpy()})
    kept = first["twice"].copy()
    runtime.run({"image": np.zeros((1, 3, 2, 2), np.float32)})
    assert np.array_equal(first["twice"], kept)
    assert np.array_equal(kept, image.numpy() * 2)
    assert first["sum"].shape == (1, 1, 2, 2)


@pytest.mark.parametrize(("name", "suffix"), [("onnx", ".onnx"), ("torch", ".pt2"), ("executorch", ".pte")])
@pytest.mark.parametrize("payload", [b"", b"this is no model at all" * 50])
def test_a_file_that_is_no_model_is_a_known_problem(
    tmp_path: Path, name: str, suffix: str, payload: bytes
) -> None:
    runtime = RUNTIMES.open(name)
    if runtime.why_not() is not None:
        pytest.skip(str(runtime.why_not()))
    (tmp_path / f"m{suffix}").write_bytes(payload)
    with pytest.raises(DeployError) as caught:
        runtime(tmp_path / f"m{suffix}", INPUTS, OUTPUTS, 1)
    assert caught.value.error_id == "MODEL-UNLOADABLE"
    assert f"m{suffix}" in caught.value.summary


def test_why_not_is_a_sentence_or_nothing() -> None:
    for name in RUNTIMES:
        reason = RUNTIMES.open(name).why_not()
        assert reason is None or len(reason.split()) > 3


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac can predict")
def test_core_ml_says_that_it_needs_a_mac() -> None:
    assert "Mac" in str(RUNTIMES.open("coreml").why_not())


@pytest.mark.parametrize(
    ("name", "package"),
    [("onnx", "onnxruntime"), ("torch", "torch"), ("executorch", "executorch")],
)
def test_a_missing_package_is_named_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    runtime = RUNTIMES.open(name)
    monkeypatch.setattr(f"{runtime.__module__}.find_spec", lambda _: None)
    reason = str(runtime.why_not())
    assert package in reason
    assert "pip install 'pocketproof[" in reason

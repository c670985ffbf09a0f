"""ExecuTorch files delegated to Core ML: one delegate, several with a torch kernel between, and others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from export.mil.delegate import EmulatedCoreMLDelegate

INPUTS = (TensorSpec(name="x", shape=(1, 3, 16, 16)), TensorSpec(name="y", shape=(1, 8)))
OUTPUTS = (TensorSpec(name="a", shape=(1, 5)), TensorSpec(name="b", shape=(1, 8)))


class _Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.Linear(8, 5)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.relu(self.conv(x)).mean((2, 3))
        return self.head(z), z * y


def _lower(path: Path, *outside: str) -> tuple[tuple[torch.Tensor, ...], list[np.ndarray]]:
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(0)
    net, x = _Net().eval(), (torch.randn(1, 3, 16, 16), torch.randn(1, 8))
    specs = CoreMLBackend.generate_compile_specs(
        compute_precision=ct.precision.FLOAT32, minimum_deployment_target=ct.target.iOS17
    )
    partitioner = CoreMLPartitioner(compile_specs=specs, skip_ops_for_coreml_delegation=list(outside) or None)
    edge = to_edge_transform_and_lower(torch.export.export(net, x), partitioner=[partitioner])
    path.write_bytes(edge.to_executorch().buffer)
    with torch.no_grad():
        return x, [value.numpy() for value in net(*x)]


@pytest.mark.slow
@pytest.mark.parametrize("outside", [(), ("aten.relu.default",)], ids=["whole", "with a kernel between"])
def test_delegates_are_run(outside: tuple[str, ...], tmp_path: Path) -> None:
    assert EmulatedCoreMLDelegate.why_not() is None
    inputs, wanted = _lower(tmp_path / "net.pte", *outside)
    runtime = EmulatedCoreMLDelegate(tmp_path / "net.pte", INPUTS, OUTPUTS, 1)
    found = runtime.run({spec.name: value.numpy() for spec, value in zip(INPUTS, inputs, strict=True)})
    for spec, value in zip(OUTPUTS, wanted, strict=True):
        np.testing.assert_allclose(found[spec.name], value, rtol=1e-5, atol=1e-6)
    with pytest.raises(DeployError, match="MODEL-UNLOADABLE"):
        EmulatedCoreMLDelegate(tmp_path / "net.pte", INPUTS[:1], OUTPUTS, 1)


def test_what_is_no_core_ml_delegate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rubbish.pte").write_bytes(b"nothing")
    with pytest.raises(DeployError, match="DELEGATE-NOT-RUNNABLE"):
        EmulatedCoreMLDelegate(tmp_path / "rubbish.pte", INPUTS, OUTPUTS, 1)

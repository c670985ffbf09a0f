"""Passes that change nothing are not traced again, and the file stays the same to the last byte."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

pytest.importorskip("executorch")

from executorch.exir import pass_base, to_edge, to_edge_transform_and_lower
from executorch.exir.pass_base import ExportPass, _ExportPassBase

from export.formats import executorch_patches
from export.formats.executorch_partition import xnnpack_partitioner
from export.formats.executorch_patches import apply_patches, drawn


class Squeezed(nn.Module):
    """Convolution, norm, SiLU, and a squeeze-excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.down, self.up = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = nn.functional.silu(self.norm(self.conv(image)))
        gate = self.up(nn.functional.silu(self.down(found.mean((2, 3), keepdim=True))))
        return found * torch.sigmoid(gate)


@pytest.fixture
def program() -> torch.export.ExportedProgram:
    torch.manual_seed(0)
    return torch.export.export(Squeezed().eval(), (torch.rand(1, 3, 16, 16),))


@pytest.fixture
def traced(program: torch.export.ExportedProgram) -> Any:
    """A graph that a pass has just given."""
    apply_patches(pass_base)
    return ExportPass()(to_edge(program).exported_program().graph_module).graph_module


def mean_of(module: Any) -> Any:
    """The node of the squeeze."""
    return next(node for node in module.graph.nodes if node.name.startswith("aten_mean"))


@pytest.fixture
def unpatched(monkeypatch: pytest.MonkeyPatch) -> Any:
    """ExecuTorch's own ``call``, put in place until the test ends."""
    found: Any = _ExportPassBase.call
    original = getattr(found, "traces", found)
    monkeypatch.setattr(_ExportPassBase, "call", original)
    return original


def test_only_an_unchanged_graph_is_given_back(traced: Any) -> None:
    class Renaming(ExportPass):  # type: ignore[misc]
        def call_operator(self, op: Any, args: Any, kwargs: Any, meta: Any) -> Any:
            return super().call_operator(op, args, kwargs, meta)

    class Looking(ExportPass):  # type: ignore[misc]
        def call(self, graph_module: Any) -> Any:
            return super().call(graph_module)

    assert Looking()(traced).graph_module is traced
    assert Renaming()(traced).graph_module is not traced, "it may change any op"
    node = mean_of(traced)
    node.args = (node.args[0], [3], True)
    again = ExportPass()(traced).graph_module
    assert again is not traced
    assert tuple(mean_of(again).meta["val"].shape) == (1, 8, 16, 1)


def test_a_new_value_of_a_constant_is_seen(traced: Any) -> None:
    weight = next(node for node in traced.graph.nodes if node.op == "placeholder")
    before = drawn(traced)
    assert before is not None
    assert before == drawn(traced)
    weight.meta["val"] = weight.meta["val"].unsqueeze(-1)
    assert drawn(traced) != before


def test_graphs_with_tensors_of_their_own_are_always_traced(program: torch.export.ExportedProgram) -> None:
    module: Any = program.module()
    assert any(node.op == "get_attr" for node in module.graph.nodes)
    assert drawn(module) is None


def test_files_stay_the_same(program: torch.export.ExportedProgram, unpatched: Any) -> None:
    def lowered(partitioner: Any) -> bytes:
        edge = to_edge_transform_and_lower(program, partitioner=[partitioner])
        return bytes(edge.to_executorch().buffer)

    partitioner = xnnpack_partitioner(quantized=True)
    patched, _ExportPassBase.call = _ExportPassBase.call, unpatched
    plain = lowered(partitioner)
    spared = []

    def counted(self: Any, module: Any) -> Any:
        result = patched(self, module)
        if result.graph_module is module:
            spared.append(type(self).__name__)
        return result

    _ExportPassBase.call = counted
    assert lowered(partitioner) == plain
    assert len(spared) > 5, "XNNPACK's passes are those that are spared"


@pytest.mark.parametrize("version", ["1.6.0", None])
def test_another_version_is_left_alone(
    version: str | None, unpatched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executorch_patches, "installed", lambda name: version)
    apply_patches(pass_base)
    assert _ExportPassBase.call is unpatched


def test_patching_twice_is_patching_once(unpatched: Any) -> None:
    apply_patches(pass_base)
    once = _ExportPassBase.call
    apply_patches(pass_base)
    assert _ExportPassBase.call is once
    assert once.traces is unpatched

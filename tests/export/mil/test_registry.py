"""Every op of coremltools' registry is known, but for two that no program can hold."""

from __future__ import annotations

from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

from export.mil.constexpr import FOLDS
from export.mil.ops import FAMILIES
from export.mil.ops.registry import ops

LEFT_OUT = {
    "_const_symbolic",  # exists only while a model is being converted
    "conv_quantized",  # of neural networks; ML Programs have constexpr ops instead
}


def test_every_op_is_known() -> None:
    known = set(ops()) | set(FOLDS) | {"const"}
    assert set(SSAOpRegistry.core_ops) - known == LEFT_OUT


def test_every_family_has_ops() -> None:
    assert {each.family for each in ops().values()} == set(FAMILIES)

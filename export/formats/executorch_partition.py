"""Which ops go into a delegate: XNNPACK's partitioner with all its 8-bit kernels, or Core ML's."""

from __future__ import annotations

from typing import Any

from export.formats.executorch_patches import apply_patches


def xnnpack_partitioner(quantized: bool) -> Any:
    """XNNPACK's; where the graph is quantized, sigmoids and pads stay in 8 bits too.

    XNNPACK has the kernels, but left to itself ExecuTorch dequantizes in front of every sigmoid and quantizes
    behind it.
    """
    from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
    from executorch.backends.xnnpack.partition.config.generic_node_configs import (
        ConstantPadConfig,
        SigmoidConfig,
    )
    from executorch.backends.xnnpack.partition.config.xnnpack_config import ConfigPrecisionType
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import pass_base

    apply_patches(pass_base)
    if not quantized:
        return XnnpackPartitioner()
    both = [ConfigPrecisionType.FP32, ConfigPrecisionType.STATIC_QUANT]

    class Sigmoid(SigmoidConfig):  # type: ignore[misc]
        def supported_precision_types(self) -> Any:
            return both

    class ConstantPad(ConstantPadConfig):  # type: ignore[misc]
        def supported_precision_types(self) -> Any:
            return both

    changed = {SigmoidConfig: Sigmoid, ConstantPadConfig: ConstantPad}
    return XnnpackPartitioner(configs=[changed.get(each, each) for each in ALL_PARTITIONER_CONFIGS])


def coreml_partitioner(precision: str, system: str) -> Any:
    """Core ML's; coremltools sets the compute precision of what stays float: half, unless all is fp32.

    Raises:
        DeployError: ``UNKNOWN-SYSTEM`` for a mistyped system, ``SYSTEM-TOO-OLD`` for one without the ops.
    """
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    from export.formats.coreml_patches import apply_patches
    from export.formats.coreml_quantized import demand_system
    from export.formats.coreml_systems import deployment_target

    oldest = deployment_target(system)
    demand_system(precision, system)
    apply_patches()
    specs = CoreMLBackend.generate_compile_specs(
        compute_precision=ct.precision.FLOAT32 if precision == "fp32" else ct.precision.FLOAT16,
        minimum_deployment_target=oldest,
    )
    return CoreMLPartitioner(compile_specs=specs)

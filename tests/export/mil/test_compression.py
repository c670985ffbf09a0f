"""Compressed weights: what we fold them to, against coremltools' own decompression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import coremltools as ct
import coremltools.optimize.coreml as cto
import numpy as np
import pytest

from export.mil.program import MilProgram
from tests.export.mil.programs import mb

WEIGHT = np.random.default_rng(0).normal(0, 1, (32, 64)).astype(np.float32)
KERNEL = np.random.default_rng(1).normal(0, 1, (32, 16, 3, 3)).astype(np.float32)
EYE = np.eye(64, dtype=np.float32)


def _linear(mode: str = "linear_symmetric", **options: Any) -> Callable[[Any], Any]:
    config = cto.OpLinearQuantizerConfig(mode=mode, weight_threshold=0, **options)
    return lambda model: cto.linear_quantize_weights(model, cto.OptimizationConfig(global_config=config))


def _palette(**options: Any) -> Callable[[Any], Any]:
    config = cto.OpPalettizerConfig(weight_threshold=0, **options)
    return lambda model: cto.palettize_weights(model, cto.OptimizationConfig(global_config=config))


def _prune() -> Callable[[Any], Any]:
    config = cto.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0)
    return lambda model: cto.prune_weights(model, cto.OptimizationConfig(global_config=config))


def _joint(second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A second compression on top of pruning, which gives the sparse-to-sparse ops."""
    return lambda model: second(_prune()(model))


def _sparse_palette(model: Any) -> Any:
    config = cto.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=0)
    return cto.palettize_weights(model, cto.OptimizationConfig(global_config=config), joint_compression=True)


def _sparse_linear(model: Any) -> Any:
    config = cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0)
    return cto.linear_quantize_weights(
        model, cto.OptimizationConfig(global_config=config), joint_compression=True
    )


RECIPES: dict[str, tuple[int, Callable[[Any], Any], str]] = {
    "int8 per channel": (16, _linear(granularity="per_channel"), "constexpr_affine_dequantize"),
    "uint8 per tensor": (
        16,
        _linear("linear", dtype="uint8", granularity="per_tensor"),
        "constexpr_affine_dequantize",
    ),
    "palette 4 flat": (16, _palette(mode="uniform", nbits=4), "constexpr_lut_to_dense"),
    "palette 6 flat": (16, _palette(mode="uniform", nbits=6), "constexpr_lut_to_dense"),
    "pruned flat": (16, _prune(), "constexpr_sparse_to_dense"),
    "int4 blocks": (
        18,
        _linear(dtype="int4", granularity="per_block", block_size=16),
        "constexpr_blockwise_shift_scale",
    ),
    "uint4 blocks": (
        18,
        _linear("linear", dtype="uint4", granularity="per_block", block_size=8),
        "constexpr_blockwise_shift_scale",
    ),
    "int8 blocks": (18, _linear(dtype="int8", granularity="per_channel"), "constexpr_blockwise_shift_scale"),
    **{
        f"palette {bits}": (18, _palette(mode="uniform", nbits=bits), "constexpr_lut_to_dense")
        for bits in (1, 2, 3, 4, 6, 8)
    },
    "palette of groups": (
        18,
        _palette(mode="uniform", nbits=3, granularity="per_grouped_channel", group_size=8),
        "constexpr_lut_to_dense",
    ),
    "palette of vectors": (18, _palette(mode="kmeans", nbits=4, cluster_dim=2), "constexpr_lut_to_dense"),
    "pruned": (18, _prune(), "constexpr_sparse_to_dense"),
    "pruned palette": (18, _joint(_sparse_palette), "constexpr_lut_to_sparse"),
    "pruned int8": (18, _joint(_sparse_linear), "constexpr_sparse_blockwise_shift_scale"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_folded_weights_are_those_of_coremltools(name: str) -> None:
    ios, compress, kind = RECIPES[name]
    target = ct.target.iOS16 if ios == 16 else ct.target.iOS18

    @mb.program(
        input_specs=[mb.TensorSpec(shape=(64, 64)), mb.TensorSpec(shape=(1, 16, 8, 8))], opset_version=target
    )
    def net(x: Any, picture: Any) -> Any:
        return mb.linear(x=x, weight=WEIGHT, name="y"), mb.conv(x=picture, weight=KERNEL, name="z")

    model = ct.convert(
        net, minimum_deployment_target=target, compute_precision=ct.precision.FLOAT32, skip_model_load=True
    )
    small = compress(model)
    kinds = {
        operation.type
        for block in small.get_spec().mlProgram.functions["main"].block_specializations.values()
        for operation in block.operations
    }
    assert kind in kinds, kinds
    plain = cto.decompress_weights(small)
    feed = {"x": EYE, "picture": np.random.default_rng(2).normal(0, 1, (1, 16, 8, 8)).astype(np.float32)}
    found, wanted = (
        MilProgram.from_spec(each.get_spec(), each.weights_dir, mode="exact32").predict(feed)
        for each in (small, plain)
    )
    for output in ("y", "z"):
        np.testing.assert_allclose(found[output], wanted[output], rtol=1e-6, atol=1e-6)
    assert not np.allclose(found["y"], WEIGHT.T, atol=1e-4), "nothing was compressed"

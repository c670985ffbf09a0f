"""Core ML in 8, 6 and 4 bits by coremltools' optimizers, with activation ranges that were observed here.

coremltools takes the ranges by predicting on a Mac, and keeps those of the last sample only (9.0 overwrites
them before it merges). Its one function that gathers them is replaced while it works; the rest is its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

from deploy.errors import DeployError
from deploy.toolchain import installed
from export.calibration.choose import Ranges
from export.formats.coreml_steps import WEIGHTED, concats
from export.formats.coreml_systems import SYSTEMS

_SINCE = {"w8": "iOS16", "w6": "iOS16", "w4": "iOS16", "w8a8": "iOS17", "auto": "iOS17"}
_BLOCKS_SINCE = "iOS18"
_ALIKE = 0.5
"""Smallest share of a concat's range that a joined value may span and still take it."""

_LEAST_ELEMENTS = 256
"""Weights of fewer elements are no saving: their scales would weigh as much."""


def demand_system(precision: str, system: str) -> None:
    """Raise ``SYSTEM-TOO-OLD`` where the ops of a precision came with a later system."""
    since = _SINCE.get(precision, SYSTEMS[0])
    if SYSTEMS.index(system) < SYSTEMS.index(since):
        raise DeployError(
            "SYSTEM-TOO-OLD",
            f"Core ML has the ops of {precision} since {since}; the package was asked to run on {system}.",
            f"Add --coreml-target {since}, or choose another precision.",
        )


def quantize_weights(model: Any, precision: str, system: str, wide: Collection[str] = ()) -> tuple[Any, str]:
    """Compress the weights; the maths stays as it was.

    ``w8``: symmetric int8 per output channel. ``w6``: a palette of 64 values found by k-means. ``w4``: int4
    in blocks of 32 (iOS 18), before that a palette of 16 values.

    Only ops with learnt weights are touched. By default coremltools compresses every large constant, YOLO's
    anchor grid (0..80 in steps of 0.6) included, which cost 8 points of box mAP.

    Args:
        model: the fp16 ``MLModel``.
        wide: names of ops that keep their weights.

    Returns:
        The compressed model, and how it was done.
    """
    import coremltools.optimize.coreml as cto

    if precision in ("w8", "w8a8", "auto"):
        how = "int8 per channel"
        kind: Any = cto.OpLinearQuantizerConfig(
            mode="linear_symmetric", granularity="per_channel", weight_threshold=_LEAST_ELEMENTS
        )
    elif precision == "w4" and SYSTEMS.index(system) >= SYSTEMS.index(_BLOCKS_SINCE):
        how = "int4 in blocks of 32"
        kind = cto.OpLinearQuantizerConfig(
            mode="linear_symmetric",
            dtype="int4",
            granularity="per_block",
            block_size=32,
            weight_threshold=_LEAST_ELEMENTS,
        )
    else:
        bits = int(precision[1:])
        how = f"palette of {2**bits} values (k-means)"
        kind = cto.OpPalettizerConfig(mode="kmeans", nbits=bits, weight_threshold=_LEAST_ELEMENTS)
    config = cto.OptimizationConfig(
        op_type_configs=dict.fromkeys(WEIGHTED, kind), op_name_configs=dict.fromkeys(sorted(wide))
    )
    with _quiet():
        if isinstance(kind, cto.OpPalettizerConfig):
            return cto.palettize_weights(model, config), how
        return cto.linear_quantize_weights(model, config), how


def quantize_activations(model: Any, ranges: Ranges, wide: Collection[str]) -> Any:
    """Put quantize and dequantize around the ops that Core ML computes in 8 bits.

    With a zero point: SiLU ends at -0.28, so that symmetric steps would waste almost half their values. On
    yolov8n-seg that halves the divergence from fp32 (0.219 to 0.127).

    Args:
        model: the fp16 ``MLModel``, specification 8 (iOS 17) or later.
        ranges: lowest and highest value of every float tensor, by MIL name.
        wide: names of ops that stay float.

    Raises:
        DeployError: ``COREMLTOOLS-VERSION`` for a version whose inside has not been read.
    """
    import coremltools.optimize.coreml as cto

    config = cto.OptimizationConfig(
        global_config=cto.OpLinearQuantizerConfig(mode="linear"),
        op_name_configs=dict.fromkeys(sorted(wide)),
    )
    with _given_ranges(_shared(model.get_spec(), ranges, frozenset(wide))), _quiet():
        return cto.linear_quantize_activations(model, config, [])


def _shared(spec: Any, ranges: Ranges, wide: frozenset[str]) -> Ranges:
    """What a concat joins takes its range where they are alike: 8-bit values are then copied, not scaled.

    Where one of them spans less than half of the whole, it would lose a bit or more, so that each keeps its
    own range and the device scales it again (yolov8n-seg: divergence 0.247 with all shared, 0.206 with none).
    """
    found = dict(ranges)
    for names in reversed(concats(spec, wide)):
        known = [found[name] for name in names if name in found]
        if not known:
            continue
        whole = min(low for low, _ in known), max(high for _, high in known)
        narrowest = min(high - low for low, high in known)
        if narrowest >= _ALIKE * (whole[1] - whole[0]):
            found |= dict.fromkeys((name for name in names if name in found), whole)
    return found


@contextmanager
def _given_ranges(ranges: Ranges) -> Iterator[None]:
    import coremltools.optimize.coreml._post_training_quantization as inside

    found = installed("coremltools") or "none"
    if not found.startswith("9.") or not hasattr(inside, "_get_activation_calibration_stats"):
        raise DeployError(
            "COREMLTOOLS-VERSION",
            f"W8A8 for Core ML is written for coremltools 9; {found} is installed.",
            "Install the pinned version: pip install 'coremltools==9.0'",
        )
    original = inside._get_activation_calibration_stats
    stats = {name: {"rmin": low, "rmax": high} for name, (low, high) in ranges.items()}
    inside._get_activation_calibration_stats = lambda *_: stats
    try:
        yield
    finally:
        inside._get_activation_calibration_stats = original


@contextmanager
def _quiet() -> Iterator[None]:
    """Its passes draw progress bars on the error stream, and numpy warns of rounding."""
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        yield

"""Which torch ops coremltools has a converter for."""

from __future__ import annotations

import logging
from collections.abc import Iterable


def without_converter(targets: Iterable[str]) -> set[str]:
    """Those of ``aten.conv2d.default``-like names that coremltools cannot convert, with our patches."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
    from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind

    from export.formats.coreml_patches import apply_patches

    apply_patches()
    return {name for name in targets if _TORCH_OPS_REGISTRY.get_func(sanitize_op_kind(_plain(name))) is None}


def _plain(name: str) -> str:
    """``torchvision.nms.default`` as coremltools spells it: ``torchvision::nms``."""
    library, _, op = name.partition(".")
    return name if library == "aten" else f"{library}::{op.partition('.')[0]}"

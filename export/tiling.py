"""A detector that declares how pictures are cut: ``deploy export --tile``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deploy.commands.tiling_options import given_tiling
from deploy.contracts.decode import YoloDecode
from deploy.contracts.tiling import Tiling
from deploy.errors import DeployError
from deploy.tiled.sight import BoxDecoder
from export.blocks import read_block
from export.sources.protocol import LoadedModel


def declare_tiling(model: LoadedModel, tiling: Tiling | None) -> LoadedModel:
    """The model with its tiling in the preprocess block; tiles give boxes, so masks are no longer decoded.

    Raises:
        DeployError: ``NOT-A-DETECTOR`` for a model that takes no picture or finds no boxes.
    """
    if tiling is None:
        return model
    if model.preprocess is None:
        raise DeployError(
            "NOT-A-DETECTOR",
            "This model does not say how a picture becomes its input, so a picture cannot be cut for it.",
            "Add --preprocess FILE and --decode FILE, or leave --tile out.",
        )
    BoxDecoder(model.decode, model.preprocess)
    decode = model.decode
    if isinstance(decode, YoloDecode):
        decode = decode.model_copy(update={"protos": None})
    preprocess = model.preprocess.model_copy(update={"tiling": tiling})
    return replace(model, preprocess=preprocess, decode=decode)


def typed_tiling(options: Mapping[str, Any]) -> Tiling | None:
    """The block in the file that ``--tiling`` names, changed by the options that were typed beside it."""
    block = options["tiling"]
    return given_tiling(options, read_block(block, "tiling", Tiling) if block else None)

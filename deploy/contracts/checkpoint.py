"""What training hands to export: weights in safetensors and everything needed to use them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from deploy.contracts.base import Document
from deploy.contracts.decode import Decode
from deploy.contracts.lineage import LineageStep
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.prompts import PromptContract


class Checkpoint(Document):
    """``checkpoint.json`` in a run folder, beside its safetensors file.

    ``model`` is a name on the door plate of ``training.models``; ``model_args`` are the keyword arguments
    that rebuild it. ``metrics`` are on held-out data, higher is better unless the name says loss.
    ``prompts`` is there for promptable models; ``lineage`` for a run that was extended or partly reset.
    """

    KIND: ClassVar[str] = "checkpoint"

    document: Literal["checkpoint"] = "checkpoint"
    task: str
    model: str
    model_args: dict[str, Any]
    preprocess: Preprocess
    decode: Decode
    weights_file: str
    weights_sha256: str
    data: str
    data_sha256: str
    seed: int
    step: int
    epoch: int
    metrics: dict[str, float]
    toolchain: dict[str, str]
    prompts: PromptContract | None = None
    lineage: tuple[LineageStep, ...] = ()

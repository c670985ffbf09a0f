"""Suppression inside the file, by choice: ``deploy export --nms graph`` for runtimes that have such an op."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.contracts.decode import YoloDecode
from deploy.errors import DeployError
from export.sources.protocol import LoadedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from export.job import Job

CANDIDATES = 1024
"""Boxes that suppression looks at, best first; an app looks at all above its confidence."""


def put_nms(model: LoadedModel) -> LoadedModel:
    """The model with suppression behind its head; its output is then that of ``YoloDecode.nms = "graph"``.

    Raises:
        DeployError: ``NMS-NEEDS-BOXES`` for anything but a box detector with a YOLO head.
    """
    decode = model.decode
    if not isinstance(decode, YoloDecode) or decode.protos is not None or decode.multi_label:
        raise DeployError(
            "NMS-NEEDS-BOXES",
            "Only box detectors with a YOLO head can suppress inside their file.",
            "Leave --nms out: apps suppress after the model, as the decode block says.",
        )
    place = 0 if model.output_names is None else model.output_names.index(decode.output)
    module = _wrapped(model.module, decode, place)
    changed = decode.model_copy(update={"output": "detections", "nms": "graph"})
    return replace(model, module=module, output_names=("detections",), decode=changed)


def demand_no_nms(job: Job, target: str) -> None:
    """Raise ``NMS-NOT-IN-TARGET`` for a target that has no such op, or none that is proven here."""
    if isinstance(job.decode, YoloDecode) and job.decode.nms == "graph":
        raise DeployError(
            "NMS-NOT-IN-TARGET",
            f"{target} files cannot suppress boxes inside their graph.",
            "Export this target without --nms graph; apps then suppress after the model.",
        )


def _wrapped(module: nn.Module, decode: YoloDecode, place: int) -> nn.Module:
    """The detector and torchvision's suppression as one module."""
    import torch
    from torch import nn
    from torchvision.ops import nms

    classes, most = len(decode.class_names), decode.max_detections

    class WithNms(nn.Module):
        """Pictures to (1, most, 6): x1 y1 x2 y2 in input pixels, score, class; zeros below the confidence."""

        def __init__(self) -> None:
            super().__init__()
            self.detector = module

        def forward(self, image: Tensor) -> Tensor:
            head = _head(self.detector(image), decode.output, place)[0]
            scores, labels = head[4 : 4 + classes].max(0)
            scores, anchors = scores.topk(min(CANDIDATES, scores.shape[0]))
            labels = labels[anchors].to(scores.dtype)
            middle, half = head[:2, anchors].T, head[2:4, anchors].T / 2
            boxes = torch.cat([middle - half, middle + half], 1)
            # Far enough that classes never meet, and no farther: float32 has few digits for a place.
            apart = boxes.amax((0, 1)) - boxes.amin((0, 1)) + 1
            kept = nms(boxes + labels[:, None] * apart, scores, decode.iou)
            stays = torch.zeros_like(scores).index_fill(0, kept, 1.0)
            stays = stays * (scores > decode.confidence).to(scores.dtype)
            rows = torch.cat([boxes, scores[:, None], labels[:, None]], 1) * stays[:, None]
            order = rows[:, 4].topk(min(most, rows.shape[0])).indices
            return rows[order][None]

    return WithNms().eval()


def _head(value: Tensor | dict[str, Tensor] | Sequence[Tensor], name: str, place: int) -> Tensor:
    """The head among whatever the detector returns."""
    if isinstance(value, dict):
        return value[name]
    return value[place] if isinstance(value, (tuple, list)) else value  # type: ignore[return-value]

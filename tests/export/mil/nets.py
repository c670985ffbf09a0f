"""Real architectures with random weights and sensible norm statistics, and how they are converted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from export.formats.coreml_patches import apply_patches

Case = tuple[nn.Module, tuple[torch.Tensor, ...], list[str]]


def settle(net: nn.Module, sample: torch.Tensor, pictures: int = 2) -> nn.Module:
    """Give batch norms the statistics of random pictures: with those of initialisation signals die out.

    Few pictures leave the last norms of a deep net with so few values that it amplifies every error.
    """
    net.train()
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
            module.reset_running_stats()
    with torch.no_grad():
        for _ in range(2):
            net(torch.randn(pictures, *sample.shape[1:]))
    return net.eval()


def timm_net(name: str, size: int, pictures: int = 2) -> Case:
    """A timm classifier without its pretrained weights."""
    import timm

    torch.manual_seed(0)
    x = torch.randn(1, 3, size, size)
    return settle(timm.create_model(name, pretrained=False), x, pictures), (x,), ["image"]


class Flat(nn.Module):
    """All tensors of a nested output, in order."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Outputs of ``net``."""
        found: list[torch.Tensor] = []

        def collect(value: Any) -> None:
            if isinstance(value, torch.Tensor):
                found.append(value)
            elif isinstance(value, dict):
                collect(list(value.values()))
            else:
                for each in value:
                    collect(each)

        collect(self.net(*inputs))
        return tuple(found)


def yolo(config: str, size: int) -> Case:
    """A YOLO from its architecture file, with decoding, as it is exported."""
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    torch.manual_seed(0)
    kind = SegmentationModel if "seg" in config else DetectionModel
    net = settle(kind(config, nc=80, verbose=False), torch.zeros(1, 3, 128, 128))
    net.model[-1].export, net.model[-1].format = True, "onnx"
    net = net.fuse(verbose=False).requires_grad_(False)
    x = torch.rand(1, 3, size, size)
    flat = Flat(net).eval()
    with torch.no_grad():
        flat(x)  # makes the anchors, which tracing would otherwise record
    return flat, (x,), ["image"]


class _Clip(nn.Module):
    def __init__(self, model: nn.Module, image: bool) -> None:
        super().__init__()
        self.model, self.image = model, image

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised features of a picture or of tokens."""
        model: Any = self.model
        return model.encode_image(x, normalize=True) if self.image else model.encode_text(x, normalize=True)


def clip(image: bool) -> Case:
    """MobileCLIP-S1's picture or text encoder."""
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model("MobileCLIP-S1", pretrained=None).eval()
    if image:
        x = torch.rand(1, 3, 256, 256)
        settle(model.visual, x)
        return _Clip(model, True).eval(), (x,), ["image"]
    tokens = torch.zeros(1, 77, dtype=torch.int64)
    tokens[0, :6] = torch.tensor([49406, 320, 1125, 539, 320, 49407])
    return _Clip(model, False).eval(), (tokens,), ["text"]


class MaskDecoder(nn.Module):
    """A promptable mask decoder: attention both ways, transposed convolutions, einsum, upsampling."""

    def __init__(self, width: int = 64, heads: int = 4, masks: int = 3) -> None:
        super().__init__()
        self.masks = masks
        self.tokens = nn.Parameter(torch.randn(1, masks + 1, width) * 0.2)
        self.waves = nn.Parameter(torch.randn(2, width // 2))
        self.labels = nn.Embedding(3, width)
        self.attend = nn.ModuleList(nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, 2, 2),
            nn.GroupNorm(1, width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, 2, 2),
        )
        self.hyper, self.score = nn.Linear(width, width // 8), nn.Linear(width, masks)

    def forward(
        self, features: torch.Tensor, points: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Masks and their scores."""
        batch, width, height, length = features.shape
        angle = 2 * math.pi * ((2 * points - 1) @ self.waves)
        prompt = torch.cat([angle.sin(), angle.cos()], -1) + self.labels(labels)
        query = torch.cat([self.tokens.expand(batch, -1, -1), prompt], 1)
        keys = features.flatten(2).transpose(1, 2)
        query = self.norms[0](query + self.attend[0](query, query, query, need_weights=False)[0])
        query = self.norms[1](query + self.attend[1](query, keys, keys, need_weights=False)[0])
        query = query + self.mlp(query)
        keys = self.norms[2](keys + self.attend[2](keys, query, query, need_weights=False)[0])
        up = self.up(keys.transpose(1, 2).reshape(batch, width, height, length))
        masks = torch.einsum("bqc,bchw->bqhw", self.hyper(query[:, 1 : 1 + self.masks]), up)
        return F.interpolate(masks, scale_factor=2, mode="bilinear", align_corners=False), self.score(
            query[:, 0]
        )


def mask_decoder() -> Case:
    """``MaskDecoder`` with three prompts."""
    torch.manual_seed(0)
    inputs = (torch.randn(1, 64, 16, 16), torch.rand(1, 3, 2), torch.tensor([[0, 1, 2]]))
    return MaskDecoder().eval(), inputs, ["features", "points", "labels"]


class _Sequence(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.layers = (nn.GRU if kind == "gru" else nn.LSTM)(32, 24, 2, batch_first=True)
        self.head = nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class probabilities after the last step."""
        return self.head(self.layers(x)[0][:, -1]).softmax(-1)


def sequence(kind: str) -> Case:
    """A two-layer GRU (a loop, in a traced program) or LSTM (an op of its own)."""
    torch.manual_seed(0)
    return _Sequence(kind).eval(), (torch.randn(1, 7, 32),), ["frames"]


NETS: dict[str, Callable[[], Case]] = {
    "mobilenetv4_conv_small": lambda: timm_net("mobilenetv4_conv_small.e2400_r224_in1k", 128),
    "fastvit_t8": lambda: timm_net("fastvit_t8", 128),
    "repvit_m0_9": lambda: timm_net("repvit_m0_9", 128),
    "efficientvit_b0": lambda: timm_net("efficientvit_b0", 128),
    "tf_efficientnetv2_s": lambda: timm_net("tf_efficientnetv2_s", 128, pictures=12),
    "yolov8n": lambda: yolo("yolov8n.yaml", 128),
    "yolo11n": lambda: yolo("yolo11n.yaml", 128),
    "yolov8n-seg": lambda: yolo("yolov8n-seg.yaml", 128),
    "yolo11n-seg": lambda: yolo("yolo11n-seg.yaml", 128),
    "mobileclip_s1_image": lambda: clip(image=True),
    "mobileclip_s1_text": lambda: clip(image=False),
    "mask_decoder": mask_decoder,
    "gru": lambda: sequence("gru"),
    "lstm": lambda: sequence("lstm"),
}
TRACED = {"gru", "lstm"}


def convert(case: Case, traced: bool = False, half: bool = False) -> Any:
    """An ML Program of a net, for iOS 17."""
    import coremltools as ct

    apply_patches()
    net, inputs, names = case
    program: Any
    if traced:
        with torch.no_grad():
            program = torch.jit.trace(net, inputs, check_trace=False)
    else:
        program = torch.export.export(net, inputs).run_decompositions({})
    doors = [
        ct.TensorType(
            name=name, shape=tuple(value.shape), dtype=np.float32 if value.is_floating_point() else np.int32
        )
        for name, value in zip(names, inputs, strict=True)
    ]
    return ct.convert(
        program,
        inputs=doors,
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
        skip_model_load=True,
    )

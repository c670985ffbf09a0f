"""The version rules that are known to matter: which tools break which, and the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """``package`` must satisfy ``versions`` where ``beside`` is installed (always when it is ``None``)."""

    package: str
    versions: str
    beside: str | None
    because: str


PYTHON = ">=3.11,<3.14"

PINS = (
    Pin(
        "numpy",
        "<2.4",
        "coremltools",
        "coremltools 9.0 turns 1-element arrays into ints, which numpy 2.4 refuses",
    ),
    Pin("torch", "==2.15.*", "executorch", "executorch 1.5 is built against torch 2.15"),
    Pin("torchao", ">=0.18,<0.19", "executorch", "executorch 1.5 quantizes with torchao 0.18"),
    Pin(
        "coremltools", "==9.0", "executorch", "executorch 1.5's Core ML delegate is built for coremltools 9.0"
    ),
    Pin("coremltools", "==9.0", None, "the Core ML target's patches are written for coremltools 9.0"),
    Pin("executorch", "==1.5.*", None, "true fp16 for XNNPACK hooks into executorch 1.5's serialiser"),
    Pin("torchvision", "==0.29.*", "torch", "torchvision 0.29 is built against torch 2.15"),
    Pin("hotcoco", ">=1.3,<2", None, "mAP is taken from hotcoco 1.x"),
)


@dataclass(frozen=True)
class Part:
    """What an extra brings: its packages, and what cannot be done without them."""

    extra: str
    packages: tuple[str, ...]
    without: str


PARTS = (
    Part(
        "train", ("torch", "torchvision", "timm", "safetensors", "hotcoco"), "no training, export or verify"
    ),
    Part("onnx", ("onnx", "onnxruntime", "onnxscript", "onnxconverter-common"), "no ONNX target"),
    Part("coreml", ("coremltools",), "no Core ML target"),
    Part("executorch", ("executorch", "torchao"), "no ExecuTorch target"),
    Part("yolo", ("ultralytics",), "no ultralytics checkpoints"),
    Part("clip", ("open_clip_torch",), "no text encoders"),
    Part("tiles", ("sahi",), "no SAHI adapter"),
    Part("cluster", ("ray",), "folder jobs run on this machine alone"),
    Part("bench", ("onnxruntime", "jinja2", "plotly"), "no desktop bench of ONNX files, no HTML report"),
)


@dataclass(frozen=True)
class Tool:
    """A program outside Python. ``mend`` maps a platform (``linux``, ``darwin``) to what installs it."""

    names: tuple[str, ...]
    purpose: str
    mend: dict[str, str]


TOOLS = (
    Tool(
        ("chromium", "chromium-browser", "google-chrome", "Google Chrome"),
        "render the HTML report in tests",
        {"linux": "sudo apt-get install chromium", "darwin": "brew install --cask chromium"},
    ),
    Tool(
        ("adb",),
        "reach Android phones",
        {"linux": "sudo apt-get install adb", "darwin": "brew install android-platform-tools"},
    ),
)

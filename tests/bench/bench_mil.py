"""The emulated Core ML runner against torch eager: CPU time of the same net, in alternating pairs."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch

from export.mil.program import MilProgram
from tests.bench.row import BenchRow, cpu_ratios, row_of
from tests.export.mil.nets import Case, convert, timm_net, yolo

PAIRS = 7
NETS: dict[str, Callable[[], Case]] = {
    "mobilenetv4_conv_small@224": lambda: timm_net("mobilenetv4_conv_small.e2400_r224_in1k", 224),
    "yolov8n@640": lambda: yolo("yolov8n.yaml", 640),
    "repvit_m0_9@224": lambda: timm_net("repvit_m0_9", 224),
}
BARS = {False: 1.4, True: 1.6}


def run() -> list[BenchRow]:
    """fp32 programs under ``exact32`` and fp16 programs under ``storage16``, one thread."""
    torch.set_num_threads(1)
    rows = []
    for name, make in NETS.items():
        case = make()
        for half, bar in BARS.items():
            rows.append(_row(name, case, half, bar))
    return rows


def _row(name: str, case: Case, half: bool, bar: float) -> BenchRow:
    net, inputs, names = case
    model = convert(case, half=half)
    mode = "storage16" if half else "exact32"
    program = MilProgram.from_spec(model.get_spec(), model.weights_dir, mode=mode)
    feed = {key: value.numpy() for key, value in zip(names, inputs, strict=True)}

    def eager() -> None:
        with torch.inference_mode():
            net(*inputs)

    ratios = cpu_ratios(lambda: program.predict(feed), eager, PAIRS)
    return row_of(f"emulated {name} {mode} / torch", ratios, bar, direction="at most")


if __name__ == "__main__":
    found = run()
    sys.stdout.write("".join(f"{row}\n" for row in found))
    sys.exit(0 if all(row.passed for row in found) else 1)

"""Door plate of the lint checks: each looks at one risk, in the captured program or in the written file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from deploy.registry import DoorPlate

if TYPE_CHECKING:
    from export.lint.finding import Finding
    from export.lint.subject import LintSubject

CHECKS: DoorPlate[Callable[[LintSubject], list[Finding]]] = DoorPlate(
    "check",
    {
        "mixed ranges": "export.lint.mixed_ranges:check",
        "fp16 range": "export.lint.half_range:check",
        "nms": "export.lint.nms:check",
        "dynamic shapes": "export.lint.dynamic_shapes:check",
        "fp32 program": "export.lint.wide_program:check",
        "system": "export.lint.systems:check",
        "coreml coverage": "export.lint.coreml_coverage:check",
        "onnx coverage": "export.lint.onnx_coverage:check",
        "xnnpack coverage": "export.lint.xnnpack_coverage:check",
    },
)

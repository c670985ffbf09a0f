"""Which of coremltools' test files are run, in suites, and the switches coremltools reads."""

from __future__ import annotations

from dataclasses import dataclass

OPS = "converters/mil/mil/ops/tests"
TORCH = "converters/mil/frontend/torch/test"

SWITCHES = {
    "INCLUDE_MIL_FP32_UNIT_TESTS": "1",  # fp32 programs too, which are held to 1e-4 instead of 0.5
    "RUN_BACKWARD_COMPATIBILITY": "0",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Suite:
    """Test files below coremltools' folder.

    Attributes:
        name: what ``--suite`` takes.
        paths: files and folders.
        most: how many tests ``make conformance`` takes (0: it leaves the suite out).
        later: run the same ops under every later deployment target too.
    """

    name: str
    paths: tuple[str, ...]
    most: int
    later: bool = False

    def switches(self) -> dict[str, str]:
        """Environment of the suite's process."""
        return {**SWITCHES, "RUN_BACKWARD_COMPATIBILITY": "1"} if self.later else dict(SWITCHES)


SUITES = (
    Suite("iOS14", (f"{OPS}/iOS14",), 120, later=True),
    Suite("iOS15", (f"{OPS}/iOS15",), 40),
    Suite("iOS16", (f"{OPS}/iOS16",), 40),
    Suite("iOS17", (f"{OPS}/iOS17",), 120),
    Suite("iOS18", (f"{OPS}/iOS18",), 60),
    Suite("later", (f"{OPS}/iOS15", f"{OPS}/iOS16", f"{OPS}/iOS17"), 0, later=True),
    Suite(
        "compression",
        ("test/optimize/coreml", "test/ml_program/test_compression.py", "test/optimize/torch/conversion"),
        0,
    ),
    Suite(
        "api",
        (
            "converters/mil/test_inputs_outputs_shape.py",
            "converters/mil/backend/mil",
            "converters/mil/frontend/milproto",
            "converters/mil/mil/passes/tests",
            "converters/mil/mil/ops/tests/coreml_dialect",
            "test/api/test_api_examples.py",
            "test/ml_program/test_utils.py",
        ),
        40,
    ),
    Suite("torch", (f"{TORCH}/test_torch_ops.py",), 100),
    Suite(
        "torch-api",
        (
            f"{TORCH}/test_torch_conversion_api.py",
            f"{TORCH}/test_torch_stateful_model.py",
            f"{TORCH}/test_torch_quantization_ops.py",
            f"{TORCH}/test_torch_export_quantization.py",
            f"{TORCH}/test_torch_export_conversion_api.py",
            f"{TORCH}/test_custom_ops.py",
            f"{TORCH}/test_examples.py",
        ),
        30,
    ),
)
SAMPLE = 0.0001
"""Share of every test function that ``make conformance`` draws from: one of most."""


def named(name: str) -> Suite:
    """The suite of that name; ``KeyError`` when there is none."""
    return {suite.name: suite for suite in SUITES}[name]

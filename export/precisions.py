"""The precisions by their canonical names: what a file of each stores and computes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Precision:
    """One line of the table.

    ``weights`` are the dtypes that count as the label in a precision proof. ``activations`` says whether they
    stay float, are quantized with ranges observed beforehand (static), or anew at every call (dynamic).
    """

    summary: str
    weights: tuple[str, ...]
    activations: Literal["float", "static", "dynamic"] = "float"

    @property
    def quantized(self) -> bool:
        """True when weights are stored in 8 bits or fewer."""
        return not self.weights[0].startswith("float")

    @property
    def calibrated(self) -> bool:
        """True when real pictures decide the activations' ranges."""
        return self.activations == "static"


PRECISIONS: dict[str, Precision] = {
    "fp32": Precision("float32 weights and maths", ("float32",)),
    "fp16": Precision("float16 weights and maths", ("float16",)),
    "w8": Precision("8-bit weights, float maths", ("int8", "uint8")),
    "w6": Precision("6-bit weights, float maths", ("uint6",)),
    "w4": Precision("4-bit weights, float maths", ("int4", "uint4")),
    "w8a8": Precision("8-bit weights and activations", ("int8", "uint8"), "static"),
    "w8a8-dynamic": Precision(
        "8-bit weights, activations quantized at every call", ("int8", "uint8"), "dynamic"
    ),
    "auto": Precision("w8a8 with the layers that need it kept wide", ("int8", "uint8"), "static"),
}

ALIASES = ("int8",)
"""Names that mean another precision on each target; the one meant is printed."""

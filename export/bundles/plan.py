"""Which precision each part of a bundle is exported at, and which precisions a bundle has."""

from __future__ import annotations

from deploy.contracts.bundle import PartRole
from deploy.errors import DeployError

SUPPORTED = ("fp32", "fp16", "w8", "w8a8")
NO_PICTURES = "8-bit activations take their ranges from pictures, and this part takes none"


def demand_supported(precisions: tuple[str, ...]) -> None:
    """Raise ``BUNDLE-PRECISION`` for a canonical precision that no bundle is exported at."""
    for precision in precisions:
        if precision not in SUPPORTED:
            raise DeployError(
                "BUNDLE-PRECISION",
                f"A promptable run cannot be exported as a bundle at {precision}.",
                f"Choose one of: {', '.join(SUPPORTED)}.",
            )


def part_precision(role: PartRole, precision: str) -> tuple[str, str | None]:
    """The precision of a part of a bundle at ``precision``, and why it is another one."""
    if precision == "w8a8" and role != "image_encoder":
        return "fp16", NO_PICTURES
    return precision, None


def part_precisions(role: PartRole, precisions: tuple[str, ...]) -> tuple[str, ...]:
    """What one part is exported at for all of these bundles, each once."""
    return tuple(dict.fromkeys(part_precision(role, each)[0] for each in precisions))

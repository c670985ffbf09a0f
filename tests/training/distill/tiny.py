"""A tiny promptable run that takes seconds."""

from __future__ import annotations

from typing import Any

TINY: dict[str, Any] = {
    "batch": 4,
    "epochs": 2,
    "options": {"pictures": 16, "checked": 4, "width": 16, "widths": (8, 8, 16, 16), "prompts": 8},
}
"""Settings of a run of eight steps."""


def tiny(**options: Any) -> dict[str, Any]:
    """``TINY`` with other options."""
    return {**TINY, "options": {**TINY["options"], **options}}

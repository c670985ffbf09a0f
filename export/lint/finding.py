"""What a lint check says: where, why, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One risk. ``where`` is a node, op or door of the model, ``module`` the place in its source if known.

    error: the export will be wrong or refused; warning: it will be slow or may be wrong; note: good to know.
    """

    id: str
    severity: Severity
    where: str
    why: str
    fix: str
    module: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Plain JSON."""
        return asdict(self)

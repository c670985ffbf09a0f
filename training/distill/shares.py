"""Were the stated shares of prompts delivered? Counted on the batches, judged against sampling noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from deploy.errors import DeployError
from training.distill.asked import Asked
from training.distill.prompts import KINDS, SOURCES, PromptShares

_SIGMAS = 5.0
"""A share this many standard deviations off is no accident: once in 1.7 million honest checks."""


def count_asked(asked: Sequence[Asked]) -> dict[str, float]:
    """How often each source and kind stands in one picture's prompts, by ``asked_NAME``."""
    counts: dict[str, float] = {}
    for each in asked:
        names = ["asked_all"]
        if each.source != "blank":
            names.append(f"asked_{each.prompt.kind}")
        if each.source != "click":
            names.append(f"asked_{each.source}")
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return counts


def delivered(counts: Mapping[str, float], shares: PromptShares) -> dict[str, float]:
    """Realised shares by ``share_NAME``, checked against the stated ones.

    Args:
        counts: sums of ``count_asked`` and of ``pictures_all``, ``pictures_empty``, ``pictures_noise``.
        shares: what was stated.

    Raises:
        DeployError: ``SHARES-NOT-DELIVERED`` when one is off by more than sampling noise.
    """
    found: dict[str, float] = {}
    for names, prefix, total in (
        (SOURCES, "asked", sum(counts.get(f"asked_{name}", 0) for name in SOURCES)),
        (KINDS, "asked", sum(counts.get(f"asked_{name}", 0) for name in KINDS)),
        (("empty", "noise"), "pictures", counts.get("pictures_all", 0)),
    ):
        for name in names:
            if not total:
                continue
            share = counts.get(f"{prefix}_{name}", 0) / total
            found[f"share_{name}"] = share
            _judge(name, share, getattr(shares, name), total)
    return found


def _judge(name: str, found: float, stated: float, total: float) -> None:
    """Raise when ``found`` of ``total`` draws cannot come from ``stated``."""
    noise = _SIGMAS * math.sqrt(stated * (1 - stated) / total) + 1 / total
    if abs(found - stated) > noise:
        raise DeployError(
            "SHARES-NOT-DELIVERED",
            f"{stated:.1%} of the prompts should be {name}, and {found:.1%} of {total:.0f} were; sampling "
            f"explains {noise:.1%}. The data cannot deliver what was stated.",
            f"State shares that the pictures allow, e.g. --set {name}={found:.2f} (and change another one as "
            "much), or add pictures.",
        )

"""``ladder.toml``: what every rung shares, and what each adds."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from deploy.contracts.base import Contract
from deploy.errors import DeployError

_BUDGET = ("epochs", "batch", "size", "data", "seed", "threads")
_BUDGET_OPTIONS = ("pictures", "prompts", "names", "checked")
"""What a rung may not change: with another budget or other data its figures would say nothing of its fix."""


class Rung(Contract):
    """One fix: the settings that it changes. ``options`` are those of the task alone."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
    settings: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)


class LadderPlan(Contract):
    """The whole file. ``seeds``: of every rung, at least two; ``primary``: the figure that has to rise;
    ``guards``: figures that must not fall; ``settings`` and ``options``: of all rungs; ``pictures``: held-out
    pictures that judge. The first rung is the baseline."""

    seeds: tuple[int, ...] = (0, 1, 2)
    primary: str = "cgF1"
    guards: tuple[str, ...] = ("mIoU", "IL_MCC", "selectivity")
    pictures: int = Field(default=200, gt=0)
    settings: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    rung: tuple[Rung, ...] = Field(min_length=2)

    @field_validator("seeds")
    @classmethod
    def _several(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or len(seeds) < 2:
            raise ValueError("give at least two different seeds; one run says nothing of chance")
        return seeds


def read_plan(path: Path) -> LadderPlan:
    """Read a ladder.

    Raises:
        DeployError: ``LADDER-BROKEN``, and ``LADDER-UNEQUAL`` for a rung with a budget of its own.
    """
    from deploy.metrics.promptable.figures import VERSIONS

    try:
        plan = LadderPlan(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _broken(path, str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise _broken(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    names = [rung.name for rung in plan.rung]
    if len(set(names)) != len(names):
        raise _broken(path, "two rungs have one name")
    for figure in (plan.primary, *plan.guards):
        if figure not in VERSIONS:
            raise _broken(path, f"there is no figure {figure}; there are {', '.join(VERSIONS)}")
    for rung in plan.rung:
        _demand_equal(rung)
    return plan


def _demand_equal(rung: Rung) -> None:
    own = [name for name in _BUDGET if name in rung.settings]
    own += [name for name in _BUDGET_OPTIONS if name in rung.options]
    if own:
        raise DeployError(
            "LADDER-UNEQUAL",
            f"The rung {rung.name} sets {', '.join(own)}, which is part of every rung's budget or data.",
            "Set it once for all rungs, under [settings] or [options].",
        )


def merged(base: Mapping[str, Any], *more: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings one over the other, the last on top."""
    whole = dict(base)
    for each in more:
        whole |= each
    return whole


def _broken(path: Path, what: str) -> DeployError:
    return DeployError(
        "LADDER-BROKEN",
        f"{path} is no ladder: {what}.",
        "Write seeds, [settings], [options] and named [[rung]] tables; see docs/promptable-training.md.",
    )

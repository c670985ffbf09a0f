"""What happened to a training run beyond plain training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deploy.contracts.base import Contract


class LineageStep(Contract):
    """One thing, in the order it happened.

    ``kind``: ``extended`` by more epochs, or ``reset``, a part that began anew; ``step``: the step at which;
    ``detail``: for people.
    """

    kind: Literal["extended", "reset"]
    step: int = Field(ge=0)
    detail: str

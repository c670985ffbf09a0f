"""What a run works on: the values in their slots, and who watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Watch = Callable[[str, str, Any, Any], None]
"""Called with an output's name, its declared dtype, the op's raw value, and the finished (rounded) value."""


class Frame(list[Any]):
    """Values by slot index. ``watch`` sees every output; ``seconds`` collects time by op type."""

    def __init__(self, size: int) -> None:
        super().__init__([None] * size)
        self.watch: Watch | None = None
        self.seconds: dict[str, float] | None = None

    @property
    def plain(self) -> bool:
        """True when nobody watches, so that the fast loop may run."""
        return self.watch is None and self.seconds is None

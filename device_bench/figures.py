"""Measured figures: a value with its interval, or the reason there is none; never 0 for "not measured"."""

from __future__ import annotations

from dataclasses import dataclass


def digits_for(value: float) -> int:
    """Decimals that keep about four significant digits of a time or a rate."""
    return 3 if abs(value) < 1 else 2 if abs(value) < 100 else 1


def fixed(value: float, digits: int) -> str:
    """The number with so many decimals; never ``-0.00``."""
    return f"{round(value, digits) + 0:.{digits}f}"


@dataclass(frozen=True)
class Figure:
    """``value`` with a 95 % interval where one was computed; ``None`` carries its ``reason``."""

    value: float | None
    reason: str | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def unknown(cls, reason: str) -> Figure:
        """Not measured, and why."""
        return cls(None, reason)

    def scaled(self, factor: float) -> Figure:
        """The same figure in another unit."""
        if self.value is None:
            return self
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return Figure(self.value * factor, self.reason, low, high)

    def text(self, digits: int | None = None, unit: str = "") -> str:
        """``4.12 ms``, ``4.12 [4.01, 4.30] ms`` or ``UNKNOWN (reason)``; ``None`` chooses the digits."""
        if self.value is None:
            return f"UNKNOWN ({self.reason})"
        digits = digits_for(self.value) if digits is None else digits
        interval = ""
        if self.low is not None and self.high is not None:
            interval = f" [{fixed(self.low, digits)}, {fixed(self.high, digits)}]"
        return f"{fixed(self.value, digits)}{interval}{' ' + unit if unit else ''}"

    def to_json(self) -> dict[str, float | str | None]:
        """Plain JSON types."""
        return {"value": self.value, "low": self.low, "high": self.high, "reason": self.reason}

"""How values are rounded: the modes, the noise of a sloppy accelerator, and counts of fp16's limits.

Ops compute in fp32. ``exact32`` never rounds; ``storage16`` rounds whatever the program declares fp16 after
its op; ``fused16`` does the same but leaves out the rounding between ops that a fusing runtime would merge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from deploy.errors import DeployError

MODES = ("exact32", "storage16", "fused16")
FP16_MOST = 65504.0
FP16_LEAST = 2.0**-14
"""Smallest normal fp16 number; smaller ones are denormals, which lose digits."""

_TOP = 0x7BFF  # bit pattern of the largest finite fp16
_WRAPS = {"int8": torch.int8, "int16": torch.int16, "int32": torch.int32, "uint8": torch.uint8}

Finish = Callable[[Any], Any]


@dataclass(frozen=True)
class Fp16Limits:
    """Elements of one fp16 tensor that fp16 cannot hold well, before rounding.

    ``overflows`` would become infinite, ``denormals`` lose digits, ``vanished`` would become zero.
    """

    elements: int
    overflows: int
    denormals: int
    vanished: int


def count_limits(value: torch.Tensor) -> Fp16Limits:
    """Count what fp16 would do to an fp32 tensor."""
    size = value.abs()
    small = (size > 0) & (size < FP16_LEAST)
    vanished = small & (size <= 2.0**-25)
    # 65520 is halfway to the next step, which fp16 does not have: from there on rounding gives infinity.
    return Fp16Limits(
        value.numel(), int((size >= 65520.0).sum()), int((small & ~vanished).sum()), int(vanished.sum())
    )


class Numerics:
    """The rounding rules of one loaded program. Not shared between threads: it keeps a scratch buffer.

    Args:
        mode: one of ``MODES``.
        noise_ulp: every rounded fp16 value moves by up to this many fp16 steps, at random (0: none).
        seed: seed of the noise and of random ops without a seed of their own.

    Raises:
        DeployError: ``UNKNOWN-MODE`` or ``NOISE-NOT-POSSIBLE``.
    """

    def __init__(self, mode: str, noise_ulp: float = 0.0, seed: int = 0) -> None:
        if mode not in MODES:
            raise DeployError(
                "UNKNOWN-MODE",
                f"There is no numerics mode called {mode!r}.",
                f"Choose one of: {', '.join(MODES)}.",
            )
        if not 0 <= noise_ulp <= 1024 or (noise_ulp and mode == "exact32"):
            raise DeployError(
                "NOISE-NOT-POSSIBLE",
                f"Noise of {noise_ulp} ulp makes no sense in the mode {mode}.",
                "Give 0 to 1024 fp16 steps, with --mode storage16 or --mode fused16.",
            )
        self.mode = mode
        self.noise_ulp = noise_ulp
        self.seed = seed
        self.rounds = mode != "exact32"
        self._scratch = torch.empty(0, dtype=torch.float16)
        self._random = torch.Generator().manual_seed(seed)

    def finish(self, dtype: str, *, exact: bool, fresh: bool) -> Finish | None:
        """What to do to a value of a declared dtype when its op has made it; ``None``: nothing.

        Args:
            dtype: MIL dtype the spec declares.
            exact: the op only moves or selects values that were rounded before.
            fresh: the op's result shares memory with nothing, so it may be rounded in place.
        """
        if dtype in ("fp16", "fp32", "fp64"):
            rounds = self.rounds and dtype == "fp16" and not exact
            if not rounds:
                return _to_float
            if self.noise_ulp:
                return lambda value: self.disturb(_to_float(value))
            return self._round_fresh if fresh else lambda value: round16(_to_float(value))
        if dtype == "bool":
            return lambda value: value if value.dtype == torch.bool else value.bool()
        if dtype.startswith(("int", "uint")):
            return lambda value: to_integer(value, "int64" if exact else dtype)
        return None

    def arrive(self, dtype: str, value: torch.Tensor) -> torch.Tensor:
        """An input as the program stores it: rounded when it is declared fp16, never disturbed."""
        return round16(value) if self.rounds and dtype == "fp16" else value

    def disturb(self, value: torch.Tensor) -> torch.Tensor:
        """Round to fp16 and move at most ``noise_ulp`` random steps; zeros and infinities stay.

        Steps are taken along the ordered fp16 numbers, so the bound holds across powers of two as well.
        """
        bits = value.to(torch.float16).view(torch.int16).to(torch.int32)
        order = torch.where(bits < 0, -(bits & 0x7FFF), bits)
        steps = torch.empty(value.shape).uniform_(-self.noise_ulp, self.noise_ulp, generator=self._random)
        whole = steps.trunc()
        # A fraction of a step is taken with that probability, so that 0.5 ulp means something.
        chance = torch.rand(value.shape, generator=self._random) < (steps - whole).abs()
        whole += torch.where(chance, steps.sign(), torch.zeros(()))
        moved = (order + whole.to(torch.int32)).clamp(-_TOP, _TOP)
        still = (order == 0) | (order.abs() > _TOP)
        moved = torch.where(still, order, moved)
        pattern = torch.where(moved < 0, moved.abs() | 0x8000, moved).to(torch.int16)
        return pattern.view(torch.float16).to(torch.float32)

    def _round_fresh(self, value: torch.Tensor) -> torch.Tensor:
        """Round in place through a buffer that is kept, which halves the cost of new memory."""
        if not value.is_floating_point():
            return round16(value.to(torch.float32))
        count = value.numel()
        if not value.is_contiguous():
            return value.copy_(value.to(torch.float16))
        if self._scratch.numel() < count:
            self._scratch = torch.empty(count, dtype=torch.float16)
        half = self._scratch[:count].view(value.shape)
        half.copy_(value)
        return value.copy_(half)


def round16(value: torch.Tensor) -> torch.Tensor:
    """fp32 values rounded to the nearest fp16, still carried as fp32."""
    return value.to(torch.float16).to(torch.float32)


def to_integer(value: torch.Tensor, dtype: str) -> torch.Tensor:
    """An int64 tensor with the values of ``dtype``: fractions cut off, too large numbers wrapped around."""
    if value.dtype != torch.int64:
        value = value.to(torch.int64)  # torch truncates towards zero, as casts in MIL do
    if dtype in _WRAPS:
        return value.to(_WRAPS[dtype]).to(torch.int64)
    if dtype in ("uint16", "uint32"):
        return value & ((1 << int(dtype[4:])) - 1)
    return value


def _to_float(value: torch.Tensor) -> torch.Tensor:
    return value if value.is_floating_point() else value.to(torch.float32)

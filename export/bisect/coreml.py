"""Show every value of a Core ML program through this project's own reading of it, on any machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from export.bisect.protocol import Seen
from export.formats.coreml_package import read_spec
from export.formats.coreml_proof import operations
from export.mil.program import MilProgram
from export.mil.runtime import EmulatedCoreML


class CoreMLObserver:
    """See ``export.bisect.protocol.Observer``."""

    NAMED: ClassVar[bool] = True
    LIMITS: ClassVar[str | None] = (
        "EMULATED-COREML: values are as fp16 storage leaves them; Apple's hardware may round otherwise."
    )

    def __init__(self, model: Path, inputs: tuple[str, ...], threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._program = MilProgram.load(model)
        self._ops = {out.name: op.type for op in operations(read_spec(model)) for out in op.outputs}

    @staticmethod
    def why_not() -> str | None:
        """``None`` when the emulator's packages are installed."""
        return EmulatedCoreML.why_not()

    def observe(self, feed: Mapping[str, NDArray[Any]]) -> list[Seen]:
        """Every op's output as the program stores it."""
        import torch

        seen: list[Seen] = []

        def watch(name: str, value: torch.Tensor) -> None:
            if name in self._ops and value.is_floating_point():
                seen.append(Seen(name, self._ops[name], value.detach().float().numpy().copy()))

        self._program.observe(dict(feed), watch)
        return seen

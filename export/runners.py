"""Which class runs a target's file when it is judged, not timed: its own runtime, or a tainted emulator."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from deploy.registry import load_object
from deploy.runtimes import RUNTIMES

if TYPE_CHECKING:
    from deploy.runtimes.protocol import Runtime

EMULATED_COREML = "EMULATED-COREML"
_PACKAGE = "export.mil.runtime:EmulatedCoreML"
_DELEGATE = "export.mil.delegate:EmulatedCoreMLDelegate"


def runner_for(target: str, deployment: Mapping[str, str]) -> tuple[type[Runtime], tuple[str, ...]]:
    """The class that runs such a file on this machine, and the taints of what it will say.

    Apple's Core ML predicts only on a Mac. Elsewhere its programs are run by this project's own reading of
    them, whose figures carry ``EMULATED-COREML``: they show conversion and precision, not Apple's hardware.

    Args:
        target: an artifact's ``target``.
        deployment: its ``deployment`` block, whose ``delegate`` says what is inside an ExecuTorch file.

    Raises:
        DeployError: ``UNKNOWN-RUNTIME`` for a target that no runtime has a line for.
    """
    emulator = None if sys.platform == "darwin" else _emulator(target, deployment)
    if emulator is not None:
        return emulator, (EMULATED_COREML,)
    return RUNTIMES.open(target), ()


def _emulator(target: str, deployment: Mapping[str, str]) -> type[Runtime] | None:
    """The emulator of a Core ML program, in a package or inside a ``.pte``."""
    if target == "coreml":
        return _open(_PACKAGE)
    if target == "executorch" and deployment.get("delegate") == "CoreML":
        return _open(_DELEGATE)
    return None


def _open(reference: str) -> type[Runtime] | None:
    """The class behind ``module:Class``; ``None`` where this installation lacks the module."""
    try:
        found = find_spec(reference.partition(":")[0])
    except ModuleNotFoundError:
        found = None
    return load_object(reference) if found is not None else None

"""Weights from files nobody vouches for: read without running their code, fitted without silent gaps."""

from __future__ import annotations

import json
import pickle
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deploy.errors import DeployError

_WRAPPERS = ("ema_state_dict", "state_dict", "model_state_dict", "model", "ema", "net", "weights", "params")
_PREFIXES = ("module.", "_orig_mod.")
_CODE_WORDS = ("Unsupported global", "unsupported GLOBAL", "GLOBAL ", "Unsupported class")
_CALLS = {"REDUCE", "GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"}


def load_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from ``.safetensors`` or from a torch file, on the CPU.

    Torch files are read with ``weights_only=True``: nothing in them is executed. A common wrapper
    (``state_dict``, ``model``, ``ema`` ...) and a common prefix (``module.``) are taken off.

    Raises:
        DeployError: ``CHECKPOINT-MISSING``, ``CHECKPOINT-BROKEN`` or ``CHECKPOINT-UNSAFE``.
    """
    if not path.is_file():
        raise DeployError(
            "CHECKPOINT-MISSING", f"There is no weights file at {path}.", "Check the path, or train a model."
        )
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return unwrap(_read_torch(path), path)


def fit_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load ``state`` into ``module``; every tensor must be expected, present, finite and of the right shape.

    Raises:
        DeployError: ``WEIGHTS-MISMATCH`` (the first differences are named) or ``WEIGHTS-NAN``.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state]
    spare = [name for name in state if name not in own]
    shapes = [
        f"{name} is {_shape(state[name])} in the file and {_shape(own[name])} in the model"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if missing or spare or shapes:
        parts = [_first("missing in the file", missing), _first("unknown to the model", spare)]
        parts.append(_first("of another shape", shapes))
        raise DeployError(
            "WEIGHTS-MISMATCH",
            f"The weights do not belong to this {type(module).__name__}: "
            f"{'; '.join(part for part in parts if part)}.",
            "Check the model's name and arguments (widths, number of classes) against the weights file.",
        )
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DeployError(
                "WEIGHTS-NAN",
                f"Tensor {name} holds NaN or infinity.",
                "The training run diverged; use an earlier checkpoint, or train with a lower --lr.",
            )
    module.load_state_dict(dict(state), strict=True)


def unwrap(payload: Any, path: Path) -> dict[str, Tensor]:
    """Find the flat name-to-tensor dictionary inside what a torch file held."""
    while isinstance(payload, Mapping) and not _is_state(payload):
        inner = next((payload[key] for key in _WRAPPERS if isinstance(payload.get(key), Mapping)), None)
        if inner is None:
            break
        payload = inner
    if not isinstance(payload, Mapping) or not _is_state(payload):
        raise DeployError(
            "CHECKPOINT-BROKEN",
            f"{path} holds no state dict (names to tensors).",
            "Save model.state_dict() with torch.save or safetensors, and point at that file.",
        )
    state = {str(name): value for name, value in payload.items() if isinstance(value, Tensor)}
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError, KeyError, struct.error, json.JSONDecodeError) as error:
        raise _broken(path, error) from error


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch advises to file an issue about old pickles
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if wants_code(path, str(error)):
            raise DeployError(
                "CHECKPOINT-UNSAFE",
                f"{path} asks to run code or to build objects while it is read; nothing of it was executed "
                f"({culprit(error)}).",
                "Ask its author for model.state_dict() in a .safetensors file.",
            ) from error
        raise _broken(path, error) from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        AssertionError,
        UnicodeDecodeError,
        struct.error,
        zipfile.BadZipFile,
    ) as error:
        raise _broken(path, error) from error


def wants_code(path: Path, message: str) -> bool:
    """Whether a refused pickle is a whole one that would have called something, not just torn bytes."""
    if any(words in message for words in _CODE_WORDS):
        return True
    try:
        return any(code.name in _CALLS for code, _, _ in list(pickletools.genops(path.read_bytes())))
    except Exception:  # whatever a torn pickle makes pickletools raise, it is torn
        return False


def culprit(error: BaseException) -> str:
    """The line of torch's long message that names the culprit."""
    lines = str(error).splitlines()
    marked = [line for line in lines if "GLOBAL" in line or "global" in line or "Unsupported" in line]
    return " ".join((marked or lines or [type(error).__name__])[0].split())[:200]


def _broken(path: Path, error: Exception) -> DeployError:
    return DeployError(
        "CHECKPOINT-BROKEN",
        f"{path} is cut short or is no weights file ({type(error).__name__}: {culprit(error)}).",
        "Copy or train it again.",
    )


def _is_state(payload: Mapping[Any, Any]) -> bool:
    tensors = sum(isinstance(value, Tensor) for value in payload.values())
    return tensors > 0 and not any(isinstance(value, Mapping) for value in payload.values())


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a single number"


def _first(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what}: {', '.join(names[:3])}{more}"

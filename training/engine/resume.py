"""The state of an unfinished run: one safetensors file, tensors and facts together, replaced atomically.

One file, because two could be torn apart by a kill between them; never pickle, because a run folder may come
from somebody else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deploy.errors import DeployError
from deploy.store import write_atomic
from training.run_files import RESUME


@dataclass
class ResumeState:
    """What a run needs to go on. ``tensors``: everything learned, by ``part.name``; ``facts``: JSON types."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors of one part, without its prefix."""
        prefix = f"{name}."
        return {
            key.removeprefix(prefix): value for key, value in self.tensors.items() if key.startswith(prefix)
        }


def save_resume(folder: Path, parts: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]) -> None:
    """Replace the resume file; a kill leaves the old one or the new one."""
    from safetensors.torch import save

    tensors = {
        f"{part}.{name}": value.detach().contiguous()
        for part, state in parts.items()
        for name, value in state.items()
    }
    write_atomic(folder / RESUME, save(tensors, {"facts": json.dumps(facts, sort_keys=True)}))


def load_resume(folder: Path) -> ResumeState | None:
    """Read the resume file; ``None`` when there is none yet. Raises ``RESUME-BROKEN``."""
    path = folder / RESUME
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as stream:
            facts = json.loads((stream.metadata() or {})["facts"])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DeployError(
            "RESUME-BROKEN",
            f"{path} is damaged ({error}).",
            f"Start again: remove {folder}, or train to another --out.",
        ) from error
    return ResumeState(tensors, facts)


@torch.no_grad()
def copy_into(
    target: Mapping[str, Tensor], source: Mapping[str, Tensor], what: str, fresh: Collection[str] = ()
) -> None:
    """Copy tensors by name, keeping the target's memory layout (which decides the order of sums).

    Args:
        target: what is written to.
        source: what is read.
        what: for the message.
        fresh: parts of the model that keep what they have.
    """
    target = {name: value for name, value in target.items() if not is_of(name, fresh)}
    source = {name: value for name, value in source.items() if not is_of(name, fresh)}
    if target.keys() != source.keys() or any(target[k].shape != source[k].shape for k in target):
        raise DeployError(
            "RESUME-BROKEN",
            f"The saved {what} does not belong to this model.",
            "Start again with another --out.",
        )
    for name, tensor in target.items():
        tensor.copy_(source[name])


def is_of(name: str, parts: Collection[str]) -> bool:
    """Whether a tensor's name lies in one of the parts of a model."""
    return any(name.startswith(f"{part}.") for part in parts)


def flatten_optimizer(
    optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]
) -> dict[str, Tensor]:
    """The optimizer's tensors as ``<parameter number>.<key>``."""
    return {
        f"{number}.{key}": value
        for number, parameter in enumerate(parameters)
        for key, value in optimizer.state.get(parameter, {}).items()
    }


@torch.no_grad()
def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    parameters: Iterable[nn.Parameter],
    flat: Mapping[str, Tensor],
    wanted: Collection[int],
) -> None:
    """Put flattened tensors back, in each parameter's own memory layout; only those of the numbers
    ``wanted``."""
    known = list(parameters)
    for name, value in flat.items():
        number, _, key = name.partition(".")
        if int(number) not in wanted:
            continue
        parameter = known[int(number)]
        kept = torch.empty_like(parameter) if value.shape == parameter.shape else torch.empty_like(value)
        optimizer.state[parameter][key] = kept.copy_(value)

"""Checkpoints on disk: ``checkpoint.json`` and its safetensors, written last and checked when read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.contracts.checkpoint import Checkpoint
from deploy.errors import DeployError
from deploy.store import read_json, sha256_bytes, sha256_file, write_atomic
from training.run_files import CHECKPOINT, CONFIG, WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor, nn


def save_checkpoint(folder: Path, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Checkpoint:
    """Write the weights, then the document that vouches for them.

    Args:
        folder: the run folder; created when absent.
        state: the model's state dict.
        facts: every field of ``Checkpoint`` but ``weights_file`` and ``weights_sha256``.
    """
    from safetensors.torch import save

    payload = save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    checkpoint = Checkpoint(weights_file=WEIGHTS, weights_sha256=sha256_bytes(payload), **facts)
    write_atomic(folder / WEIGHTS, payload)
    checkpoint.save(folder / CHECKPOINT)
    return checkpoint


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read ``checkpoint.json`` and check that its weights are the ones it was written for.

    Raises:
        DeployError: ``CHECKPOINT-MISSING``, ``RUN-UNFINISHED`` or ``CHECKPOINT-CHANGED``, and what
            ``Checkpoint.load`` raises.
    """
    document = folder / CHECKPOINT
    if not document.is_file():
        if (folder / CONFIG).is_file():
            raise DeployError(
                "RUN-UNFINISHED",
                f"{folder} holds a training run that has not finished.",
                f"deploy train {read_json(folder / CONFIG)['task']} --out {folder} --resume",
            )
        raise DeployError(
            "CHECKPOINT-MISSING",
            f"There is no {CHECKPOINT} in {folder}.",
            "Point at a run folder, or train one: deploy train binary_masks --out runs/first",
        )
    checkpoint = Checkpoint.load(document)
    weights = folder / checkpoint.weights_file
    if weights.parent != folder or not weights.is_file():
        raise DeployError(
            "CHECKPOINT-MISSING",
            f"{weights}, which {document} names, is not in the run folder.",
            "Copy the whole run folder again.",
        )
    if sha256_file(weights) != checkpoint.weights_sha256:
        raise DeployError(
            "CHECKPOINT-CHANGED",
            f"{weights} is not the file that {document} was written for (its SHA-256 differs).",
            "Copy the whole run folder again, or train again.",
        )
    return checkpoint


def load_checkpoint(folder: Path) -> tuple[Checkpoint, nn.Module]:
    """The checked document and its model: weights loaded, in evaluation mode, on the CPU."""
    from training.models import MODELS
    from training.models.weights import fit_state, load_state

    checkpoint = read_checkpoint(folder)
    module = MODELS.open(checkpoint.model)(**checkpoint.model_args)
    fit_state(module, load_state(folder / checkpoint.weights_file))
    return checkpoint, module.eval()


def newest_run(root: Path = Path("runs")) -> Path | None:
    """The finished run whose ``checkpoint.json`` was written last, or ``None``."""
    documents = [path for path in root.glob(f"*/{CHECKPOINT}") if path.is_file()]
    if not documents:
        return None
    return max(documents, key=lambda path: (path.stat().st_mtime_ns, path.parent.name)).parent

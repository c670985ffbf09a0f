"""Whether a parameter of ultralytics does anything: batches, losses or optimizers built with and without it.

Some of its parameters are accepted and change nothing: ``copy_paste`` copies polygons and leaves boxes alone,
``lr0`` is ignored while ``optimizer`` is ``auto``. A GPU week is a dear way to find out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from deploy.errors import DeployError

Args = dict[str, Any]
Trainer = Any
"""ultralytics' ``DetectionTrainer``, set up as for training."""

_SAMPLES = 64
"""Samples compared before a parameter is said to change none."""

_OFF: dict[str, Any] = {
    "multi_scale": 0.0,
    "mosaic": 0.0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "copy_paste": 0.0,
    "hsv_h": 0.0,
    "hsv_s": 0.0,
    "hsv_v": 0.0,
    "degrees": 0.0,
    "translate": 0.0,
    "scale": 0.0,
    "shear": 0.0,
    "perspective": 0.0,
    "flipud": 0.0,
    "fliplr": 0.0,
    "bgr": 0.0,
    "erasing": 0.0,
    "auto_augment": None,
    "copy_paste_mode": "flip",
    "single_cls": False,
    "close_mosaic": 0,
}
"""Parameters that change samples, and the value that turns each off."""

_OF_LOADER = ("imgsz", "batch", "seed", "fraction")
_OF_LOSS = ("box", "cls", "dfl")
_OF_OPTIMIZER = ("optimizer", "lr0", "lrf", "momentum", "weight_decay", "cos_lr", "nbs")
PROVABLE = (*_OFF, *_OF_LOSS, *_OF_OPTIMIZER, "fraction")

_WHY = {
    "copy_paste": "it copies polygons, and these labels are boxes",
    "copy_paste_mode": "it copies polygons, and these labels are boxes",
    "erasing": "it belongs to classification",
    "auto_augment": "it belongs to classification",
    "lr0": "while optimizer is auto, ultralytics chooses the rate itself; set optimizer=SGD or AdamW too",
    "momentum": "while optimizer is auto, ultralytics chooses it itself; set optimizer=SGD or AdamW too",
    "close_mosaic": "mosaic is off, or would be closed before the first epoch or after the last",
}


def prove(open_trainer: Callable[[Args], Trainer], args: Args, asked: Mapping[str, Any]) -> dict[str, str]:
    """Show for every parameter what it changes.

    Args:
        open_trainer: sets a trainer up for the given arguments.
        args: all arguments of the run.
        asked: those of them that the user named, and ``imgsz``, ``batch`` and ``seed``.

    Returns:
        What each was seen to change, by name.

    Raises:
        DeployError: ``YOLO-PARAMETER-IDLE`` for one that changes nothing; ``YOLO-UNREPEATABLE``.
    """
    whole = open_trainer(args)
    if not all(_same(a, b) for a, b in zip(_samples(whole), _samples(open_trainer(args)), strict=True)):
        raise DeployError(
            "YOLO-UNREPEATABLE",
            "The installed ultralytics builds other batches from the same arguments and seed: nothing that "
            "a parameter changes could be told from chance.",
            "Install the versions this project is tested with, and check them with: deploy doctor",
        )
    seen: dict[str, str] = {}
    for name, value in asked.items():
        other = _other(name, value, args, whole)
        if other == value:
            seen[name] = "nothing is asked for: it is as installed"
            continue
        # A data set remembers what mosaic saw, so both sides begin with new ones.
        what = _difference(name, open_trainer(args), lambda changed: open_trainer({**args, **changed}), other)
        if what is None:
            why = _WHY.get(name, "batches with and without it are the same under one seed")
            raise DeployError(
                "YOLO-PARAMETER-IDLE",
                f"{name}={value} would change nothing here: {why}.",
                f"Leave {name} out of --set yolo=...",
            )
        seen[name] = what
    return seen


def _other(name: str, value: Any, args: Args, whole: Trainer) -> Any:
    """What the parameter is compared with: its off value, its default, or a neighbouring value."""
    from ultralytics.utils import DEFAULT_CFG_DICT

    if name == "imgsz":
        return whole.args.imgsz + whole.stride
    if name in ("batch", "seed"):
        return value + 1
    off = _OFF.get(name, DEFAULT_CFG_DICT[name])
    return DEFAULT_CFG_DICT[name] if off == value else off


def _difference(name: str, whole: Trainer, without: Callable[[Args], Trainer], other: Any) -> str | None:
    """What changes when the parameter takes its other value; ``None`` for nothing."""
    if name == "close_mosaic":
        return _closing(whole, without({}))
    changed = without({name: other})
    if name in _OF_LOADER:
        pairs = zip(_loaded(whole), _loaded(changed), strict=False)
        differ = any(not _same(a, b) for a, b in pairs) or len(whole.train_loader) != len(
            changed.train_loader
        )
        return "the loader's batches" if differ else None
    if name in _OF_LOSS:
        return "the loss of one batch" if _loss(whole) != _loss(changed) else None
    if name in _OF_OPTIMIZER:
        return "the optimizer's settings" if _steps(whole) != _steps(changed) else None
    for first, second in zip(_samples(whole), _samples(changed), strict=True):
        copies = name.startswith("copy_paste")
        if not _same(first, second) and (not copies or len(first["cls"]) != len(second["cls"])):
            return "the batch"
    return None


def _closing(trainer: Trainer, closed: Trainer) -> str | None:
    """Whether samples after the closing differ from those before, and both kinds of epochs occur."""
    if not 0 < trainer.args.close_mosaic < trainer.epochs:
        return None
    closed._close_dataloader_mosaic()
    differ = any(not _same(a, b) for a, b in zip(_samples(trainer), _samples(closed), strict=True))
    return "the batches of the last epochs" if differ else None


def _samples(trainer: Trainer) -> Iterator[dict[str, Any]]:
    """Batches of one sample as the model would see them, each under a seed of its own.

    A parameter that only draws from the random stream thus cannot pass for one that does something.
    """
    dataset = trainer.train_loader.dataset
    for number in range(_SAMPLES):
        _reseed(number)
        batch = dataset.collate_fn([dataset[number % len(dataset)]])
        _reseed(number)
        yield trainer.preprocess_batch(batch)


def _loaded(trainer: Trainer) -> Iterator[dict[str, Any]]:
    """The first two batches of the real loader, under the run's own seed."""
    from ultralytics.utils.torch_utils import init_seeds

    init_seeds(trainer.args.seed, deterministic=True)  # type: ignore[no-untyped-call]
    for number, batch in enumerate(trainer.train_loader):
        yield trainer.preprocess_batch(batch)
        if number:
            return


def _loss(trainer: Trainer) -> tuple[float, ...]:
    """The parts of the loss of the first sample that shows an object, by a model of fixed weights.

    They are not summed: beside a large part, a change of a small one would be rounded away.
    """
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in trainer.model.parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.05)
        batch = next((each for each in _samples(trainer) if len(each["cls"])), None)
        if batch is None:
            return ()
        parts: Any = trainer.model.train().loss(batch)[0]
    return tuple(parts.ravel().tolist())


def _steps(trainer: Trainer) -> str:
    """Everything that decides a step but the gradient."""
    groups = [
        {key: value for key, value in group.items() if key != "params"} | {"tensors": len(group["params"])}
        for group in trainer.optimizer.param_groups
    ]
    rates = [trainer.lf(epoch) for epoch in range(trainer.epochs)]
    return repr((type(trainer.optimizer).__name__, groups, rates, trainer.accumulate))


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return all(
        first[key].shape == second[key].shape and bool((first[key] == second[key]).all())
        for key in ("img", "cls", "bboxes")
    )


def _reseed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)

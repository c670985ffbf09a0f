"""Train to the end, or on from where a killed run was saved, with the same result to the bit."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from deploy.console import progress
from deploy.errors import DeployError
from deploy.store import write_atomic
from training.engine.averaging import Average
from training.engine.early_stopping import EarlyStopping
from training.engine.parallel import Group
from training.engine.resume import (
    copy_into,
    flatten_optimizer,
    is_of,
    load_resume,
    restore_optimizer,
    save_resume,
)
from training.engine.sampling import batch_indices, step_generator, steps_per_epoch
from training.engine.schedule import rate_in_legs
from training.engine.shared_norm import share_norms
from training.models import MODELS
from training.run_files import METRICS
from training.settings import TrainSettings
from training.tasks.protocol import Task

_SAVE_EVERY_S = 30.0
"""Seconds between saves inside a long epoch; when a save happens never changes the result."""


class Trainer:
    """One run in one folder.

    Args:
        task: what is learned.
        settings: how.
        folder: the run folder; a resume file in it is taken up.
        group: the processes that share the run; every batch is cut into their equal parts.
        fresh: names of parts of the model, such as ``text``, that start anew and are not taken up.
    """

    def __init__(
        self,
        task: Task,
        settings: TrainSettings,
        folder: Path,
        group: Group | None = None,
        fresh: Collection[str] = (),
    ) -> None:
        self._task, self._settings, self._folder = task, settings, folder
        self._group = group or Group()
        self._part = self._group.part(settings.batch)
        torch.manual_seed(settings.seed)
        build = MODELS.open(task.model)
        self.module: nn.Module = build(**task.model_args).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._judge: nn.Module = build(**task.model_args).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        task.begin(self.module)
        self._parameters = list(self.module.parameters())
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=settings.lr, weight_decay=settings.weight_decay, foreach=True
        )
        self._average = Average(self.module, settings.ema)
        self.best: dict[str, Tensor] = {name: value.clone() for name, value in self._average.state.items()}
        self.stopping = EarlyStopping(settings.patience, settings.min_delta)
        self.history: list[dict[str, Any]] = []
        self._step = 0
        self._loss_sum = 0.0
        self._epoch_steps = steps_per_epoch(task.count, settings.batch)
        self._take_up(fresh)
        self._stepping: nn.Module = _Loss(task, self.module)
        if self._group.size > 1:
            share_norms(self.module)
            self._stepping = DistributedDataParallel(
                self._stepping, broadcast_buffers=False, find_unused_parameters=True
            )

    @property
    def step(self) -> int:
        """Steps done."""
        return self._step

    def run(self) -> None:
        """Train to the last epoch or until patience runs out; ``best`` then holds the best epoch's state."""
        total = self._settings.end * self._epoch_steps
        saved_at = time.monotonic()
        with progress("Training", total) as bar:
            bar.advance(self._step)
            while self._step < total and not self._is_over():
                self._learn()
                bar.advance()
                if self._step % self._epoch_steps == 0:
                    record = self._close_epoch()
                    bar.label(f"Training ({self._task.primary} {record[self._task.primary]:.3f})")
                elif self._group.from_leader(time.monotonic() - saved_at > _SAVE_EVERY_S):
                    self.save()
                    saved_at = time.monotonic()

    def _is_over(self) -> bool:
        return self._step % self._epoch_steps == 0 and self.stopping.should_stop

    def _learn(self) -> None:
        """One step; everything random in it depends on the seed and the step alone."""
        settings, step = self._settings, self._step
        torch.manual_seed(settings.seed * 1_000_003 + step)
        indices = batch_indices(settings.seed, step, self._task.count, settings.batch)
        batch = self._task.batch(indices, step_generator(settings.seed, step), self._part)
        for group in self._optimizer.param_groups:
            group["lr"] = rate_in_legs(step, settings.legs, self._epoch_steps, settings.lr)
        self.module.train()
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._stepping(batch, step // self._epoch_steps)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, settings.clip)
        value = self._group.mean(float(loss.detach()))
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise DeployError(
                "TRAINING-DIVERGED",
                f"The loss is {value} and the gradient {float(norm)} at step {step}.",
                f"Train again to another --out with a lower --lr than {settings.lr}.",
            )
        self._optimizer.step()
        self._average.update(self.module, step)
        self._loss_sum += value
        self._step += 1

    def _close_epoch(self) -> dict[str, Any]:
        """Validate, remember the best, save, and log one line."""
        figures = self._task.account(self._group.sums(self._task.tally))
        self._task.tally.clear()
        if self._group.leads:
            copy_into(self._judge.state_dict(), self._average.state, "average")
            figures |= self._task.validate(self._judge.eval())
        figures = self._group.from_leader(figures)
        epoch = self._step // self._epoch_steps - 1
        record = {
            "epoch": epoch,
            "step": self._step,
            "train_loss": self._loss_sum / self._epoch_steps,
            **figures,
        }
        self._loss_sum = 0.0
        self.history.append(record)
        if self.stopping.observe(figures[self._task.primary], epoch):
            copy_into(self.best, self._average.state, "average")
        self.save()
        if self._group.leads:
            with (self._folder / METRICS).open("a", encoding="utf-8") as stream:
                stream.write(_line(record))
        return record

    def save(self) -> None:
        """Keep everything; all processes meet here, because each has counts of its own."""
        tally = self._group.sums(dict(self._task.tally))
        if not self._group.leads:
            return
        parts = {
            "model": self.module.state_dict(),
            "average": self._average.state,
            "best": self.best,
            "optimizer": flatten_optimizer(self._optimizer, self._parameters),
        }
        facts = {
            "step": self._step,
            "loss_sum": self._loss_sum,
            "history": self.history,
            "stopping": self.stopping.to_json(),
            "tally": tally,
            "settings": self._settings.origin(),
        }
        save_resume(self._folder, parts, facts)

    def _take_up(self, fresh: Collection[str]) -> None:
        """Go back to the saved state, and drop logged lines that lie beyond it."""
        state = load_resume(self._folder)
        if state is not None:
            if not fresh and state.facts["settings"] != self._settings.origin():
                raise DeployError(
                    "RESUME-MISMATCH",
                    f"{self._folder} was saved under other settings than its config.json says.",
                    "Start again with another --out.",
                )
            copy_into(self.module.state_dict(), state.part("model"), "model", fresh)
            copy_into(self._average.state, state.part("average"), "average", fresh)
            copy_into(self.best, state.part("best"), "best model", fresh)
            names = [name for name, _ in self.module.named_parameters()]
            wanted = {number for number, name in enumerate(names) if not is_of(name, fresh)}
            restore_optimizer(self._optimizer, self._parameters, state.part("optimizer"), wanted)
            self.stopping = EarlyStopping(**state.facts["stopping"])
            self.history = state.facts["history"]
            self._step, self._loss_sum = state.facts["step"], state.facts["loss_sum"]
            if self._group.leads:
                self._task.tally.update(state.facts["tally"])
            if any(self._step == leg.start * self._epoch_steps for leg in self._settings.extensions):
                self.stopping.stale = 0
            if fresh:  # what was best was best with the part that is gone
                self.stopping = EarlyStopping(self._settings.patience, self._settings.min_delta)
        if self._group.leads:
            write_atomic(self._folder / METRICS, "".join(map(_line, self.history)))


class _Loss(nn.Module):
    """The loss as a module's forward, which is where ``DistributedDataParallel`` takes hold."""

    def __init__(self, task: Task, module: nn.Module) -> None:
        super().__init__()
        self._task, self.module = task, module

    def forward(self, batch: dict[str, Tensor], epoch: int) -> Tensor:
        """The task's loss of a batch."""
        return self._task.loss(self.module, batch, epoch)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True) + "\n"

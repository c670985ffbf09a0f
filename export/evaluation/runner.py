"""Run one file over the samples in a process of its own; a crash becomes a reason, not an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from export.evaluation.compact import Compact
from export.evaluation.data import DataSource
from export.evaluation.process import Tell, in_process
from export.evaluation.session import Session
from export.evaluation.subject import Subject


@dataclass(frozen=True)
class Measured:
    """What one file said about every sample.

    ``observations`` are the metric's records (empty for unlabelled data), ``predictions`` the decoded outputs
    as an app would get them. ``failure`` says why there are none.
    """

    observations: list[Any]
    predictions: list[Compact]
    failure: str | None = None


def measure(
    subject: Subject, data: DataSource, threads: int, told: Callable[[], None], stop: Event | None = None
) -> Measured:
    """Run ``subject`` over ``data``.

    Args:
        told: called after every sample.
        stop: ends the process early when it is set (Ctrl-C, or another file's error).
    """
    observations: list[Any] = []
    predictions: list[Compact] = []

    def heard(message: tuple[Any, Compact]) -> None:
        observation, prediction = message
        predictions.append(prediction)
        if observation is not None:
            observations.append(observation)
        told()

    failure = in_process(_see_all, (subject, data, threads), heard, stop)
    return Measured(observations, predictions) if failure is None else Measured([], [], failure)


def _see_all(tell: Tell, subject: Subject, data: DataSource, threads: int) -> None:
    """The process: every sample in turn."""
    samples = data.open()
    session = Session(subject, threads, labelled=samples.labelled)
    for index in range(len(samples)):
        tell(session.see(samples.sample(index)))

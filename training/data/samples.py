"""Labelled or unlabelled pictures behind one interface, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deploy.decode.predictions import Truth
from deploy.store import sha256_bytes


@dataclass(frozen=True)
class EvaluationSample:
    """One picture. ``image``: uint8 (H, W, 3) RGB; ``truth`` is ``None`` where nothing is labelled;
    ``group``: the clip or source it belongs to, which no split may cut; ``sha256``: of picture and label."""

    id: str
    image: NDArray[np.uint8]
    truth: Truth | None
    group: str
    sha256: str


@dataclass(frozen=True)
class Entry:
    """A sample that has not been read yet.

    ``read`` returns the picture (uint8 (H, W, 3) RGB) and its truth; ``digest`` the hex SHA-256 of what
    ``read`` depends on.
    """

    id: str
    group: str
    read: Callable[[], tuple[NDArray[np.uint8], Truth | None]]
    digest: Callable[[], str]


class EvaluationSet:
    """An ordered collection of samples, read one at a time.

    Args:
        layout: the name of the layout it was found in.
        entries: the samples, in a stable order.
        labelled: whether samples carry truth.
        class_names: names by class index; ``None`` where the task has no classes.
        notes: facts a person should know (missing label files, how groups were told apart).
    """

    def __init__(
        self,
        layout: str,
        entries: Sequence[Entry],
        *,
        labelled: bool,
        class_names: tuple[str, ...] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.layout = layout
        self.labelled = labelled
        self.class_names = class_names
        self.notes = notes
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def sample(self, index: int) -> EvaluationSample:
        """Read sample ``index``; a file that cannot be used raises a ``DeployError`` that names it."""
        entry = self._entries[index]
        image, truth = entry.read()
        return EvaluationSample(
            entry.id, image, truth if self.labelled else None, entry.group, entry.digest()
        )

    @cached_property
    def sha256(self) -> str:
        """Hex SHA-256 over the ids and contents of all samples, in order (reads every file once)."""
        return sha256_bytes("".join(f"{entry.id}\0{entry.digest()}\n" for entry in self._entries).encode())

    @property
    def ids(self) -> tuple[str, ...]:
        """The samples' ids, in order."""
        return tuple(entry.id for entry in self._entries)

    @property
    def digests(self) -> tuple[str, ...]:
        """Hex SHA-256 of each sample's picture and label, in order (reads every file once)."""
        return tuple(entry.digest() for entry in self._entries)

    @property
    def groups(self) -> tuple[str, ...]:
        """The samples' groups, in order."""
        return tuple(entry.group for entry in self._entries)

    def subset(self, indices: Sequence[int]) -> EvaluationSet:
        """The chosen samples, in the given order."""
        return EvaluationSet(
            self.layout,
            [self._entries[index] for index in indices],
            labelled=self.labelled,
            class_names=self.class_names,
            notes=self.notes,
        )

    def without_truth(self) -> EvaluationSet:
        """The same pictures, unlabelled."""
        return EvaluationSet(self.layout, self._entries, labelled=False, notes=self.notes)
